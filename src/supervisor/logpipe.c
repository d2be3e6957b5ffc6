/* Bytes become lines in the buffer of the pipe; a line that does not fit is written in pieces. */
#include "supervisor/logpipe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"

enum { ROUND_BYTES = 64 * 1024, BURST_COUNT = 1000, PER_SECOND = 200 };

void wgw_sup_log_rate_init(wgw_log_rate_t *rate, int64_t now_us)
{
    *rate = (wgw_log_rate_t){ .filled_us = now_us, .token_count = BURST_COUNT };
}

bool wgw_sup_log_rate_take(wgw_log_rate_t *rate, int64_t now_us)
{
    const int64_t token_us = 1000000 / PER_SECOND;
    int64_t earned = (now_us - rate->filled_us) / token_us;

    if (earned > 0) {
        rate->filled_us += earned * token_us;
        rate->token_count = earned < BURST_COUNT - (int64_t)rate->token_count
                                ? rate->token_count + (uint32_t)earned : BURST_COUNT;
    }
    if (rate->token_count) {
        rate->token_count--;
        return true;
    }
    rate->dropped_count++;
    return false;
}

size_t wgw_sup_log_level(const char *line, size_t len, wgw_level_t *level_out)
{
    *level_out = WGW_LOG_ERR;
    if (len < 3 || line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
        return 0;
    *level_out = line[1] < '2' ? WGW_LOG_CRIT : (wgw_level_t)(line[1] - '0');
    return 3;
}

typedef struct {
    wgw_logfile_t *file;
    wgw_level_t most;
    wgw_log_rate_t *rate;
} target_t;

static void keep_last(wgw_logpipe_t *pipe, const char *text, size_t len)
{
    size_t most = sizeof pipe->last - 1;
    size_t kept = len < most ? len : most;

    memcpy(pipe->last, text, kept);
    pipe->last[kept] = '\0';
}

/* Write a line, or the next piece of one. */
static void write_piece(wgw_logpipe_t *pipe, const target_t *to, const char *text, size_t len,
                        bool is_last)
{
    size_t prefix = pipe->is_inside ? 0 : wgw_sup_log_level(text, len, &pipe->level);
    bool is_rest = pipe->is_inside && len == 0;

    if (len && text[len - 1] == '\r')
        len--;
    if (!pipe->is_inside && len > prefix && pipe->level <= WGW_LOG_ERR)
        keep_last(pipe, text + prefix, len - prefix);
    if (!is_rest && len > prefix && pipe->level <= to->most &&
        wgw_sup_log_rate_take(to->rate, wgw_now_us()))
        wgw_sup_logfile_write(to->file, pipe->level, pipe->pid, text + prefix, len - prefix);
    pipe->is_inside = !is_last;
}

static void take_lines(wgw_logpipe_t *pipe, const target_t *to)
{
    char *at = pipe->buffer, *end = pipe->buffer + pipe->len, *newline;

    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        write_piece(pipe, to, at, (size_t)(newline - at), true);
        at = newline + 1;
    }
    if (at == pipe->buffer && pipe->len == sizeof pipe->buffer) {
        write_piece(pipe, to, at, pipe->len, false);
        at = end;
    }
    pipe->len = (size_t)(end - at);
    memmove(pipe->buffer, at, pipe->len);
}

bool wgw_sup_logpipe_read(wgw_logpipe_t *pipe, wgw_logfile_t *file, wgw_level_t most,
                          wgw_log_rate_t *rate)
{
    const target_t to = { file, most, rate };

    for (size_t total = 0; total < ROUND_BYTES;) {
        ssize_t n = read(pipe->fd, pipe->buffer + pipe->len, sizeof pipe->buffer - pipe->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            if (pipe->len)
                write_piece(pipe, &to, pipe->buffer, pipe->len, true);
            pipe->len = 0;
            return false;
        }
        pipe->len += (size_t)n;
        total += (size_t)n;
        take_lines(pipe, &to);
    }
    return true;
}
