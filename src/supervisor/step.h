/* A pool as a pure function: events and the time go in, actions come out.
 *
 * A pool has `process_count` places; place P may use the rows P, P + process_count, and so on,
 * so that a place whose process is still finishing can have its successor already. Back-off
 * belongs to the place.
 *
 * Whatever the cause, a process is replaced in one way: its successor is started on trial, as long
 * as few places have one at a time; once it is ready the old one is drained, and if it is not, the
 * old one stays. Each process has a version, the number of reloads before its start: a reload
 * replaces all of an older one. When the first of a version fails, the version has failed, and
 * the old ones stay until the next reload. Knows nothing of processes, descriptors or clocks. */
#ifndef WGW_SUPERVISOR_STEP_H
#define WGW_SUPERVISOR_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/state.h"
#include "wsgigw/exec.h"

#define WGW_STEP_NEVER INT64_MAX

typedef struct wgw_step_config_t {
    uint32_t process_count, row_count;   /* row_count >= process_count >= 1 */
    uint32_t process_least;              /* places that are always filled; 0: all of them */
    bool is_service;                     /* a process that is to be replaced ends before another one
                                            starts: what it does must not be done twice */
    int64_t startup_timeout_us;          /* until READY; 0 none */
    int64_t graceful_timeout_us;         /* after DRAIN */
    int64_t eviction_timeout_us;         /* the same, of a process that got SIGUSR1; 0: as above */
    int64_t restart_interval_us;         /* a process is replaced that old; 0 never */
    int64_t shutdown_timeout_us;         /* after STOP, until the process is killed */
} wgw_step_config_t;

typedef enum wgw_row_phase_t {
    WGW_ROW_EMPTY,
    WGW_ROW_STARTING,    /* spawned, not READY yet */
    WGW_ROW_READY,
    WGW_ROW_DRAINING,    /* told to drain, or leaving by itself */
    WGW_ROW_STOPPING,    /* told to stop */
    WGW_ROW_KILLED,      /* only its exit is waited for */
    WGW_ROW_PHASE_COUNT
} wgw_row_phase_t;

typedef enum wgw_event_kind_t {
    WGW_EVENT_START,     /* the pool begins */
    WGW_EVENT_READY,     /* the process of a row takes requests */
    WGW_EVENT_LEAVING,   /* the process of a row has begun to end by itself */
    WGW_EVENT_EXITED,    /* the process of a row is gone, or could not be made */
    WGW_EVENT_BROKEN,    /* the process of a row does what it must not, or its socket is dead */
    WGW_EVENT_REPLACE,   /* the process of a row is to be replaced, for `cause` */
    WGW_EVENT_RELOAD,    /* all processes are, for `cause`: what they have loaded is old */
    WGW_EVENT_STILL_FAILED, /* a reload is asked for that has failed already: it fails again */
    WGW_EVENT_GROW,      /* one more place is to be filled, if there is one */
    WGW_EVENT_SHRINK,    /* the place of a row is not needed any more, if there are more than the least */
    WGW_EVENT_TICK,      /* wake_us has come */
    WGW_EVENT_RETIRE,    /* drain everything, start nothing */
    WGW_EVENT_STOP       /* stop everything, start nothing */
} wgw_event_kind_t;

typedef struct wgw_event_t {
    wgw_event_kind_t kind;
    uint32_t row;        /* READY, LEAVING, EXITED, BROKEN, REPLACE, SHRINK */
    wgw_cause_t cause;   /* REPLACE, RELOAD */
    bool is_in_order;    /* EXITED: with code 0 */
    bool is_unmade;      /* EXITED: there has been no process */
    bool has_served;     /* EXITED: it had come to the end of a request */
    /* RETIRE, STOP: bounds below those of the configuration; 0: those of the configuration. */
    int64_t graceful_limit_us, shutdown_limit_us;
} wgw_event_t;

typedef enum wgw_action_kind_t {
    WGW_ACTION_SPAWN,
    WGW_ACTION_DRAIN,    /* tell it to drain */
    WGW_ACTION_STOP,     /* tell it to stop, and SIGTERM */
    WGW_ACTION_KILL      /* SIGKILL */
} wgw_action_kind_t;

typedef enum wgw_action_reason_t {
    WGW_REASON_TOLD,             /* by an event */
    WGW_REASON_STARTUP_TIMEOUT,
    WGW_REASON_GRACEFUL_TIMEOUT,
    WGW_REASON_SHUTDOWN_TIMEOUT,
    WGW_REASON_BROKEN,
    WGW_REASON_REPLACED,         /* DRAIN: its successor is ready; see `cause` */
    WGW_REASON_UNNEEDED          /* DRAIN: its place is closed */
} wgw_action_reason_t;

typedef struct wgw_action_t {
    wgw_action_kind_t kind;
    wgw_action_reason_t reason;
    uint32_t row;
    int64_t timeout_us;  /* SPAWN: until READY, 0 none; DRAIN, STOP: what the process has */
    bool is_trial;       /* SPAWN: there is one that stays if this one is not ready */
    bool has_to_load;    /* SPAWN: it is to end if it cannot load what others of the pool have loaded */
    wgw_cause_t cause;   /* SPAWN of a trial, DRAIN: why that one is replaced */
    uint32_t version;    /* SPAWN */
} wgw_action_t;

typedef struct wgw_step_t wgw_step_t;

typedef struct wgw_actions_t {
    const wgw_action_t *items; /* Lives: until the next event */
    size_t count;
    int64_t wake_us;           /* when TICK is wanted, or WGW_STEP_NEVER */
    bool is_over;              /* the pool has been told to end, and has no process any more */
} wgw_actions_t;

/* Make a pool that has had no event yet. Returns: NULL when memory is short. */
wgw_step_t *wgw_sup_step_create(const wgw_step_config_t *config);
void wgw_sup_step_destroy(wgw_step_t *step);

/* Take one event in. An event that does not fit the phase of its row changes nothing. */
wgw_actions_t wgw_sup_step(wgw_step_t *step, wgw_event_t event, int64_t now_us);

typedef struct wgw_versions_t {
    uint32_t newest; /* of processes that are started now; at first 1 */
    uint32_t failed; /* the newest one, when the first process of it has failed; 0 it has not */
} wgw_versions_t;

wgw_versions_t wgw_sup_step_versions(const wgw_step_t *step);

/* How many places are to be filled. */
uint32_t wgw_sup_step_open_count(const wgw_step_t *step);

/* Tell whether any process serves, or is starting, or will be soon: it is worth waiting for. */
bool wgw_sup_step_is_up(const wgw_step_t *step, int64_t now_us);

/* Tell whether a process of any place is starting. */
bool wgw_sup_step_is_starting(const wgw_step_t *step);

/* The phase of a row. */
wgw_row_phase_t wgw_sup_step_phase(const wgw_step_t *step, uint32_t row);

/* Save what has happened so far, or restore it into a pool of the same configuration. */
void wgw_sup_step_move(wgw_step_t *step, wgw_state_t *state);

/* How long the place of a row waits before its next process; 0 when it is due, or has one. */
int64_t wgw_sup_step_wait_us(const wgw_step_t *step, uint32_t row, int64_t now_us);

#endif
