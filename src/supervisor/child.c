#include "supervisor/child.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/deadline.h"

#define KILLED_US INT64_C(1000000)
enum { NAP_MS = 2 };

/* Returns: -1 at the deadline. */
static int wait_until(pid_t pid, int64_t us)
{
    wgw_deadline_t deadline = wgw_deadline_in_us(us);
    int status = -1;

    while (waitpid(pid, &status, WNOHANG) == 0 && wgw_deadline_left_us(deadline) > 0)
        poll(NULL, 0, NAP_MS);
    return status;
}

int wgw_sup_child_wait(pid_t pid, int64_t timeout_us)
{
    int status = wait_until(pid, timeout_us);

    if (status != -1)
        return status;
    kill(pid, SIGKILL);
    return wait_until(pid, KILLED_US);
}
