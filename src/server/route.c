#include "server/route.h"

#include <apr_strings.h>
#include <http_main.h>

#include "server/alias.h"
#include "server/config.h"
#include "server/group.h"
#include "server/module.h"
#include "server/request.h"

static int refuse(request_rec *r, int status, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s", why);
    return status;
}

/* --- the group ------------------------------------------------------------------------ */

static const char *group_of(request_rec *r, const wgw_choice_t *choice)
{
    const wgw_alias_t *alias = wgw_alias_of(r);
    const char *text = choice->process_group ? choice->process_group
                     : alias && alias->process_group ? alias->process_group
                                                     : wgw_dir_config(r)->process_group;

    if (!wgw_is_token(text))
        return text;
    const char *value = wgw_env_expand(r, text);
    if (value && !*value)
        return text; /* embedded mode has to be asked for by its name: an empty variable is no group */
    return wgw_group_expand(r, text, wgw_request_resource(r));
}

/* `list`: names with a space between. */
static bool is_listed(request_rec *r, const char *list, const char *group)
{
    char *last = NULL;

    for (char *word = apr_strtok(apr_pstrdup(r->pool, list), " ", &last); word;
         word = apr_strtok(NULL, " ", &last))
        if (strcmp(wgw_group_expand(r, word, wgw_request_resource(r)), group) == 0)
            return true;
    return false;
}

static int check_allowed(request_rec *r, const char *group)
{
    const char *list = wgw_dir_config(r)->allowed_processes;

    if (!list || is_listed(r, list, group))
        return OK;
    return refuse(r, HTTP_INTERNAL_SERVER_ERROR,
                  apr_psprintf(r->pool, WGWNO(0076) "process group '%s' is not allowed here; "
                               "WSGIRestrictProcess allows %s", *group ? group : "%{GLOBAL}", list));
}

static int check_embedded(request_rec *r)
{
    if (!wgw_server_config(ap_server_conf)->restricts_embedded)
        return OK;
    return refuse(r, HTTP_INTERNAL_SERVER_ERROR,
                  WGWNO(0077) "WSGIRestrictEmbedded is On, and nothing routes this request to a "
                  "WSGIDaemonProcess (WSGIProcessGroup does)");
}

/* --- threads=0, script-user, script-group -------------------------------------------------------- */

static bool is_as_demanded(const wgw_pool_t *pool, const apr_finfo_t *info)
{
    if (pool->script_uid != (uid_t)-1)
        return info->user == pool->script_uid &&
               !(info->protection & (APR_FPROT_GWRITE | APR_FPROT_WWRITE));
    return info->group == pool->script_gid && !(info->protection & APR_FPROT_WWRITE);
}

static int refuse_owner(request_rec *r, const wgw_pool_t *pool, const char *path)
{
    bool is_user = pool->script_uid != (uid_t)-1;

    return refuse(r, HTTP_FORBIDDEN,
                  apr_psprintf(r->pool, WGWNO(0078) "'%s' must belong to %s %lu, and %s may be allowed "
                               "to write it: %s of process group '%s' demands it", path,
                               is_user ? "user" : "group",
                               (unsigned long)(is_user ? pool->script_uid : pool->script_gid),
                               is_user ? "no group and nobody else" : "nobody else",
                               is_user ? "script-user" : "script-group", pool->name));
}

static int check_serves(request_rec *r, const wgw_pool_t *pool)
{
    if (pool->thread_count)
        return OK;
    return refuse(r, HTTP_INTERNAL_SERVER_ERROR,
                  apr_psprintf(r->pool, WGWNO(0082) "process group '%s' has threads=0, so it serves no "
                               "requests; give it threads, or the request another group", pool->name));
}

/* `path` NULL: it is a module, which has no file. */
static int check_owner(request_rec *r, const wgw_pool_t *pool, const char *path)
{
    apr_int32_t wanted = APR_FINFO_OWNER | APR_FINFO_PROT;
    apr_finfo_t info;

    if (pool->script_uid == (uid_t)-1 && pool->script_gid == (gid_t)-1)
        return OK;
    if (!path)
        return refuse(r, HTTP_FORBIDDEN,
                      apr_psprintf(r->pool, WGWNO(0079) "process group '%s' demands an owner of the "
                                   "script (script-user or script-group), and a module has no file "
                                   "that httpd could look at", pool->name));
    const char *folder = ap_make_dirstr_parent(r->pool, path);
    if (apr_stat(&info, path, wanted, r->pool) != APR_SUCCESS || !is_as_demanded(pool, &info))
        return refuse_owner(r, pool, path);
    if (apr_stat(&info, folder, wanted, r->pool) != APR_SUCCESS || !is_as_demanded(pool, &info))
        return refuse_owner(r, pool, folder);
    return OK;
}

/* --- all of it ------------------------------------------------------------------------ */

static int find_pool(request_rec *r, const char *group, const char *path, const wgw_pool_t **pool_out)
{
    *pool_out = wgw_pool_find(ap_server_conf, group);
    if (!*pool_out)
        return refuse(r, HTTP_INTERNAL_SERVER_ERROR,
                      apr_psprintf(r->pool, WGWNO(0080) "process group '%s' is not declared%s", group,
                                   wgw_pool_suggest(r->pool, ap_server_conf, group)));
    if (!wgw_pool_is_for(*pool_out, r->server))
        return refuse(r, HTTP_INTERNAL_SERVER_ERROR,
                      apr_psprintf(r->pool, WGWNO(0081) "process group '%s' is declared in a virtual "
                                   "host with another ServerName, and is for that one only", group));
    int status = check_serves(r, *pool_out);
    return status == OK ? check_owner(r, *pool_out, path) : status;
}

int wgw_route(request_rec *r, const wgw_choice_t *choice, const wgw_pool_t **pool_out)
{
    const wgw_alias_t *alias = wgw_alias_of(r);
    const char *group = group_of(r, choice);
    int status = check_allowed(r, group);

    *pool_out = NULL;
    if (status != OK || !*group)
        return status == OK ? check_embedded(r) : status;
    return find_pool(r, group, alias && alias->kind == WGW_ALIAS_MODULE ? NULL : r->filename, pool_out);
}

int wgw_route_script(request_rec *r, const wgw_ask_script_t *script, const wgw_pool_t **pool_out)
{
    *pool_out = NULL;
    if (!script->is_in_htaccess)
        return script->process_group ? find_pool(r, script->process_group, script->path, pool_out) : OK;
    int status = check_allowed(r, script->process_group ? script->process_group : "");
    if (status != OK || !script->process_group)
        return status == OK ? check_embedded(r) : status;
    return find_pool(r, script->process_group, script->path, pool_out);
}
