/* A pool as the supervisor and its processes hear of it. */
#ifndef WGW_SERVER_POOL_SPEC_H
#define WGW_SERVER_POOL_SPEC_H

#include "server/pool.h"

/* Make the record of a pool, its worker's record with it.
 * Lives: as long as p and the configuration. Context: post_config, after the fields of this
 * generation were set (row_count, entry_count, socket_path, key). */
void wgw_pool_spec_make(apr_pool_t *p, const wgw_pool_t *pool, wgw_pool_spec_t *spec_out);

#endif
