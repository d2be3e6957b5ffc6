#include "server/group.h"

#include <stdlib.h>

#include <ap_listen.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/module.h"

static bool is_token(const char *text)
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
    if (!is_token(text) || wgw_is_env_token(text))
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

/* The group that an alias yields for every request to it; NULL when that depends. */
static const char *static_group(apr_pool_t *p, const wgw_alias_t *alias)
{
    const wgw_dir_config_t *dir =
        ap_get_module_config(alias->server->lookup_defaults, wgw_module_current());
    const char *text = alias->application_group ? alias->application_group
                                                : dir->application_group;
    const server_rec *s = alias->server;
    bool is_mount = !alias->regex && !alias->is_folder;

    if (!is_token(text))
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

/* Take note of one more group that requests may have. Returns: false when it is not the only
 * one, not known, or the main interpreter's own. */
static bool is_only(const char **found, const char *group)
{
    if (!group || !*group || is_token(group) || (*found && strcmp(*found, group) != 0))
        return false;
    *found = group;
    return true;
}

const char *wgw_group_find_main(apr_pool_t *p, server_rec *main_server)
{
    const char *found = NULL;

    for (server_rec *s = main_server; s; s = s->next) {
        const wgw_server_config_t *conf = wgw_server_config(s);
        for (int i = 0; i < conf->aliases->nelts; i++)
            if (!is_only(&found, static_group(p, APR_ARRAY_IDX(conf->aliases, i, wgw_alias_t *))))
                return NULL;
        for (int i = 0; i < conf->dir_groups->nelts; i++)
            if (!is_only(&found, APR_ARRAY_IDX(conf->dir_groups, i, const char *)))
                return NULL;
    }
    return found;
}
