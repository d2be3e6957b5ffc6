/* By version and by file: a package of the same version that was built again is another one. */
#include "supervisor/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/child.h"
#include "wsgigw/version.h"

#define CHECK_US INT64_C(5000000)

bool wgw_sup_successor_is_other(const char *version, const char *program)
{
    struct stat ours, theirs;

    if (stat(program, &theirs) != 0)
        return false;
    return strcmp(version, WGW_VERSION_TEXT) != 0 || stat("/proc/self/exe", &ours) != 0 ||
           ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino;
}

/* Returns: only when it has failed. */
static void run(const char *program, const char *mode, const wgw_state_t *state, int fd)
{
    char number[16];
    char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)mode, number, NULL };

    snprintf(number, sizeof number, "%d", fd);
    wgw_sup_state_expose(state, true);
    fcntl(fd, F_SETFD, 0);
    execv(program, argv);
    int why = errno;
    wgw_sup_state_expose(state, false);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    errno = why;
}

wgw_successor_t wgw_sup_successor_check(const char *program, const wgw_state_t *state, int fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        run(program, WGW_SUP_CHECK, state, fd);
        _exit(WGW_SUCCESSOR_BROKEN);
    }
    int status = pid > 0 ? wgw_sup_child_wait(pid, CHECK_US) : -1;
    if (status == 0)
        return WGW_SUCCESSOR_FITS;
    return WIFEXITED(status) && WEXITSTATUS(status) == WGW_SUCCESSOR_DIFFERS ? WGW_SUCCESSOR_DIFFERS
                                                                            : WGW_SUCCESSOR_BROKEN;
}

void wgw_sup_successor_become(const char *program, const wgw_state_t *state, int fd)
{
    run(program, WGW_SUP_RESUME, state, fd);
}
