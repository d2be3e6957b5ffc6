/* The end of a child that nobody watches. */
#ifndef WGW_SUPERVISOR_CHILD_H
#define WGW_SUPERVISOR_CHILD_H

#include <stdint.h>
#include <sys/types.h>

/* Wait for its end, and kill it at the timeout. One that cannot be killed, as its system call cannot be
 * interrupted, is left to be a zombie some day. Blocks: a second longer than the timeout at most.
 * Returns: as of waitpid(); or -1. */
int wgw_sup_child_wait(pid_t pid, int64_t timeout_us);

#endif
