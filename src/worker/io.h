/* The I/O thread of a daemon process: output that waits for slow peers, what the
 * supervisor says, signals, and the bound on the end of the process. */
#ifndef WGW_WORKER_IO_H
#define WGW_WORKER_IO_H

#include <stdbool.h>
#include <stddef.h>

/* Make the descriptors, install the signal handlers, start the thread.
 * Returns: false, said in the log. */
bool wgw_io_start(void);

/* Have the thread look at the time again: the process is leaving. Context: any thread. */
void wgw_io_look_again(void);

/* In a forked copy: signals have their default effect again. */
void wgw_io_forget_signals(void);

/* Start a thread that nobody joins, with all signals blocked. Context: any thread.
 * Returns: false when there is none to be had. */
bool wgw_wrk_start_thread(void *(*run)(void *), void *ctx);

/* Send one message to the supervisor. Context: any thread. Blocks: never. */
void wgw_io_tell(const char *message, size_t len);

#endif
