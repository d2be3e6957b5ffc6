/* Mapping a request by the aliases of its server. */
#include "server/alias.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>

#include "server/config.h"
#include "server/module.h"

/* Compare a URL-path with the beginning of a URI; several slashes count as one.
 * Returns: where the rest of the URI begins (at a slash or at its end); NULL no match. */
static const char *match_prefix(const char *prefix, const char *uri)
{
    const char *const start = prefix;

    while (*prefix) {
        if (*prefix == '/') {
            if (*uri != '/')
                return *uri == '\0' && prefix[1] == '\0' && prefix == start ? uri : NULL;
            while (*prefix == '/')
                prefix++;
            if (!*prefix)
                return uri; /* "/x/" leaves the slash to the rest */
            while (*uri == '/')
                uri++;
        } else if (*prefix++ != *uri++) {
            return NULL;
        }
    }
    return *uri == '\0' || *uri == '/' ? uri : NULL;
}

static const char *without_slashes(const char *text)
{
    while (*text == '/')
        text++;
    return text;
}

/* Join target and rest of the URI with one slash, none where there is no rest. */
static char *join(apr_pool_t *p, const char *target, const char *rest)
{
    size_t len = strlen(target);

    while (len > 1 && target[len - 1] == '/')
        len--;
    if (!*rest)
        return apr_pstrmemdup(p, target, len);
    return apr_psprintf(p, "%.*s/%s", (int)len, target, without_slashes(rest));
}

/* Returns: the file name a request is mapped to, and for a module its PATH_INFO; NULL when the
 * alias does not match. */
static char *match_alias(const request_rec *r, const wgw_alias_t *alias, const char **path_info)
{
    if (alias->regex) {
        ap_regmatch_t groups[AP_MAX_REG_MATCH];
        if (ap_regexec(alias->regex, r->uri, AP_MAX_REG_MATCH, groups, 0) != 0)
            return NULL;
        char *target = ap_pregsub(r->pool, alias->target, r->uri, AP_MAX_REG_MATCH, groups);
        return target ? apr_pstrcat(r->pool, target, r->uri + groups[0].rm_eo, NULL) : NULL;
    }
    const char *rest = match_prefix(alias->location, r->uri);
    if (!rest)
        return NULL;
    if (alias->kind != WGW_ALIAS_MODULE)
        return join(r->pool, alias->target, rest);
    *path_info = rest;
    return apr_pstrcat(r->pool, "wsgi-module:", alias->target, NULL);
}

/* Find the first alias that matches. Returns: NULL none; else *filename_out, *path_info_out. */
static wgw_alias_t *find_alias(const request_rec *r, char **filename_out,
                               const char **path_info_out)
{
    const apr_array_header_t *aliases = wgw_server_config(r->server)->aliases;

    *path_info_out = NULL;
    for (int i = 0; i < aliases->nelts; i++) {
        wgw_alias_t *alias = APR_ARRAY_IDX(aliases, i, wgw_alias_t *);
        *filename_out = match_alias(r, alias, path_info_out);
        if (*filename_out)
            return alias;
    }
    return NULL;
}

/* mod_dir and others take over what a subrequest has found, but not our note about it: see
 * whether an alias maps this URL to this file. */
static const wgw_alias_t *recognise(request_rec *r)
{
    const char *path_info;
    char *filename;
    const wgw_alias_t *alias = r->filename ? find_alias(r, &filename, &path_info) : NULL;
    const char *tail = alias && alias->kind != WGW_ALIAS_MODULE && r->path_info ? r->path_info : "";
    size_t len = alias ? strlen(r->filename) : 0;

    if (!alias || strncmp(filename, r->filename, len) != 0 || strcmp(filename + len, tail) != 0)
        return NULL;
    return alias;
}

/* The note that translate_name has left. */
static const wgw_alias_t *noted_alias(const request_rec *r)
{
    return ap_get_module_config(r->request_config, wgw_module_current());
}

const wgw_alias_t *wgw_alias_of(request_rec *r)
{
    const wgw_alias_t *alias = noted_alias(r);

    return alias ? alias : recognise(r);
}

int wgw_alias_translate(request_rec *r)
{
    const char *path_info;
    char *filename;

    if (r->uri[0] != '/' && r->uri[0] != '\0')
        return DECLINED;
    wgw_alias_t *alias = find_alias(r, &filename, &path_info);
    if (!alias)
        return DECLINED;
    r->filename = filename;
    r->handler = "wsgi-script";
    if (path_info)
        r->path_info = apr_pstrdup(r->pool, path_info);
    ap_set_module_config(r->request_config, wgw_module_current(), alias);
    return OK;
}

int wgw_alias_map_to_storage(request_rec *r)
{
    const wgw_alias_t *alias = noted_alias(r);

    if (r->method_number == M_TRACE)
        return DECLINED; /* core answers it, as TraceEnable says */
    return alias && alias->kind == WGW_ALIAS_MODULE ? OK : DECLINED;
}

int wgw_alias_type_checker(request_rec *r)
{
    return noted_alias(r) ? OK : DECLINED; /* SetHandler still has its say, in the fixups */
}
