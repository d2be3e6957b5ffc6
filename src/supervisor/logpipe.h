/* What a daemon process writes to its standard output and error, as lines.
 * Reads a bounded amount at a time, so that no process starves the others. */
#ifndef WGW_SUPERVISOR_LOGPIPE_H
#define WGW_SUPERVISOR_LOGPIPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/logfile.h"

enum { WGW_LOG_LINE_MOST = 8192, WGW_LOG_LAST_SIZE = 200 };

/* The lines that the processes of one pool may write. */
typedef struct wgw_log_rate_t {
    int64_t filled_us;      /* when tokens were last added */
    uint32_t token_count;
    uint32_t dropped_count; /* lines since it was last said */
} wgw_log_rate_t;

typedef struct wgw_logpipe_t {
    int fd;                 /* read end, O_NONBLOCK; -1 when it has come to its end */
    pid_t pid;              /* of the process that it was made for */
    wgw_level_t level;      /* of the line that has begun */
    bool is_inside;         /* pieces of this line were written already */
    char last[WGW_LOG_LAST_SIZE]; /* begin of its last line at error, NUL-terminated */
    size_t len;             /* bytes in `buffer` */
    char buffer[WGW_LOG_LINE_MOST];
} wgw_logpipe_t;

void wgw_sup_log_rate_init(wgw_log_rate_t *rate, int64_t now_us);

/* Take one token. Returns: false when there is none; the line counts as dropped. */
bool wgw_sup_log_rate_take(wgw_log_rate_t *rate, int64_t now_us);

/* Read what is there, at most 64 KiB, and write the lines of `most` verbose or less to `file`.
 * Returns: false at the end of the pipe. */
bool wgw_sup_logpipe_read(wgw_logpipe_t *pipe, wgw_logfile_t *file, wgw_level_t most,
                          wgw_log_rate_t *rate);

/* Read a level prefix "<N>". Returns: its length; 0 and error when there is none. */
size_t wgw_sup_log_level(const char *line, size_t len, wgw_level_t *level_out);

#endif
