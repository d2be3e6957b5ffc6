/* The pools of the configuration, by name. */
#include "server/pool.h"

#include <apr_strings.h>

#include "server/config.h"
#include "server/words.h"

apr_array_header_t *wgw_pools(server_rec *main_server)
{
    return wgw_server_config(main_server)->pools;
}

wgw_pool_t *wgw_pool_find(server_rec *main_server, const char *name)
{
    const apr_array_header_t *pools = wgw_pools(main_server);

    for (int i = 0; i < pools->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(pools, i, wgw_pool_t *)->name, name) == 0)
            return APR_ARRAY_IDX(pools, i, wgw_pool_t *);
    return NULL;
}

const char *wgw_pool_suggest(apr_pool_t *p, server_rec *main_server, const char *name)
{
    const apr_array_header_t *pools = wgw_pools(main_server);
    apr_array_header_t *names = apr_array_make(p, pools->nelts + 1, sizeof(const char *));

    for (int i = 0; i < pools->nelts; i++)
        APR_ARRAY_PUSH(names, const char *) = APR_ARRAY_IDX(pools, i, wgw_pool_t *)->name;
    const char *nearest = wgw_words_nearest(p, name, names);
    return nearest ? apr_psprintf(p, "; did you mean '%s'?", nearest) : ".";
}

bool wgw_pool_is_for(const wgw_pool_t *pool, const server_rec *s)
{
    return !pool->server->is_virtual || pool->server == s ||
           (s->server_hostname && pool->server->server_hostname &&
            ap_cstr_casecmp(s->server_hostname, pool->server->server_hostname) == 0);
}
