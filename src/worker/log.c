#include "worker/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_uint dropped_count;

static bool write_whole(const struct iovec *spans, int count, size_t len)
{
    return writev(STDERR_FILENO, spans, count) == (ssize_t)len;
}

static void write_dropped(void)
{
    unsigned count = atomic_exchange(&dropped_count, 0);
    char line[120];

    if (!count)
        return;
    int len = snprintf(line, sizeof line, "<4>" WGWNO(0063) "%u lines of this process were lost: "
                       "the log pipe was full\n", count);
    struct iovec span = { line, (size_t)len };
    if (!write_whole(&span, 1, span.iov_len))
        atomic_fetch_add(&dropped_count, count);
}

static void write_line(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    char prefix[4] = { '<', (char)('0' + level), '>', '\0' };
    struct iovec spans[] = { { prefix, 3 }, { (char *)(uintptr_t)text, len },
                             { (char *)(uintptr_t)"\n", 1 } };
    int before = errno;

    (void)ctx;
    write_dropped();
    if (!write_whole(spans, 3, len + 4))
        atomic_fetch_add(&dropped_count, 1);
    errno = before;
}

const wgw_log_sink_t wgw_wrk_log = { write_line, NULL };
