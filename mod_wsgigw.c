/* mod_wsgigw: the module records and the registration of its hooks; nothing else.
 *
 * There are two records, so that the one file can be loaded as wsgigw_module
 * and, in configurations written for mod_wsgi, as wsgi_module: then <IfModule
 * mod_wsgi.c>, <IfModule wsgi_module> and LogLevel wsgi:info match. */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

#include "server/alias.h"
#include "server/auth.h"
#include "server/child.h"
#include "server/config.h"
#include "server/handler.h"
#include "server/module.h"
#include "server/options.h"
#include "server/parent.h"

#define EXPORTED __attribute__((visibility("default")))

extern module AP_MODULE_DECLARE_DATA wsgigw_module EXPORTED;
extern module AP_MODULE_DECLARE_DATA wsgi_module EXPORTED;

static void register_hooks(apr_pool_t *p)
{
    static const char *const after[] = { "mod_alias.c", NULL };
    static const char *const before[] = { "mod_userdir.c", "mod_vhost_alias.c", NULL };

    ap_hook_check_config(wgw_parent_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(wgw_parent_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(wgw_parent_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    /* First: its cleanup, which may have to end the process, then comes after all others. */
    ap_hook_child_init(wgw_child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
    ap_hook_child_stopping(wgw_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
#endif
    ap_hook_translate_name(wgw_alias_translate, after, before, APR_HOOK_MIDDLE);
    ap_hook_map_to_storage(wgw_alias_map_to_storage, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_type_checker(wgw_alias_type_checker, NULL, NULL, APR_HOOK_FIRST);
    wgw_auth_register(p);
    ap_hook_handler(wgw_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

static void register_wsgigw_hooks(apr_pool_t *p)
{
    wgw_module_set_current(&wsgigw_module, p);
    register_hooks(p);
}

static void register_wsgi_hooks(apr_pool_t *p)
{
    wgw_module_set_current(&wsgi_module, p);
    register_hooks(p);
}

/* STANDARD20_MODULE_STUFF with a name of our choice instead of this file's. */
#define MODULE_STUFF(name) \
    MODULE_MAGIC_NUMBER_MAJOR, MODULE_MAGIC_NUMBER_MINOR, -1, name, NULL, NULL, \
        MODULE_MAGIC_COOKIE, NULL

module AP_MODULE_DECLARE_DATA wsgigw_module = {
    MODULE_STUFF("mod_wsgigw.c"),
    wgw_dir_config_create,
    wgw_dir_config_merge,
    wgw_server_config_create,
    wgw_server_config_merge,
    wgw_commands,
    register_wsgigw_hooks,
    0,
};

module AP_MODULE_DECLARE_DATA wsgi_module = {
    MODULE_STUFF("mod_wsgi.c"),
    wgw_dir_config_create,
    wgw_dir_config_merge,
    wgw_server_config_create,
    wgw_server_config_merge,
    wgw_commands,
    register_wsgi_hooks,
    0,
};
