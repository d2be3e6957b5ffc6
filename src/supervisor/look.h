/* What is seen of a pool from outside, every now and then: a scoreboard to be put right, processes
 * that are stopped or worn out, a queue that is too long. Says what it has found; what follows from
 * that, and how it is done, is not its business. */
#ifndef WGW_SUPERVISOR_LOOK_H
#define WGW_SUPERVISOR_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "supervisor/board.h"
#include "supervisor/elastic.h"
#include "supervisor/state.h"
#include "supervisor/step.h"
#include "supervisor/wear.h"
#include "wire/spec.h"

/* What is found: REPLACE of a row, GROW, or SHRINK of a row. It may make other events. */
typedef void wgw_look_fn(void *ctx, wgw_event_t found);

/* Of the process of one row. */
typedef struct wgw_look_row_t {
    pid_t pid;
    uint32_t epoch, version;
    int64_t begun_us;   /* when it was made */
    wgw_wear_t wear;
    bool is_known;      /* that it is to be replaced: nobody needs to look whether it is stopped */
    int64_t silent_us;  /* its last note of having had its interpreter, too old; 0 it is not */
} wgw_look_row_t;

typedef struct wgw_look_t {
    const wgw_pool_spec_t *spec;
    wgw_sup_board_t *board;
    const wgw_step_t *step;
    wgw_log_sink_t sink;
    wgw_look_fn *found;
    wgw_look_row_t *rows; /* spec->row_count */
    uint32_t *epochs;     /* of each row: room for one sweep */
    wgw_elastic_t elastic;
    int64_t sweep_us;     /* when to look at the scoreboard next */
    int64_t queue_us;     /* when to look at the queue next, of an elastic pool */
} wgw_look_t;

/* Begin to look. `found` gets the context of `sink`.
 * Borrows: spec, board, step, until wgw_sup_look_deinit(). Returns: false when memory is short. */
bool wgw_sup_look_init(wgw_look_t *look, const wgw_pool_spec_t *spec, wgw_sup_board_t *board,
                       const wgw_step_t *step, wgw_log_sink_t sink, wgw_look_fn *found);
void wgw_sup_look_deinit(wgw_look_t *look);

/* A process was made for the row. */
void wgw_sup_look_begin(wgw_look_t *look, uint32_t row, pid_t pid, uint32_t epoch,
                        uint32_t version);

/* The process of the row has asked to be replaced. */
void wgw_sup_look_know(wgw_look_t *look, uint32_t row);

typedef enum wgw_reload_state_t {
    WGW_RELOAD_UNDER_WAY,
    WGW_RELOAD_DONE,       /* no process of an older version takes requests */
    WGW_RELOAD_FAILED      /* the new code does not import; the older processes that there are stay */
} wgw_reload_state_t;

/* How far the pool is on its way to a version. `has_failed`: a process was not to be had since it was
 * sent there. */
wgw_reload_state_t wgw_sup_look_at_reload(const wgw_look_t *look, uint32_t version, bool has_failed);

/* Tell whether the scoreboard is going to be put right by the next tick. */
bool wgw_sup_look_is_due(const wgw_look_t *look, int64_t now_us);

/* Save what is known of the process of a row, or restore it. */
void wgw_sup_look_move(wgw_look_t *look, uint32_t row, wgw_state_t *state);

/* Look at what is due. Returns: when it wants to be called next. */
int64_t wgw_sup_look_tick(wgw_look_t *look, int64_t now_us);

#endif
