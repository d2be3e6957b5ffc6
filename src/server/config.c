/* Creating and merging; which fields there are, the option table says. */
#include "server/config.h"

#include <apr_strings.h>

#include "server/module.h"
#include "server/options.h"

void *wgw_dir_config_create(apr_pool_t *p, char *path)
{
    wgw_dir_config_t *conf = apr_pcalloc(p, sizeof *conf);

    (void)path;
    wgw_options_unset(WGW_IN_DIR, conf);
    return conf;
}

void *wgw_dir_config_merge(apr_pool_t *p, void *base, void *add)
{
    wgw_dir_config_t *conf = apr_pmemdup(p, add, sizeof *conf);

    wgw_options_merge(WGW_IN_DIR, p, conf, base);
    return conf;
}

void *wgw_server_config_create(apr_pool_t *p, server_rec *s)
{
    wgw_server_config_t *conf = apr_pcalloc(p, sizeof *conf);

    (void)s;
    conf->aliases = apr_array_make(p, 4, sizeof(void *));
    conf->dir_groups = apr_array_make(p, 2, sizeof(const char *));
    conf->pools = apr_array_make(p, 2, sizeof(void *));
    conf->group_uses = apr_array_make(p, 2, sizeof(wgw_group_use_t));
    conf->imports = apr_array_make(p, 2, sizeof(wgw_import_t));
    conf->ask_scripts = apr_array_make(p, 2, sizeof(void *));
    conf->interp_options = apr_array_make(p, 2, sizeof(void *));
    wgw_options_unset(WGW_IN_SERVER, conf);
    return conf;
}

/* A virtual host's own aliases come first, then the main server's; the first match wins. */
void *wgw_server_config_merge(apr_pool_t *p, void *base, void *add)
{
    wgw_server_config_t *conf = apr_pmemdup(p, add, sizeof *conf);

    wgw_options_merge(WGW_IN_SERVER, p, conf, base);
    conf->aliases = apr_array_append(p, ((wgw_server_config_t *)add)->aliases,
                                     ((wgw_server_config_t *)base)->aliases);
    return conf;
}

const wgw_dir_config_t *wgw_dir_config(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, wgw_module_current());
}

wgw_server_config_t *wgw_server_config(const server_rec *s)
{
    return ap_get_module_config(s->module_config, wgw_module_current());
}

const char *wgw_process_group_text(const server_rec *s, const char *of_alias)
{
    const wgw_dir_config_t *dir = ap_get_module_config(s->lookup_defaults, wgw_module_current());

    if (of_alias)
        return of_alias;
    return dir->process_group ? dir->process_group : "%{GLOBAL}";
}

const char *wgw_embedded_library_path(const server_rec *main_server)
{
    const char *path = wgw_server_config(main_server)->embedded_library;

    return path ? path : WGW_LIBDIR "/wsgigw_embedded.so";
}

const char *wgw_supervisor_path(const server_rec *main_server)
{
    const char *path = wgw_server_config(main_server)->supervisor;

    return path ? path : WGW_LIBDIR "/wsgigw-supervisor";
}

const char *wgw_daemon_extension_path(const server_rec *main_server)
{
    const char *path = wgw_server_config(main_server)->daemon_extension;

    return path ? path : WGW_LIBDIR "/_wsgigw.abi3.so";
}
