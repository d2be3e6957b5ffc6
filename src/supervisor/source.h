/* The log pipes of the processes of one pool, read as the loop tells. */
#ifndef WGW_SUPERVISOR_SOURCE_H
#define WGW_SUPERVISOR_SOURCE_H

#include <sys/types.h>

#include "supervisor/logpipe.h"
#include "supervisor/loop.h"
#include "supervisor/state.h"

typedef struct wgw_source_t wgw_source_t;

typedef struct wgw_sources_t {
    const wgw_loop_t *loop;
    wgw_logfile_t *file;    /* where the lines go */
    wgw_level_t most;       /* the most verbose that is written */
    wgw_log_rate_t rate;
    wgw_source_t *list;
    struct {
        pid_t pid;
        char line[WGW_LOG_LAST_SIZE];
    } ended;                /* what the process had to say whose pipe ended last */
    int64_t resume_us;      /* when those that were too much are read again; 0: there is none */
} wgw_sources_t;

/* Borrows: loop, file, until wgw_sup_sources_deinit(). */
void wgw_sup_sources_init(wgw_sources_t *sources, const wgw_loop_t *loop, wgw_logfile_t *file,
                          wgw_level_t most);
void wgw_sup_sources_deinit(wgw_sources_t *sources);

/* Read a pipe from now on. Owns: fd. *holder is set to the source, and to NULL when that has come
 * to its end; it stays NULL when memory is short: its lines are lost then. */
void wgw_sup_source_add(wgw_sources_t *sources, int fd, pid_t pid, wgw_source_t **holder);

/* The process is gone: read what it left, keep the pipe for children that it may have. */
void wgw_sup_source_orphan(wgw_sources_t *sources, wgw_source_t *source);

/* Read what a process has left. `source` NULL: it has come to its end already.
 * Returns: its last line at error, or ""; Lives: until the next call for another one. */
const char *wgw_sup_source_last(wgw_sources_t *sources, wgw_source_t *source, pid_t pid);

/* Read it no more. Nothing happens to NULL. */
void wgw_sup_source_drop(wgw_sources_t *sources, wgw_source_t *source);

/* Save or restore the pipe of one process; `holder` as of wgw_sup_source_add(). */
void wgw_sup_source_move(wgw_sources_t *sources, wgw_state_t *state, wgw_source_t **holder);

/* The same for the pipes of processes that are gone. */
void wgw_sup_sources_move_orphans(wgw_sources_t *sources, wgw_state_t *state);

/* Do what is due. Returns: when it wants to be called next. */
int64_t wgw_sup_sources_tick(wgw_sources_t *sources, int64_t now_us);

#endif
