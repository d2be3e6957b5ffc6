/* How a thread of a daemon process competes for a processor. */
#ifndef WGW_WORKER_POLICY_H
#define WGW_WORKER_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* Of one thread, which alone looks at it; zero at its start. */
typedef struct wgw_policy_t {
    int64_t mean_us; /* moving mean of its requests; 0 none yet */
    bool is_batch;   /* SCHED_BATCH is set */
} wgw_policy_t;

/* Take a request into account that took the calling thread `took_us`. */
void wgw_policy_note(wgw_policy_t *policy, int64_t took_us);

/* In a forked copy of the thread: it competes as any program. */
void wgw_policy_forget(void);

#endif
