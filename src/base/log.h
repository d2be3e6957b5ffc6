/* Log levels and the sink that a front end sets.
 * The floors below a front end never know where a line ends up: httpd's error
 * log, a pipe, standard error of a unit test. */
#ifndef WGW_BASE_LOG_H
#define WGW_BASE_LOG_H

#include <stddef.h>

/* The levels of syslog(3), by number, so that every sink can map them. */
typedef enum wgw_level_t {
    WGW_LOG_CRIT = 2,
    WGW_LOG_ERR = 3,
    WGW_LOG_WARN = 4,
    WGW_LOG_NOTICE = 5,
    WGW_LOG_INFO = 6,
    WGW_LOG_DEBUG = 7
} wgw_level_t;

/* The stable number of a message; docs/messages.md has an entry for each. */
#define WGWNO(number) "WGW" #number ": "

/* Where one line of text goes. `text` has neither line end nor NUL in it, and none after it. */
typedef void wgw_log_fn(void *ctx, wgw_level_t level, const char *text, size_t len);

typedef struct wgw_log_sink_t {
    wgw_log_fn *write;
    void *ctx; /* Borrowed; lives as long as whoever was given the sink. */
} wgw_log_sink_t;

/* Format one line and hand it to `sink`; cut at 1 KiB.
 * Blocks: as the sink does. */
void wgw_log(const wgw_log_sink_t *sink, wgw_level_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
