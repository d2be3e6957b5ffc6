#include "worker/title.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ARG_START = 48, ARG_END = 49 }; /* fields of /proc/PID/stat, see proc(5) */

/* The fields after the name of the program, which may itself hold anything but is in brackets. */
static const char *field_of(const char *stat, int number)
{
    const char *at = strrchr(stat, ')');

    for (int field = 2; at && field < number; field++)
        at = strchr(at + 1, ' ');
    return at ? at + 1 : "0";
}

static bool read_stat(char *stat, size_t size)
{
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, stat, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return false;
    stat[len] = '\0';
    return true;
}

void wgw_title_set(const char *name)
{
    char stat[2048];

    if (!*name)
        return;
    prctl(PR_SET_NAME, name);
    if (!read_stat(stat, sizeof stat))
        return; /* /proc is not there: the name of the thread has to do */
    uintptr_t start = strtoull(field_of(stat, ARG_START), NULL, 10);
    uintptr_t end = strtoull(field_of(stat, ARG_END), NULL, 10);
    size_t size = end > start ? end - start : 0, len = strlen(name);
    if (size < 2)
        return;
    char *area = (char *)start; // NOLINT(performance-no-int-to-ptr): the kernel tells it as a number
    memset(area, 0, size);
    memcpy(area, name, len < size - 1 ? len : size - 1);
}
