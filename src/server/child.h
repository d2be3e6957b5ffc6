/* Embedded Python in one httpd child: loading it, and leaving it. */
#ifndef WGW_SERVER_CHILD_H
#define WGW_SERVER_CHILD_H

#include <httpd.h>

#include "server/pool.h"
#include "server/request.h"
#include "wsgigw/exchange.h"

/* Hook check_config: what needs all of the configuration to be known. */
int wgw_parent_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* Hook post_config: decide what each child needs. Python is never run in the parent. */
int wgw_parent_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* Hook child_init: start Python now if the configuration routes there. */
void wgw_child_init(apr_pool_t *pchild, server_rec *s);

/* Hook child_stopping: at an ungraceful stop, end Python or the process in bounded time,
 * also while httpd waits for a request that is in Python. */
void wgw_child_stopping(apr_pool_t *pchild, int graceful);

/* What the processes are that serve a request: those of a pool, or (NULL) httpd's children.
 * Context: after child_init. */
wgw_process_t wgw_process_of(const wgw_pool_t *pool);

/* Serve a request by embedded Python, which the first one starts.
 * Blocks: as the application does, and until request->deadline while Python starts.
 * Returns: as wgw_bridge_handle(). */
int wgw_child_handle(wgw_exchange_t *x);

#endif
