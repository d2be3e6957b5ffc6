/* What a process has used, seen from outside. */
#ifndef WGW_SUPERVISOR_WEAR_H
#define WGW_SUPERVISOR_WEAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/spec.h"
#include "wsgigw/exec.h"

/* Of one process; zero at its start. */
typedef struct wgw_wear_t {
    uint64_t request_count; /* when it was looked at last */
    int64_t active_us;      /* when it was last seen to have done something */
    int64_t share_due_us;   /* when its share of memory may be added up again */
} wgw_wear_t;

/* Tell whether any option of a pool is about this. */
bool wgw_sup_wear_is_watched(const wgw_pool_spec_t *spec);

/* Look at a process that serves. `request_count`: that it has begun; `is_busy`: one is inside.
 * Returns: true when it is to be replaced, for *cause_out. */
bool wgw_sup_wear_look(wgw_wear_t *wear, const wgw_pool_spec_t *spec, pid_t pid,
                       uint64_t request_count, bool is_busy, int64_t now_us,
                       wgw_cause_t *cause_out);

#endif
