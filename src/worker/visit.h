/* Visitors: threads that attach to interpreters once a second, so that it is known whether these are
 * to be had, and do what needs one: interrupts, and keeping it while it is dumped.
 *
 * One for each GIL: the main interpreter's, which all share that have none of their own, and that of
 * each interpreter that has one. */
#ifndef WGW_WORKER_VISIT_H
#define WGW_WORKER_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/slot.h"

/* A GIL, by its interpreter, has not been to be had for deadlock-timeout. */
typedef void wgw_visit_stuck_fn(wgw_interp_t *gil);

/* Begin. `slots`: of each thread; NULL where requests have no end. */
void wgw_visit_start(wgw_slot_t *slots);
bool wgw_visit_is_begun(void);

/* Interrupts are asked for: come at once. Context: any thread. */
void wgw_visit_call(void);

/* Have a visitor attach to an interpreter and stay, if that is possible soon. One at a time.
 * Blocks: at most a second. */
void wgw_visit_hold(wgw_interp_t *interp);
void wgw_visit_let_go(void);

/* Give each interpreter that has come since the last look its visitor, and find GILs that are not to
 * be had; each is told once. Context: the I/O thread. Returns: when to look again, monotonic. */
int64_t wgw_visit_look(int64_t now_us, wgw_visit_stuck_fn *stuck);

#endif
