/* From a pool as it was declared to what the supervisor is told of it. */
#ifndef WGW_SERVER_POOL_SPEC_H
#define WGW_SERVER_POOL_SPEC_H

#include <httpd.h>

#include "server/pool.h"
#include "wire/spec.h"

/* Describe a pool whose row_count, entry_count, socket_path and key are set.
 * Borrows: what spec_out points to is the pool's, or lies in `p`. */
void wgw_pool_spec_make(apr_pool_t *p, const wgw_pool_t *pool, wgw_pool_spec_t *spec_out);

#endif
