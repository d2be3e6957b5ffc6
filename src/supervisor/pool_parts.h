/* What a pool consists of, for the files that are about the whole of it: pool.c and pool_state.c. */
#ifndef WGW_SUPERVISOR_POOL_PARTS_H
#define WGW_SUPERVISOR_POOL_PARTS_H

#include "supervisor/board.h"
#include "supervisor/listener.h"
#include "supervisor/logfile.h"
#include "supervisor/look.h"
#include "supervisor/pool.h"
#include "supervisor/source.h"
#include "supervisor/step.h"
#include "supervisor/tally.h"
#include "supervisor/warm.h"

typedef struct wgw_process_t {
    wgw_listener_t listener;
    wgw_watch_t hup;        /* of the listener */
    bool is_shut;           /* the listener must be bound anew */
    pid_t pid;              /* 0 none */
    uint32_t epoch, version;
    bool has_to_load, is_cold; /* see wgw_action_t; it is to load nothing before a request needs it */
    bool was_ready, has_left, has_asked; /* it has said so, which it may once */
    uint32_t message_count; /* of this process since message_us */
    int64_t message_us;
    wgw_watch_t exit, control;
    wgw_source_t *source;
} wgw_process_t;

struct wgw_sup_pool_t {
    const wgw_loop_t *loop;
    wgw_pool_spec_t spec;
    void *memory;           /* of spec */
    wgw_sup_board_t board;
    wgw_logfile_t logfile;
    wgw_sources_t sources;
    wgw_step_t *step;
    wgw_warm_t warm;
    wgw_versions_t versions; /* as the scoreboard and the log have them */
    wgw_buffer_t stale;     /* the last STALE that has led to a reload */
    int64_t reload_us;      /* when what has changed is to be loaded; 0: nothing has */
    int64_t reloaded_us;    /* when it last was */
    wgw_process_t *rows;        /* spec.row_count */
    wgw_look_t look;
    wgw_tally_t tally;
    int64_t wake_us;        /* the step function's */
    int64_t said_us;        /* when lost log lines were last said */
    bool is_over;
};

/* As wgw_sup_pool_create(), with a scoreboard that is left as it is. */
wgw_sup_pool_t *wgw_sup_pool_make(const wgw_loop_t *loop, const wgw_pool_spec_t *spec, void *memory,
                                  int board_fd, int log_fd, char *why, size_t why_size);

/* Watch the descriptors that a row has. Returns: false when the system has no room for that. */
bool wgw_sup_pool_watch(wgw_sup_pool_t *pool, uint32_t row);

#endif
