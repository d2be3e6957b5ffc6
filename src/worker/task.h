/* What a thread of this process is doing, as the kernel says it. Runs no Python. */
#ifndef WGW_WORKER_TASK_H
#define WGW_WORKER_TASK_H

#include <stddef.h>
#include <sys/types.h>

/* Describe it in words, for "the thread is ...": "running on a processor", "waiting in the system
 * call flock (locks_lock_inode_wait)". Context: any thread. Blocks: never.
 * Returns: text, which is "gone" when the thread is no more. */
const char *wgw_task_describe(pid_t tid, char *text, size_t size);

#endif
