/* A file takes a whole line in one write(); a pipe takes PIPE_BUF bytes in one piece. The pipe
 * is opened a second time, so that O_NONBLOCK is ours alone: its flags are httpd's too. */
#include "supervisor/logfile.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 8192 + 128 };

/* --- text ----------------------------------------------------------------------------- */

/* How long the UTF-8 character at `s` is (RFC 3629). Returns: 0 when there is none. */
static size_t utf8_len(const unsigned char *s, const unsigned char *end)
{
    static const struct { unsigned char first, last, low, high, len; } FORMS[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
        { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (*s < FORMS[i].first || *s > FORMS[i].last)
            continue;
        if ((size_t)(end - s) < FORMS[i].len || s[1] < FORMS[i].low || s[1] > FORMS[i].high)
            return 0;
        for (size_t k = 2; k < FORMS[i].len; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return FORMS[i].len;
    }
    return 0;
}

/* U+0080 to U+009F control terminals too. */
static bool is_c1(const unsigned char *s)
{
    return s[0] == 0xc2 && s[1] < 0xa0;
}

static size_t plain_len(const unsigned char *s, const unsigned char *end)
{
    if (*s < 0x80)
        return (*s >= 0x20 && *s != 0x7f) || *s == '\t';
    size_t len = utf8_len(s, end);
    return len && !is_c1(s) ? len : 0;
}

size_t wgw_sup_escape(const char **text, const char *end, char *out, size_t size)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t put = 0;

    while (*text < end) {
        const unsigned char *s = (const unsigned char *)*text;
        size_t len = plain_len(s, (const unsigned char *)end);
        if (put + (len ? len : 4) > size)
            break;
        if (len) {
            memcpy(out + put, s, len);
            put += len;
        } else {
            const char escaped[] = { '\\', 'x', DIGITS[*s >> 4], DIGITS[*s & 15] };
            memcpy(out + put, escaped, sizeof escaped);
            put += sizeof escaped;
        }
        *text += len ? len : 1;
    }
    return put;
}

static const char *level_name(wgw_level_t level)
{
    switch (level) {
    case WGW_LOG_CRIT: return "crit";
    case WGW_LOG_ERR: return "error";
    case WGW_LOG_WARN: return "warn";
    case WGW_LOG_NOTICE: return "notice";
    case WGW_LOG_INFO: return "info";
    default: return "debug";
    }
}

static size_t put_head(char *out, size_t size, wgw_level_t level, pid_t pid)
{
    struct timeval now;
    struct tm tm;
    char day[32], year[16];

    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(day, sizeof day, "%a %b %d %H:%M:%S", &tm);
    strftime(year, sizeof year, "%Y", &tm);
    return (size_t)snprintf(out, size, "[%s.%06ld %s] [wsgigw:%s] [pid %ld] ", day,
                            (long)now.tv_usec, year, level_name(level), (long)pid);
}

/* --- the file ------------------------------------------------------------------------- */

/* Open the pipe again with flags of our own. Returns: false when that is not possible; then only
 * polling it first keeps us from waiting, and another writer may come between. */
static bool reopen_nonblocking(int *fd)
{
    char path[64];
    int again;

    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (again < 0)
        return false;
    close(*fd);
    *fd = again;
    return true;
}

void wgw_sup_logfile_init(wgw_logfile_t *file, int fd)
{
    struct stat st;

    *file = (wgw_logfile_t){ .fd = fd };
    if (fd < 0 || fstat(fd, &st) != 0)
        return;
    file->is_file = S_ISREG(st.st_mode);
    if (S_ISFIFO(st.st_mode))
        reopen_nonblocking(&file->fd);
}

void wgw_sup_logfile_deinit(wgw_logfile_t *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

static bool takes_line(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && !(p.revents & POLLERR);
}

static void write_line(wgw_logfile_t *file, const char *line, size_t len)
{
    int fd = file->fd >= 0 ? file->fd : STDERR_FILENO;

    if ((!file->is_file && !takes_line(fd)) || write(fd, line, len) != (ssize_t)len)
        file->lost_count++;
}

void wgw_sup_logfile_write(wgw_logfile_t *file, wgw_level_t level, pid_t pid, const char *text,
                           size_t len)
{
    char line[LINE_SIZE];
    size_t size = file->is_file ? sizeof line : PIPE_BUF;
    const char *end = text + len;

    do {
        size_t put = put_head(line, sizeof line, level, pid);
        put += wgw_sup_escape(&text, end, line + put, size - put - 1);
        line[put++] = '\n';
        write_line(file, line, put);
    } while (text < end);
}
