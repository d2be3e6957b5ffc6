/* Authentication and access by Python, as httpd's providers and hooks. */
#ifndef WGW_SERVER_AUTH_H
#define WGW_SERVER_AUTH_H

#include <apr_pools.h>

/* Register AuthBasicProvider wsgi, AuthDigestProvider wsgi, Require wsgi-group, and the hook behind
 * WSGIAccessScript. Context: register_hooks. */
void wgw_auth_register(apr_pool_t *p);

#endif
