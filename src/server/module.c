#include "server/module.h"

static module *current;
static bool is_doubled;

module *wgw_module_current(void)
{
    return current;
}

bool wgw_module_is_doubled(void)
{
    return is_doubled;
}

static apr_status_t forget(void *unused)
{
    (void)unused;
    current = NULL;
    is_doubled = false;
    return APR_SUCCESS;
}

void wgw_module_set_current(module *m, apr_pool_t *p)
{
    is_doubled = current && current != m;
    current = m;
    apr_pool_cleanup_register(p, NULL, forget, apr_pool_cleanup_null);
}
