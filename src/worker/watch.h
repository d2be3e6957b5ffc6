/* The watchdog inside a daemon process: requests that have had their time (request-timeout), and
 * an interpreter that is not to be had (deadlock-timeout).
 *
 * The I/O thread looks at the time. Visitors (worker/visit.h) do what needs an interpreter. An
 * attendant, a thread for each dump, has Python's stacks written and logs them. */
#ifndef WGW_WORKER_WATCH_H
#define WGW_WORKER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/slot.h"

/* Have faulthandler dump stacks at a signal of ours, where somebody may ask for them. Trouble is
 * logged. Context: attached to the main interpreter. */
void wgw_py_watch_init(void);

/* Begin to watch. Context: the process has appeared, and its threads have not been started. */
void wgw_watch_start(void);

/* Note that the calling thread, the `number`th, serves requests.
 * Returns: its slot; NULL when requests have no end. */
wgw_slot_t *wgw_watch_join(uint32_t number);

/* Look at requests and at the interpreter. Context: the I/O thread.
 * Returns: when to look again, monotonic; INT64_MAX never. Does not return when nothing is left
 * in a process that leaves but requests that have had their time. */
int64_t wgw_watch_look(int64_t now_us);

/* In a forked copy. */
void wgw_watch_forget(void);

#endif
