#include "server/group.h"

#include <stdlib.h>

#include <ap_listen.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>
#include <http_protocol.h>

#include "server/ask.h"
#include "server/module.h"

bool wgw_is_token(const char *text)
{
    return text[0] == '%' && text[1] == '{';
}

bool wgw_is_env_token(const char *text)
{
    size_t len = strlen(text);

    return len > 7 && strncmp(text, "%{ENV:", 6) == 0 && text[len - 1] == '}';
}

const char *wgw_group_check(apr_pool_t *p, const char *text)
{
    static const char *const TOKENS[] = { "%{GLOBAL}", "%{SERVER}", "%{RESOURCE}", "%{HOST}" };

    if (!*text)
        return "an empty name is not allowed; the main interpreter is %{GLOBAL}";
    if (!wgw_is_token(text) || wgw_is_env_token(text))
        return NULL;
    for (size_t i = 0; i < sizeof TOKENS / sizeof *TOKENS; i++)
        if (strcmp(text, TOKENS[i]) == 0)
            return NULL;
    return apr_psprintf(p, "'%s' is not a token; allowed are a name, %%{GLOBAL}, %%{SERVER}, "
                        "%%{RESOURCE}, %%{HOST} and %%{ENV:variable}", text);
}

/* --- for a request -------------------------------------------------------------------- */

const char *wgw_env_expand(request_rec *r, const char *text)
{
    if (!wgw_is_env_token(text))
        return text;
    const char *name = apr_pstrmemdup(r->pool, text + 6, strlen(text) - 7);
    const char *value = apr_table_get(r->notes, name);
    if (!value)
        value = apr_table_get(r->subprocess_env, name);
    return value ? value : getenv(name);
}

static const char *with_port(apr_pool_t *p, const char *host, apr_port_t port)
{
    if (port == DEFAULT_HTTP_PORT || port == DEFAULT_HTTPS_PORT)
        return host;
    return apr_psprintf(p, "%s:%u", host, port);
}

/* Only what the configuration says: the port that a Host header names would let a client
 * make interpreters. */
static const char *server_name(request_rec *r)
{
    apr_port_t port = r->server->port ? r->server->port : r->connection->local_addr->port;

    return with_port(r->pool, r->server->server_hostname, port);
}

static const char *host_name(request_rec *r)
{
    apr_port_t port = r->parsed_uri.port_str ? r->parsed_uri.port
                                             : r->connection->local_addr->port;
    const char *host = r->hostname ? r->hostname : r->server->server_hostname;

    return with_port(r->pool, host, port);
}

const char *wgw_group_expand(request_rec *r, const char *text, const char *script_name)
{
    const char *value = wgw_env_expand(r, text);

    if (!value)
        return text; /* mod_wsgi's documented habit: the token becomes the name */
    if (strcmp(value, "%{GLOBAL}") == 0)
        return "";
    if (strcmp(value, "%{SERVER}") == 0)
        return server_name(r);
    if (strcmp(value, "%{HOST}") == 0)
        return host_name(r);
    if (strcmp(value, "%{RESOURCE}") == 0)
        return apr_pstrcat(r->pool, server_name(r), "|", script_name, NULL);
    return value;
}

/* --- for the configuration ------------------------------------------------------------ */

void wgw_group_note_use(cmd_parms *cmd, const char *text)
{
    APR_ARRAY_PUSH(wgw_server_config(ap_server_conf)->group_uses, wgw_group_use_t) =
        (wgw_group_use_t){ .directive = cmd->cmd->name, .group = text, .server = cmd->server,
                           .is_in_directory = cmd->path != NULL,
                           .file = cmd->directive->filename, .line = cmd->directive->line_num };
}

/* Whether a text can become this process group. */
static bool may_be(const char *text, const wgw_pool_t *pool)
{
    if (strcmp(text, "%{GLOBAL}") == 0)
        return !pool;
    if (wgw_is_token(text)) /* a server's name is never empty, a variable can say %{GLOBAL} */
        return pool || wgw_is_env_token(text);
    return pool && strcmp(text, pool->name) == 0;
}

bool wgw_group_may_run(server_rec *main_server, const server_rec *s, const wgw_alias_t *alias,
                       const wgw_pool_t *pool)
{
    const apr_array_header_t *uses = wgw_server_config(main_server)->group_uses;

    if (pool && !wgw_pool_is_for(pool, s))
        return false;
    if (may_be(wgw_process_group_text(s, alias->process_group), pool))
        return true;
    for (int i = 0; i < uses->nelts && !alias->process_group; i++) {
        const wgw_group_use_t *use = &APR_ARRAY_IDX(uses, i, wgw_group_use_t);
        if (use->is_in_directory && may_be(use->group, pool))
            return true;
    }
    return false;
}

bool wgw_group_imports(const wgw_import_t *import, const wgw_pool_t *pool)
{
    return may_be(import->process_group, pool);
}

/* The group that an alias yields for every request of server `s`; NULL when that depends. */
static const char *static_group(apr_pool_t *p, const server_rec *s, const wgw_alias_t *alias)
{
    const wgw_dir_config_t *dir = ap_get_module_config(s->lookup_defaults, wgw_module_current());
    const char *text = alias->application_group ? alias->application_group
                                                : dir->application_group;
    bool is_mount = !alias->regex && !alias->is_folder;

    if (!wgw_is_token(text))
        return text;
    if (strcmp(text, "%{GLOBAL}") == 0)
        return "";
    apr_port_t port = s->port ? s->port : ap_listeners && !ap_listeners->next
        ? ap_listeners->bind_addr->port : 0;
    if (!port)
        return NULL;
    const char *server = with_port(p, s->server_hostname, port);
    if (strcmp(text, "%{SERVER}") == 0)
        return server;
    if (!is_mount || strcmp(text, "%{RESOURCE}") != 0)
        return NULL;
    return apr_pstrcat(p, server, "|", strcmp(alias->location, "/") ? alias->location : "", NULL);
}

/* The application groups that were found so far. */
typedef struct {
    const char *only;
    bool is_clear; /* no other one, none that is not known, and not "" */
} found_t;

static void add_group(found_t *found, const char *group)
{
    if (!group || !*group || wgw_is_token(group) || (found->only && strcmp(found->only, group) != 0))
        found->is_clear = false;
    found->only = group;
}

static void add_server(found_t *found, apr_pool_t *p, server_rec *main_server, server_rec *s,
                       const wgw_pool_t *pool)
{
    const apr_array_header_t *aliases = wgw_server_config(s)->aliases;

    for (int i = 0; i < aliases->nelts && found->is_clear; i++) {
        const wgw_alias_t *alias = APR_ARRAY_IDX(aliases, i, wgw_alias_t *);
        if (wgw_group_may_run(main_server, s, alias, pool))
            add_group(found, static_group(p, s, alias));
    }
}

/* Scripts of authentication, access and dispatch. One that is in the main interpreter, as they are
 * unless something else is said, shares it with no application group. */
static void add_ask_scripts(found_t *found, server_rec *main_server, const wgw_pool_t *pool)
{
    const apr_array_header_t *scripts = wgw_server_config(main_server)->ask_scripts;

    for (int i = 0; i < scripts->nelts && found->is_clear; i++) {
        const wgw_ask_script_t *script = APR_ARRAY_IDX(scripts, i, wgw_ask_script_t *);
        const char *group = script->application_group;
        if (may_be(script->process_group ? script->process_group : "%{GLOBAL}", pool) &&
            (group || !wgw_ask_is_dispatch(script)))
            add_group(found, group && strcmp(group, "%{GLOBAL}") != 0 ? group : "");
    }
}

const char *wgw_group_find_main(apr_pool_t *p, server_rec *main_server, const wgw_pool_t *pool)
{
    const apr_array_header_t *imports = wgw_server_config(main_server)->imports;
    found_t found = { .is_clear = true };

    for (server_rec *s = main_server; s && found.is_clear; s = s->next)
        add_server(&found, p, main_server, s, pool);
    for (int i = 0; i < imports->nelts && found.is_clear; i++) {
        const wgw_import_t *import = &APR_ARRAY_IDX(imports, i, wgw_import_t);
        if (wgw_group_imports(import, pool))
            add_group(&found, import->application_group);
    }
    add_ask_scripts(&found, main_server, pool);
    for (server_rec *s = main_server; s && found.only; s = s->next) {
        const apr_array_header_t *groups = wgw_server_config(s)->dir_groups;
        for (int i = 0; i < groups->nelts && found.is_clear; i++)
            add_group(&found, APR_ARRAY_IDX(groups, i, const char *));
    }
    return found.is_clear ? found.only : NULL;
}
