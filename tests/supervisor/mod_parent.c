/* A module for test_parent.py: parent.c in a real httpd, with pools from a directive of its own
 * and processes that worker.py plays.  WgwTestPool NAME WORKER WORK PLAN */
#include <unistd.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <mpm_common.h>

#include "server/module.h"
#include "server/parent.h"
#include "server/pool_spec.h"

module AP_MODULE_DECLARE_DATA wgwtest_module;

typedef struct {
    const char *supervisor, *prefix;
    apr_array_header_t *pools;
} config_t;

static void *make_config(apr_pool_t *p, server_rec *s)
{
    config_t *config = apr_pcalloc(p, sizeof *config);

    (void)s;
    config->pools = apr_array_make(p, 2, sizeof(wgw_pool_t *));
    return config;
}

static config_t *config_of(server_rec *s)
{
    return ap_get_module_config(s->module_config, &wgwtest_module);
}

static const char *set_supervisor(cmd_parms *cmd, void *dir, const char *path, const char *prefix)
{
    (void)dir;
    config_of(cmd->server)->supervisor = path;
    config_of(cmd->server)->prefix = prefix;
    return NULL;
}

static const char *add_pool(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    config_t *config = config_of(cmd->server);
    wgw_pool_t *pool = apr_pcalloc(cmd->pool, sizeof *pool);
    apr_array_header_t *env = apr_array_make(cmd->pool, 2, sizeof(const char *));

    (void)dir;
    if (argc != 4)
        return "four words";
    APR_ARRAY_PUSH(env, const char *) = apr_pstrcat(cmd->pool, "WGW_TEST_WORK=", argv[2], NULL);
    APR_ARRAY_PUSH(env, const char *) = apr_pstrcat(cmd->pool, "WGW_TEST_PLAN=", argv[3], NULL);
    *pool = (wgw_pool_t){ .name = argv[0], .server = cmd->server, .index = config->pools->nelts,
        .process_count = 2, .thread_count = 3, .uid = 65534, .gid = 65534, .python = argv[1],
        .env = env, .listen_backlog = 10, .graceful_timeout_us = 5000000,
        .shutdown_timeout_us = 1000000 };
    APR_ARRAY_PUSH(config->pools, wgw_pool_t *) = pool;
    return NULL;
}

void wgw_pool_spec_make(apr_pool_t *p, const wgw_pool_t *pool, wgw_pool_spec_t *spec_out)
{
    (void)p;
    *spec_out = (wgw_pool_spec_t){
        .name = pool->name, .server = "localhost", .process_count = 2,
        .row_count = pool->row_count, .entry_count = pool->entry_count,
        .socket_path = pool->socket_path, .socket_uid = WGW_SPEC_NONE, .listen_backlog = 10,
        .switches_user = geteuid() == 0, .uid = pool->uid, .gid = pool->gid,
        .umask = WGW_SPEC_NONE, .chroot = "", .home = "", .python = pool->python,
        .extension = "/nowhere/ext.so",
        .environment = { (const char *const *)pool->env->elts, (size_t)pool->env->nelts },
        .graceful_timeout_us = 5000000, .shutdown_timeout_us = 1000000, .log_level = 7,
        .worker = { pool->key, 64 },
    };
}

module *wgw_module_current(void)
{
    return &wgwtest_module;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    config_t *config = config_of(s);

    (void)plog, (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;
    return wgw_parent_start_pools(pconf, s, config->pools, config->supervisor, config->prefix);
}

static void child_init(apr_pool_t *p, server_rec *s)
{
    (void)p, (void)s;
    wgw_parent_child_init();
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(wgw_parent_monitor, NULL, NULL, APR_HOOK_MIDDLE);
}

static const command_rec commands[] = {
    AP_INIT_TAKE2("WgwTestSupervisor", set_supervisor, NULL, RSRC_CONF, "path, prefix"),
    AP_INIT_TAKE_ARGV("WgwTestPool", add_pool, NULL, RSRC_CONF, "name worker work plan"),
    { NULL },
};

module AP_MODULE_DECLARE_DATA wgwtest_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, make_config, NULL, commands, register_hooks, 0,
};
