/* The defaults of a pool that depend on the rest of the configuration, and the checks that need
 * all of it. What is refused here is said in the log with file and line. */
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <apr_strings.h>
#include <http_core.h>
#include <unixd.h>

#include "server/config.h"
#include "server/group.h"
#include "server/interpreter.h"
#include "server/module.h"
#include "server/pool_options.h"

static int refuse(const wgw_pool_t *pool, const char *wrong)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, pool->server,
                 WGWNO(0071) "WSGIDaemonProcess %s (%s, line %d): %s", pool->name, pool->file,
                 pool->line, wrong);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* --- user and groups ------------------------------------------------------------------ */

/* All groups of the user, and that of the pool. */
static apr_array_header_t *groups_of(apr_pool_t *p, const wgw_pool_t *pool)
{
    apr_array_header_t *groups = apr_array_make(p, 8, sizeof(uint32_t));
    gid_t *ids = NULL;
    int count = 0;

    if (pool->user_name) {
        getgrouplist(pool->user_name, pool->gid, NULL, &count);
        ids = apr_palloc(p, ((size_t)count + 1) * sizeof *ids);
        if (getgrouplist(pool->user_name, pool->gid, ids, &count) < 0)
            count = 0;
    }
    for (int i = 0; i < count; i++)
        APR_ARRAY_PUSH(groups, uint32_t) = ids[i];
    if (!count)
        APR_ARRAY_PUSH(groups, uint32_t) = pool->gid;
    return groups;
}

static void fill_user(apr_pool_t *p, wgw_pool_t *pool)
{
    bool is_root = wgw_is_root();

    if (pool->uid == (uid_t)-1)
        pool->uid = is_root ? ap_unixd_config.user_id : geteuid();
    if (pool->gid == (gid_t)-1)
        pool->gid = is_root ? ap_unixd_config.group_id : getegid();
    if (pool->socket_uid == (uid_t)-1)
        pool->socket_uid = is_root ? ap_unixd_config.user_id : geteuid();
    const struct passwd *user = getpwuid(pool->uid);
    if (user) {
        pool->user_name = apr_pstrdup(p, user->pw_name);
        pool->user_home = apr_pstrdup(p, user->pw_dir);
    }
    if (!pool->groups)
        pool->groups = groups_of(p, pool);
}

static int check_user(const wgw_pool_t *pool)
{
    if (!wgw_is_root())
        return OK;
    if (pool->uid == 0 || pool->uid == (uid_t)-1)
        return refuse(pool, pool->uid ? "httpd has no User, so user= must be given"
                                      : "its user would be root, as httpd's User is; give it user=");
    if (pool->gid == 0 || pool->gid == (gid_t)-1)
        return refuse(pool, pool->gid ? "httpd has no Group, so group= must be given"
                                      : "its group would be root's, as httpd's Group is; give it "
                                        "group=");
    for (int i = 0; i < pool->groups->nelts; i++)
        if (APR_ARRAY_IDX(pool->groups, i, uint32_t) == 0)
            return refuse(pool, "its user is a member of root's group; give it "
                                "supplementary-groups= without that one");
    return OK;
}

/* --- Python --------------------------------------------------------------------------- */

static int fill_python(apr_pool_t *p, wgw_pool_t *pool, const server_rec *main_server)
{
    const char *home = wgw_server_config(main_server)->python_home;
    const char *wrong = NULL;

    if (pool->python)
        return OK; /* and checked */
    pool->python = home ? wgw_interpreter_find(p, pool->chroot, home, &wrong)
                        : WGW_PYTHON_EXECUTABLE;
    if (!wrong)
        wrong = wgw_interpreter_check(p, pool->chroot, pool->python);
    if (!wrong)
        return OK;
    return refuse(pool, apr_psprintf(p, "the interpreter of %s cannot be used: %s. Name one with "
                                     "python= or python-home=",
                                     home ? apr_pstrcat(p, "WSGIPythonHome ", home, NULL)
                                          : WGW_PYTHON_EXECUTABLE, wrong));
}

/* --- groups that are named ------------------------------------------------------------ */

static int refuse_use(apr_pool_t *p, server_rec *main_server, const wgw_group_use_t *use)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, use->server,
                 WGWNO(0072) "%s (%s, line %d): process group '%s' is not declared%s A "
                 "WSGIDaemonProcess declares one; %%{GLOBAL} is embedded mode", use->directive, use->file, use->line, use->group,
                 wgw_pool_suggest(p, main_server, use->group));
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* A use in a directory or in the main server may be that of several virtual hosts: their requests
 * will tell. */
static int refuse_server(const wgw_group_use_t *use, const wgw_pool_t *pool)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, use->server,
                 WGWNO(0073) "%s (%s, line %d): process group '%s' is declared in a virtual host "
                 "with another ServerName (%s, line %d), and is for that one only", use->directive,
                 use->file, use->line, use->group, pool->file, pool->line);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_uses(apr_pool_t *p, server_rec *main_server)
{
    const apr_array_header_t *uses = wgw_server_config(main_server)->group_uses;

    for (int i = 0; i < uses->nelts; i++) {
        const wgw_group_use_t *use = &APR_ARRAY_IDX(uses, i, wgw_group_use_t);
        if (wgw_is_token(use->group))
            continue;
        const wgw_pool_t *pool = wgw_pool_find(main_server, use->group);
        if (!pool)
            return refuse_use(p, main_server, use);
        if (!use->is_in_directory && use->server->is_virtual && !wgw_pool_is_for(pool, use->server))
            return refuse_server(use, pool);
    }
    return OK;
}

/* --- all of it ------------------------------------------------------------------------ */

int wgw_parent_finish_pools(apr_pool_t *p, server_rec *main_server)
{
    int status = check_uses(p, main_server);

    for (int i = 0; i < wgw_pools(main_server)->nelts && status == OK; i++) {
        wgw_pool_t *pool = APR_ARRAY_IDX(wgw_pools(main_server), i, wgw_pool_t *);
        fill_user(p, pool);
        if (!pool->socket_timeout_us)
            pool->socket_timeout_us = pool->server->timeout;
        if (!pool->response_socket_timeout_us)
            pool->response_socket_timeout_us = pool->socket_timeout_us;
        status = check_user(pool);
        if (status == OK)
            status = fill_python(p, pool, main_server);
    }
    return status;
}

void wgw_parent_log_pools(server_rec *main_server)
{
    if (wgw_server_config(main_server)->accept_mutex)
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server,
                     WGWNO(0074) "WSGIAcceptMutex has no effect: no lock is needed here");
    if (!wgw_server_config(main_server)->rotates_sockets)
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server,
                     WGWNO(0083) "WSGISocketRotation Off has no effect: old sockets stay as long as a "
                     "child of httpd uses them");
    for (int i = 0; i < wgw_pools(main_server)->nelts; i++) {
        const wgw_pool_t *pool = APR_ARRAY_IDX(wgw_pools(main_server), i, wgw_pool_t *);
        if (pool->without_effect)
            ap_log_error(APLOG_MARK, APLOG_INFO, 0, pool->server,
                         WGWNO(0075) "WSGIDaemonProcess %s: no effect, as httpd was not started by "
                         "root: %s", pool->name, pool->without_effect);
    }
}
