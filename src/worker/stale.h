/* Scripts whose file has changed since this process has loaded them. */
#ifndef WGW_WORKER_STALE_H
#define WGW_WORKER_STALE_H

#include "wsgigw/exchange.h"

/* Whether what is loaded will do for a request is its target's `is_reloading`: httpd says no (false)
 * once the new code could not be started, and from then on that holds for every request that has
 * seen the same file. Context: before the request is given to the bridge. */
void wgw_stale_adjust(wgw_target_t *target);

/* A request was given back by the bridge as WGW_BRIDGE_STALE: tell the supervisor. */
void wgw_stale_report(const wgw_target_t *target);

#endif
