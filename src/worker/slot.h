/* A thread of the process, as those see it that watch over it: which request it is in, and when
 * that ends. Pure but for its atomics. */
#ifndef WGW_WORKER_SLOT_H
#define WGW_WORKER_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wsgigw/bridge.h"

typedef enum wgw_slot_stage_t {
    WGW_SLOT_IN_TIME,
    WGW_SLOT_LATE,    /* its end has come */
    WGW_SLOT_OVERDUE  /* and it has had its time after that */
} wgw_slot_stage_t;

typedef struct wgw_slot_t {
    /* Written by the thread itself. */
    _Atomic pid_t tid;         /* constant once it runs; 0 before */
    wgw_spot_t spot;
    _Atomic uint64_t serial;   /* odd while a request with an end is inside; another one for each */
    _Atomic int64_t ends_us;   /* of that request, monotonic */
    _Atomic uint32_t entry;    /* of that request, in the scoreboard */
    /* Written by others. */
    _Atomic uint64_t to_interrupt; /* serial of a request that is to be interrupted; 0 none */
    uint64_t seen;             /* the I/O thread's: what `stage` is about */
    wgw_slot_stage_t stage;
} wgw_slot_t;

/* A request begins and ends. Context: the slot's thread. */
void wgw_slot_enter(wgw_slot_t *slot, int64_t ends_us, uint32_t entry);
void wgw_slot_leave(wgw_slot_t *slot);

/* Tell whether the request is inside still. Context: any thread. */
bool wgw_slot_is_in(wgw_slot_t *slot, uint64_t serial);

/* Look at the time. `grace_us`: from the end of a request until it is overdue. *wake_us is lowered
 * to when there is something new. Context: the I/O thread.
 * Returns: true when the request has reached slot->stage since the last look, one at a time. */
bool wgw_slot_look(wgw_slot_t *slot, int64_t now_us, int64_t grace_us, int64_t *wake_us);

#endif
