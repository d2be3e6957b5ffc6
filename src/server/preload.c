#include "server/preload.h"

#include "base/hash.h"
#include "server/alias.h"
#include "server/config.h"
#include "server/group.h"

/* --- aliases -------------------------------------------------------------------------- */

static bool is_named(const char *text, const wgw_pool_t *pool)
{
    return strcmp(text, pool ? pool->name : "%{GLOBAL}") == 0;
}

static bool is_preloaded(const wgw_alias_t *alias, const wgw_pool_t *pool)
{
    return alias->process_group && is_named(alias->process_group, pool) &&
           alias->application_group && !alias->is_folder &&
           !(alias->regex && strchr(alias->target, '$')) &&
           (!wgw_is_token(alias->application_group) ||
            strcmp(alias->application_group, "%{GLOBAL}") == 0);
}

static wgw_target_t target_of(const wgw_alias_t *alias)
{
    bool is_global = strcmp(alias->application_group, "%{GLOBAL}") == 0;

    return (wgw_target_t){
        .script = alias->kind == WGW_ALIAS_MODULE ? NULL : alias->target,
        .module = alias->kind == WGW_ALIAS_MODULE ? alias->target : NULL,
        .callable = NULL,
        .group = is_global ? "" : alias->application_group,
    };
}

static void add_aliases(apr_array_header_t *preloads, server_rec *s, const wgw_pool_t *pool)
{
    const apr_array_header_t *aliases = wgw_server_config(s)->aliases;

    for (int i = 0; i < aliases->nelts; i++) {
        const wgw_alias_t *alias = APR_ARRAY_IDX(aliases, i, wgw_alias_t *);
        if (alias->server == s && is_preloaded(alias, pool))
            APR_ARRAY_PUSH(preloads, wgw_preload_of_t) =
                (wgw_preload_of_t){ .target = target_of(alias), .server = s };
    }
}

/* --- scripts that are asked ----------------------------------------------------------- */

static bool is_in(const wgw_ask_script_t *script, const wgw_pool_t *pool)
{
    if (!script->process_group || !pool)
        return !script->process_group && !pool;
    return strcmp(script->process_group, pool->name) == 0;
}

/* Those whose interpreter is said. */
static void add_ask_scripts(apr_array_header_t *preloads, server_rec *main_server, const wgw_pool_t *pool)
{
    const apr_array_header_t *scripts = wgw_server_config(main_server)->ask_scripts;

    for (int i = 0; i < scripts->nelts; i++) {
        const wgw_ask_script_t *script = APR_ARRAY_IDX(scripts, i, wgw_ask_script_t *);
        const char *group = script->application_group;
        bool is_global = group && strcmp(group, "%{GLOBAL}") == 0;
        if (is_in(script, pool) && group && (is_global || !wgw_is_token(group)))
            APR_ARRAY_PUSH(preloads, wgw_preload_of_t) = (wgw_preload_of_t){
                .target = { .script = script->path, .group = is_global ? "" : group },
                .server = script->server
            };
    }
}

/* --- all of them ---------------------------------------------------------------------- */

apr_array_header_t *wgw_preloads(apr_pool_t *p, server_rec *main_server, const wgw_pool_t *pool)
{
    apr_array_header_t *preloads = apr_array_make(p, 4, sizeof(wgw_preload_of_t));
    const apr_array_header_t *imports = wgw_server_config(main_server)->imports;

    for (int i = 0; i < imports->nelts; i++) {
        const wgw_import_t *import = &APR_ARRAY_IDX(imports, i, wgw_import_t);
        if (wgw_group_imports(import, pool))
            APR_ARRAY_PUSH(preloads, wgw_preload_of_t) = (wgw_preload_of_t){
                .target = { .script = import->script, .group = import->application_group },
                .server = import->server
            };
    }
    for (server_rec *s = main_server; s; s = s->next)
        add_aliases(preloads, s, pool);
    add_ask_scripts(preloads, main_server, pool);
    return preloads;
}

/* --- whether there is embedded mode --------------------------------------------------- */

static bool has_embedded_alias(const server_rec *s)
{
    const apr_array_header_t *aliases = wgw_server_config(s)->aliases;

    for (int i = 0; i < aliases->nelts; i++)
        if (is_named(wgw_process_group_text(
                         s, APR_ARRAY_IDX(aliases, i, wgw_alias_t *)->process_group), NULL))
            return true;
    return false;
}

bool wgw_is_embedded_needed(server_rec *main_server)
{
    const wgw_server_config_t *conf = wgw_server_config(main_server);

    for (int i = 0; i < conf->imports->nelts; i++)
        if (wgw_group_imports(&APR_ARRAY_IDX(conf->imports, i, wgw_import_t), NULL))
            return true;
    for (int i = 0; i < conf->ask_scripts->nelts; i++)
        if (is_in(APR_ARRAY_IDX(conf->ask_scripts, i, wgw_ask_script_t *), NULL))
            return true;
    if (conf->restricts_embedded == 1)
        return false;
    for (const server_rec *s = main_server; s; s = s->next)
        if (has_embedded_alias(s))
            return true;
    return false;
}

/* With the NUL, which is all of a text that is not there. */
static uint64_t add_text(uint64_t hash, const char *text)
{
    return wgw_hash_add(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

uint64_t wgw_mapping_hash(server_rec *main_server)
{
    uint64_t hash = WGW_HASH_BEGIN;

    for (server_rec *s = main_server; s; s = s->next) {
        const apr_array_header_t *aliases = wgw_server_config(s)->aliases;
        for (int i = 0; i < aliases->nelts; i++) {
            const wgw_alias_t *alias = APR_ARRAY_IDX(aliases, i, wgw_alias_t *);
            hash = add_text(add_text(hash, alias->location), alias->target);
            hash = add_text(add_text(hash, alias->callable), alias->application_group);
            hash = add_text(hash, alias->process_group);
        }
    }
    return hash;
}
