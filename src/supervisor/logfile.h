/* Lines in httpd's default form, written to an error log that httpd has opened.
 * Never blocks: what a pipe cannot take is dropped and counted. */
#ifndef WGW_SUPERVISOR_LOGFILE_H
#define WGW_SUPERVISOR_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"

typedef struct wgw_logfile_t {
    int fd;              /* -1 none */
    bool is_file;        /* a write to it does not wait for a reader */
    uint32_t lost_count; /* lines that a full pipe did not take */
} wgw_logfile_t;

/* Owns: fd, also when it is -1: then the supervisor's own standard error is written to. */
void wgw_sup_logfile_init(wgw_logfile_t *file, int fd);
void wgw_sup_logfile_deinit(wgw_logfile_t *file);

/* Write `text` as one line, or as several when it is longer than a line may be.
 * Control characters, and bytes that are not UTF-8, are escaped as \xNN. */
void wgw_sup_logfile_write(wgw_logfile_t *file, wgw_level_t level, pid_t pid, const char *text,
                           size_t len);

/* Escape from *text, which is moved on, into `out`: as much as fits, never half a character.
 * Returns: how many bytes were put. */
size_t wgw_sup_escape(const char **text, const char *end, char *out, size_t size);

#endif
