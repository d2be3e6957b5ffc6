/* /proc says it in up to three ways. The system call is hidden from a process that must not be
 * looked into (PR_SET_DUMPABLE), from itself too; where it waits is not. */
#include "worker/task.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"

#define CALL(name) { SYS_##name, #name }

static const struct {
    long number;
    const char *name;
} CALLS[] = {
    CALL(read), CALL(readv), CALL(pread64), CALL(write), CALL(writev), CALL(pwrite64),
    CALL(openat), CALL(close), CALL(fsync), CALL(fdatasync), CALL(fcntl), CALL(flock), CALL(ioctl),
    CALL(sendfile), CALL(sendto), CALL(sendmsg), CALL(recvfrom), CALL(recvmsg), CALL(accept),
    CALL(accept4), CALL(connect), CALL(ppoll), CALL(pselect6), CALL(epoll_pwait), CALL(futex),
    CALL(nanosleep), CALL(clock_nanosleep), CALL(wait4), CALL(waitid), CALL(semtimedop),
    CALL(semop), CALL(msgrcv), CALL(rt_sigtimedwait), CALL(newfstatat), CALL(getdents64),
#ifdef SYS_poll
    CALL(poll), CALL(select), CALL(epoll_wait), CALL(open), CALL(stat), CALL(pause),
#endif
};

static bool read_file(pid_t tid, const char *name, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%ld/%s", (long)tid, name);
    bool is_read = wgw_proc_read(path, text, size);
    text[strcspn(text, "\n")] = '\0';
    return is_read;
}

static const char *name_of_call(long number)
{
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
        if (CALLS[i].number == number)
            return CALLS[i].name;
    return NULL;
}

/* The kernel's function that it waits in. Returns: "" when that is not known. */
static const char *place_of(pid_t tid, char *text, size_t size)
{
    return read_file(tid, "wchan", text, size) && strcmp(text, "0") != 0 ? text : "";
}

/* R, S, D, T, as of proc(5). */
static char state_of(pid_t tid)
{
    char text[512];
    const char *behind_name = read_file(tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;

    return behind_name && behind_name[1] == ' ' ? behind_name[2] : '\0';
}

static const char *describe_state(char state, const char *place, char *text, size_t size)
{
    if (!state)
        return "gone";
    if (state == 'R')
        return "running on a processor";
    snprintf(text, size, "waiting in the kernel%s%s%s%s", state == 'D' ? ", for a device" : "",
             *place ? " (" : "", place, *place ? ")" : "");
    return text;
}

const char *wgw_task_describe(pid_t tid, char *text, size_t size)
{
    char call[128], wait[64];
    char state = state_of(tid);
    const char *place = place_of(tid, wait, sizeof wait);
    bool is_known = read_file(tid, "syscall", call, sizeof call);

    if (!is_known || state == 'R' || call[0] < '0' || call[0] > '9')
        return describe_state(state, place, text, size);
    call[strcspn(call, " ")] = '\0';
    const char *name = name_of_call(strtol(call, NULL, 10));
    snprintf(text, size, "waiting in the system call %s%s%s%s", name ? name : call,
             *place ? " (" : "", place, *place ? ")" : "");
    return text;
}
