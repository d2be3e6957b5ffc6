#include "server/module.h"

static module *current;
static bool is_doubled;
static bool is_forgotten; /* the configuration that loaded it is gone */

module *wgw_module_current(void)
{
    return current;
}

bool wgw_module_is_doubled(void)
{
    return is_doubled;
}

/* The record itself stays known: a thread may log to the very end. */
static apr_status_t forget(void *unused)
{
    (void)unused;
    is_forgotten = true;
    return APR_SUCCESS;
}

void wgw_module_set_current(module *m, apr_pool_t *p)
{
    is_doubled = current && current != m && !is_forgotten;
    is_forgotten = false;
    current = m;
    apr_pool_cleanup_register(p, NULL, forget, apr_pool_cleanup_null);
}
