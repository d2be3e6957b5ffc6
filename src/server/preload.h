/* What a process loads before its first request: aliases that name both of their groups, and
 * import scripts. */
#ifndef WGW_SERVER_PRELOAD_H
#define WGW_SERVER_PRELOAD_H

#include "server/pool.h"
#include "wsgigw/exchange.h"

typedef struct wgw_preload_of_t {
    wgw_target_t target;
    server_rec *server; /* whose log hears of it */
} wgw_preload_of_t;

/* Returns: wgw_preload_of_t of the processes of `pool`; NULL: of httpd's children. */
apr_array_header_t *wgw_preloads(apr_pool_t *p, server_rec *main_server, const wgw_pool_t *pool);

/* A number for what URLs are mapped to by aliases, of all servers. */
uint64_t wgw_mapping_hash(server_rec *main_server);

/* Tell whether httpd's children are to start Python before the first request for it. */
bool wgw_is_embedded_needed(server_rec *main_server);

#endif
