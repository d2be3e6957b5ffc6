/* Which processes serve a request, and whether they may. */
#ifndef WGW_SERVER_ROUTE_H
#define WGW_SERVER_ROUTE_H

#include <httpd.h>

#include "server/pool.h"

/* Context: after the script was found (r->finfo).
 * Returns: OK, *pool_out NULL for embedded mode; HTTP_INTERNAL_SERVER_ERROR when there is no such
 * group, or it is not allowed here; HTTP_FORBIDDEN when the script is not as script-user= or
 * script-group= demands. Said in the log. */
int wgw_route(request_rec *r, const wgw_pool_t **pool_out);

#endif
