#include "server/pool_spec.h"

#include <stdlib.h>
#include <unistd.h>

#include <apr_strings.h>
#include <http_main.h>
#include <unixd.h>

#include "server/config.h"
#include "server/group.h"
#include "server/interp_options.h"
#include "server/interpreter.h"
#include "server/module.h"
#include "server/pool_options.h"
#include "server/preload.h"

static wgw_texts_t texts(const apr_array_header_t *array)
{
    return (wgw_texts_t){ .items = (const char *const *)array->elts, .count = (size_t)array->nelts };
}

static const char *text(const char *value)
{
    return value ? value : "";
}

/* --- environment ---------------------------------------------------------------------- */

/* Add NAME=value, in the place of what is there under this name. */
static void add_pair(apr_array_header_t *list, const char *pair)
{
    size_t len = strcspn(pair, "=") + 1;

    for (int i = 0; i < list->nelts; i++)
        if (strncmp(APR_ARRAY_IDX(list, i, const char *), pair, len) == 0) {
            APR_ARRAY_IDX(list, i, const char *) = pair;
            return;
        }
    APR_ARRAY_PUSH(list, const char *) = pair;
}

/* A value of NULL adds nothing. */
static void add(apr_array_header_t *list, const char *name, const char *value)
{
    if (value)
        add_pair(list, apr_pstrcat(list->pool, name, "=", value, NULL));
}

static void add_user(apr_array_header_t *list, const wgw_pool_t *pool)
{
    add(list, "HOME", pool->user_home ? pool->user_home : "/");
    add(list, "USER", pool->user_name);
    add(list, "LOGNAME", pool->user_name);
    add(list, "USERNAME", pool->user_name);
}

static apr_array_header_t *environment(apr_pool_t *p, const wgw_pool_t *pool)
{
    const char *seed = wgw_server_config(ap_server_conf)->python_hash_seed;
    apr_array_header_t *list = apr_array_make(p, 16, sizeof(const char *));

    add(list, "PATH", "/usr/local/bin:/usr/bin:/bin");
    add_user(list, pool);
    add(list, "LANG", pool->lang || pool->locale ? pool->lang : "C.UTF-8");
    add(list, "LC_ALL", pool->locale);
    add(list, "TZ", getenv("TZ"));
    add(list, "PYTHON_EGG_CACHE", pool->python_eggs);
    add(list, "PYTHONHASHSEED", seed && strcmp(seed, "random") != 0 ? seed : NULL);
    for (int i = 0; pool->pass_env && i < pool->pass_env->nelts; i++) {
        const char *name = APR_ARRAY_IDX(pool->pass_env, i, const char *);
        add(list, name, getenv(name));
    }
    for (int i = 0; pool->env && i < pool->env->nelts; i++)
        add_pair(list, APR_ARRAY_IDX(pool->env, i, const char *));
    return list;
}

/* --- the interpreter ------------------------------------------------------------------ */

/* What httpd's directives say of Python, as its ordinary arguments. */
static apr_array_header_t *python_args(apr_pool_t *p, const wgw_pool_t *pool)
{
    const wgw_server_config_t *conf = wgw_server_config(ap_server_conf);
    const apr_array_header_t *warnings = conf->python_warnings;
    apr_array_header_t *args = apr_array_make(p, 8, sizeof(const char *));

    if (conf->python_optimize > 0)
        APR_ARRAY_PUSH(args, const char *) = conf->python_optimize == 1 ? "-O" : "-OO";
    if (conf->dont_write_bytecode == 1)
        APR_ARRAY_PUSH(args, const char *) = "-B";
    if (wgw_interp_is_free_threaded(ap_server_conf, pool)) {
        APR_ARRAY_PUSH(args, const char *) = "-X";
        APR_ARRAY_PUSH(args, const char *) = WGW_FREE_THREADING;
    }
    for (int i = 0; warnings && i < warnings->nelts; i++) {
        APR_ARRAY_PUSH(args, const char *) = "-W";
        APR_ARRAY_PUSH(args, const char *) = APR_ARRAY_IDX(warnings, i, const char *);
    }
    return args;
}

/* For the front of sys.path. home= comes first there, where it is given. */
static apr_array_header_t *folders(apr_pool_t *p, const wgw_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(p, 4, sizeof(const char *));
    char *last = NULL;

    if (pool->home)
        APR_ARRAY_PUSH(list, const char *) = pool->home;
    for (char *folder = apr_strtok(apr_pstrdup(p, text(pool->python_path)), ":", &last); folder;
         folder = apr_strtok(NULL, ":", &last))
        APR_ARRAY_PUSH(list, const char *) = folder;
    return list;
}

static apr_array_header_t *preloads(apr_pool_t *p, const wgw_pool_t *pool)
{
    const apr_array_header_t *found = wgw_preloads(p, ap_server_conf, pool);
    apr_array_header_t *list = apr_array_make(p, 6, sizeof(const char *));

    for (int i = 0; i < found->nelts; i++) {
        const wgw_target_t *target = &APR_ARRAY_IDX(found, i, wgw_preload_of_t).target;
        APR_ARRAY_PUSH(list, const char *) = target->script ? "script" : "module";
        APR_ARRAY_PUSH(list, const char *) = target->script ? target->script : target->module;
        APR_ARRAY_PUSH(list, const char *) = target->group;
    }
    return list;
}

static apr_array_header_t *layers(apr_pool_t *p, const wgw_pool_t *pool)
{
    static const char *const FLAGS[] = { "off", "on" };
    const apr_array_header_t *found = wgw_interp_layers(p, ap_server_conf, pool);
    apr_array_header_t *list = apr_array_make(p, 8, sizeof(const char *));

    for (int i = 0; i < found->nelts; i++) {
        const wgw_layer_t *layer = &APR_ARRAY_IDX(found, i, wgw_layer_t);
        const char *path = "";
        for (size_t k = 0; k < layer->python_path_count; k++)
            path = apr_pstrcat(p, path, k ? ":" : "", layer->python_path[k], NULL);
        APR_ARRAY_PUSH(list, const char *) = layer->group ? apr_pstrcat(p, "=", layer->group, NULL) : "*";
        APR_ARRAY_PUSH(list, const char *) = layer->own_gil < 0 ? "" : FLAGS[layer->own_gil];
        APR_ARRAY_PUSH(list, const char *) = apr_psprintf(p, "%" APR_INT64_T_FMT,
                                                          (apr_int64_t)layer->switch_interval_us);
        APR_ARRAY_PUSH(list, const char *) = path;
    }
    return list;
}

/* --- the worker's record -------------------------------------------------------------- */

static wgw_numbers_t server_version(apr_pool_t *p)
{
    uint32_t *numbers = apr_palloc(p, 3 * sizeof *numbers);
    ap_version_t version;

    ap_get_server_revision(&version);
    numbers[0] = (uint32_t)version.major;
    numbers[1] = (uint32_t)version.minor;
    numbers[2] = (uint32_t)version.patch;
    return (wgw_numbers_t){ .items = numbers, .count = 3 };
}

static wgw_blob_t encode_worker(apr_pool_t *p, const wgw_worker_spec_t *spec)
{
    wgw_buffer_t buffer = { .data = NULL };

    wgw_worker_spec_encode(&buffer, spec);
    if (buffer.is_short)
        ap_abort_on_oom();
    wgw_blob_t blob = { .data = apr_pmemdup(p, buffer.data, buffer.len), .len = buffer.len };
    wgw_buffer_deinit(&buffer);
    return blob;
}

/* The longest Timeout of all servers: any of them may use the pool. */
static apr_interval_time_t client_timeout(void)
{
    apr_interval_time_t longest = 0;

    for (const server_rec *s = ap_server_conf; s; s = s->next)
        longest = s->timeout > longest ? s->timeout : longest;
    return longest;
}

static wgw_blob_t worker(apr_pool_t *p, const wgw_pool_t *pool)
{
    const char *main_group = wgw_group_find_main(p, ap_server_conf, pool);
    wgw_worker_spec_t spec = {
        .process_group = pool->name,
        .display_name = text(pool->display_name),
        .thread_count = (uint32_t)pool->thread_count,
        .maximum_requests = (uint32_t)pool->maximum_requests,
        .maximum_jitter = (uint32_t)pool->maximum_jitter,
        .stack_bytes = (uint64_t)pool->stack_bytes,
        .has_main_group = main_group != NULL,
        .main_group = text(main_group),
        .interpreter_limit = (uint32_t)wgw_server_config(ap_server_conf)->group_limit,
        .python_path = texts(folders(p, pool)),
        .preloads = texts(preloads(p, pool)),
        .server_version = server_version(p),
        .response_buffer_bytes = (uint64_t)pool->response_buffer_bytes,
        .socket_timeout_us = (uint64_t)pool->socket_timeout_us,
        .client_timeout_us = (uint64_t)client_timeout(),
        .graceful_timeout_us = (uint64_t)pool->graceful_timeout_us,
        .shutdown_timeout_us = (uint64_t)pool->shutdown_timeout_us,
        .request_timeout_us = (uint64_t)pool->request_timeout_us,
        .interrupt_timeout_us = (uint64_t)pool->interrupt_timeout_us,
        .deadlock_timeout_us = (uint64_t)pool->deadlock_timeout_us,
        .layers = texts(layers(p, pool)),
        .keeps_interpreters = !wgw_server_config(ap_server_conf)->destroys,
        .shares_user = wgw_is_root() && pool->uid == ap_unixd_config.user_id,
        .locale = text(pool->locale),
        .key = pool->key,
    };

    return encode_worker(p, &spec);
}

/* --- the pool's record ---------------------------------------------------------------- */

/* A user who is not httpd's starts at home, where there is one. */
static const char *home(apr_pool_t *p, const wgw_pool_t *pool)
{
    if (pool->home)
        return pool->home;
    if (!wgw_is_root() || pool->uid == ap_unixd_config.user_id || !pool->user_home ||
        pool->user_home[0] != '/' || wgw_path_check(p, pool->chroot, pool->user_home, APR_DIR))
        return "/";
    return pool->user_home;
}

/* httpd's levels go beyond those of syslog, in both directions. */
static uint32_t log_level(const wgw_pool_t *pool)
{
    int level = ap_get_server_module_loglevel(pool->server, APLOG_MODULE_INDEX);

    return (uint32_t)(level < WGW_LOG_CRIT ? WGW_LOG_CRIT
                                           : level > WGW_LOG_DEBUG ? WGW_LOG_DEBUG : level);
}

static void set_process(apr_pool_t *p, const wgw_pool_t *pool, wgw_pool_spec_t *spec)
{
    bool is_root = wgw_is_root();

    spec->switches_user = is_root;
    spec->uid = pool->uid;
    spec->gid = pool->gid;
    spec->groups = (wgw_numbers_t){ .items = (const uint32_t *)(const void *)pool->groups->elts,
                                    .count = (size_t)pool->groups->nelts };
    spec->umask = pool->umask < 0 ? WGW_SPEC_NONE : (uint32_t)pool->umask;
    spec->chroot = text(pool->chroot);
    spec->home = home(p, pool);
    spec->nice = (uint32_t)pool->nice;
    spec->memory_limit = (uint64_t)pool->memory_limit;
    spec->virtual_memory_limit = (uint64_t)pool->virtual_memory_limit;
    spec->keeps_privileges = pool->keeps_privileges;
    spec->python = pool->python;
    spec->python_args = texts(python_args(p, pool));
    spec->extension = wgw_daemon_extension_path(ap_server_conf);
    spec->environment = texts(environment(p, pool));
}

void wgw_pool_spec_make(apr_pool_t *p, const wgw_pool_t *pool, wgw_pool_spec_t *spec_out)
{
    *spec_out = (wgw_pool_spec_t){
        .name = pool->name,
        .server = text(pool->server->server_hostname),
        .process_count = (uint32_t)pool->process_count,
        .process_least = (uint32_t)pool->process_least,
        .idle_timeout_us = (uint64_t)pool->idle_timeout_us,
        .mapping = wgw_mapping_hash(ap_server_conf),
        .is_service = pool->thread_count == 0,
        .keeps_on_graceful = pool->keeps_on_graceful,
        .restart_interval_us = (uint64_t)pool->restart_interval_us,
        .inactivity_timeout_us = (uint64_t)pool->inactivity_timeout_us,
        .cpu_time_limit_us = (uint64_t)pool->cpu_time_limit_us,
        .memory_reload_bytes = (uint64_t)pool->memory_reload_bytes,
        .row_count = pool->row_count,
        .entry_count = pool->entry_count,
        .socket_path = text(pool->socket_path),
        .socket_uid = wgw_is_root() ? pool->socket_uid : WGW_SPEC_NONE,
        .listen_backlog = (uint32_t)pool->listen_backlog,
        .send_buffer_bytes = (uint32_t)pool->send_buffer_bytes,
        .receive_buffer_bytes = (uint32_t)pool->receive_buffer_bytes,
        .startup_timeout_us = (uint64_t)pool->startup_timeout_us,
        .graceful_timeout_us = (uint64_t)pool->graceful_timeout_us,
        .shutdown_timeout_us = (uint64_t)pool->shutdown_timeout_us,
        .eviction_timeout_us = (uint64_t)pool->eviction_timeout_us,
        .deadlock_timeout_us = (uint64_t)pool->deadlock_timeout_us,
        .log_level = log_level(pool),
        .worker = worker(p, pool),
    };
    set_process(p, pool, spec_out);
}
