/* Which processes serve a request, and whether they may. */
#ifndef WGW_SERVER_ROUTE_H
#define WGW_SERVER_ROUTE_H

#include <httpd.h>

#include "server/config.h"
#include "server/pool.h"
#include "server/request.h"

/* Context: after the script was found (r->finfo).
 * Returns: OK, *pool_out NULL for embedded mode; HTTP_INTERNAL_SERVER_ERROR when there is no such
 * group, or it is not allowed here; HTTP_FORBIDDEN when the script is not as script-user= or
 * script-group= demands. Said in the log. */
int wgw_route(request_rec *r, const wgw_choice_t *choice, const wgw_pool_t **pool_out);

/* The same for a script that is asked. What the administrator says of it is not checked against
 * WSGIRestrictProcess and WSGIRestrictEmbedded, what .htaccess says is. */
int wgw_route_script(request_rec *r, const wgw_ask_script_t *script, const wgw_pool_t **pool_out);

#endif
