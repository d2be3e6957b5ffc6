/* A pool as people are shown it: its processes, their requests, its counters, as JSON.
 * docs/command.md says what each name means. Changes nothing. */
#ifndef WGW_SUPERVISOR_STATUS_H
#define WGW_SUPERVISOR_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "supervisor/look.h"
#include "supervisor/tally.h"

/* More requests of one pool are counted only. */
enum { WGW_STATUS_REQUESTS_MOST = 1000 };

typedef struct wgw_pool_status_t {
    const wgw_look_t *look;
    const wgw_tally_t *tally;
    uint32_t generation;
    bool is_ending;      /* it belongs to a configuration before, or httpd stops */
} wgw_pool_status_t;

/* Write an object for the pool. */
void wgw_sup_status_put(wgw_json_t *json, const wgw_pool_status_t *pool, int64_t now_us);

#endif
