/* One daemon process: what its threads share. */
#ifndef WGW_WORKER_WORKER_H
#define WGW_WORKER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/log.h"
#include "wire/spec.h"
#include "wsgigw/bridge.h"
#include "wsgigw/exec.h"
#include "wsgigw/scoreboard.h"

typedef struct wgw_wrk_t {
    wgw_worker_spec_t spec;       /* constant once START was read */
    wgw_bridge_t *bridge;
    wgw_bridge_config_t bridge_config;
    wgw_log_sink_t sink;          /* the log pipe */

    wgw_board_t *board;           /* of the pool; hostile to others, ours to read */
    wgw_row_t *row;               /* ours in it */
    wgw_entry_t *entries;
    uint32_t entry_count;
    uint32_t row_number, epoch;
    uint64_t request_most;        /* after which it asks for a successor */

    int events;                   /* epoll: listener and idle connections, waited on by all threads */
    int wake;                     /* eventfd in `events`: readable for good once threads are to end */
    int io_events;                /* epoll: control, signals, connections with output waiting */
    int signals[2];               /* pipe: a byte for each signal */

    bool is_copy;                 /* in a forked copy of the process */

    pthread_mutex_t lock;         /* for what follows */
    pthread_cond_t changed;
    int thread_count;             /* threads that are running */
    bool is_leaving;              /* takes nothing new */
    bool is_over;                 /* the threads are told to end */
    wgw_deadline_t leave_by;      /* until when it may finish what it has */
    wgw_deadline_t exit_by;       /* until when it has to be gone */
    atomic_bool is_refusing;      /* as is_leaving, for threads to look at without the lock */
    atomic_int busy_count;        /* requests inside, until their last byte was sent */

    atomic_size_t queued_bytes;   /* of output in memory, over all connections */
} wgw_wrk_t;

/* The process; one, because signal handlers and fork handlers have no argument. */
extern wgw_wrk_t wgw_wrk;

/* Begin to leave: take nothing new; finish until `leave_by`, be gone at `exit_by`. A second
 * call can only shorten. Context: any thread. */
void wgw_wrk_leave(wgw_leave_reason_t reason, int64_t leave_us, int64_t exit_us);

/* Ask the supervisor for a successor; this process serves until that is ready. Only the first
 * cause is told. Context: any thread. Blocks: never. */
void wgw_wrk_want(wgw_cause_t cause);

/* One request more or less is inside. */
void wgw_wrk_count_in(void);
void wgw_wrk_count_out(void);

/* Python runs for one request more or less, as others see it in the scoreboard. */
void wgw_wrk_count_inside(void);
void wgw_wrk_count_outside(void);

/* A thread of ours is idle again: tell those that wait for one. */
void wgw_wrk_idle(void);

#endif
