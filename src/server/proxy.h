/* Proxies in front of httpd, and what is believed of what they say: WSGITrustedProxies and
 * WSGITrustedProxyHeaders. What a value may be, exchange/forwarded.h says. */
#ifndef WGW_SERVER_PROXY_H
#define WGW_SERVER_PROXY_H

#include <httpd.h>

#include "exchange/forwarded.h"

/* Decide what to believe of the header fields of a request.
 * Lives: as long as r. Returns: NULL where no field is trusted, and all of them are as any other. */
const wgw_forwarded_t *wgw_proxy_read(request_rec *r);

/* Warn of servers that trust header fields, but from nobody. Context: post_config. */
void wgw_proxy_check(const server_rec *main_server);

#endif
