/* A thread that is given a request wakes while the httpd thread that has just sent it still
 * runs, and is about to wait. To preempt it costs two changes of context instead of one, which
 * is much of the price of a short request: measured, a sixth of hello's. SCHED_BATCH differs
 * from the usual policy in just that: it does not preempt at waking. A thread whose requests
 * take longer, or wait for a database, may need to, so it keeps the usual one. */
#include "worker/policy.h"

#include <sched.h>

enum { SHORT_US = 500, LONG_US = 1000, WEIGHT = 16 };
enum { MOST_US = 20000 }; /* one slow request must not count for a hundred */

static void set_policy(int policy)
{
    struct sched_param none = { .sched_priority = 0 };

    sched_setscheduler(0, policy, &none);
}

static void choose(wgw_policy_t *policy, bool is_batch)
{
    int from = is_batch ? SCHED_OTHER : SCHED_BATCH;

    policy->is_batch = is_batch;
    if (sched_getscheduler(0) != from) /* somebody else has chosen */
        return;
    set_policy(is_batch ? SCHED_BATCH : SCHED_OTHER);
}

void wgw_policy_note(wgw_policy_t *policy, int64_t took_us)
{
    if (took_us > MOST_US)
        took_us = MOST_US;
    policy->mean_us = policy->mean_us ? policy->mean_us + (took_us - policy->mean_us) / WEIGHT
                                      : MOST_US;
    if (policy->is_batch ? policy->mean_us > LONG_US : policy->mean_us < SHORT_US)
        choose(policy, !policy->is_batch);
}

void wgw_policy_forget(void)
{
    if (sched_getscheduler(0) == SCHED_BATCH)
        set_policy(SCHED_OTHER);
}
