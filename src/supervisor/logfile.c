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

#include "base/utf8.h"

enum { LINE_SIZE = 8192 + 128 };

/* --- text ----------------------------------------------------------------------------- */

size_t wgw_sup_escape(const char **text, const char *end, char *out, size_t size)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t put = 0;

    while (*text < end) {
        const unsigned char *s = (const unsigned char *)*text;
        size_t len = *s == '\t' ? 1 : wgw_utf8_shown_len(*text, end);
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
