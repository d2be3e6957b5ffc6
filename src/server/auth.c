/* What an answer means to httpd. A question that was not answered is never a permission, and never
 * leaves the decision to others: under `Require not wsgi-group` that would be one. */
#include "server/auth.h"

#include <apr_strings.h>
#include <ap_expr.h>
#include <ap_provider.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include "server/ask.h"
#include "server/config.h"
#include "server/module.h"

static wgw_span_t span_of(const char *text)
{
    return (wgw_span_t){ text, text ? strlen(text) : 0 };
}

/* Ask a script that a directive must have named. Returns: as wgw_ask(). */
static int ask(request_rec *r, const wgw_ask_script_t *script, const char *directive,
               wgw_question_t question, const wgw_span_t *arguments, wgw_answer_t *answer)
{
    if (script)
        return wgw_ask(r, script, question, arguments, answer);
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  WGWNO(0195) "the provider wsgi is asked here, and there is no %s", directive);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* --- authentication ------------------------------------------------------------------- */

static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    const wgw_span_t arguments[] = { span_of(user), span_of(password) };
    wgw_answer_t answer;

    if (ask(r, wgw_dir_config(r)->user_script, "WSGIAuthUserScript", WGW_ASK_PASSWORD, arguments, &answer))
        return AUTH_GENERAL_ERROR;
    switch (answer.verdict) {
    case WGW_VERDICT_TEXT:
        r->user = apr_pstrdup(r->pool, answer.text);
        return AUTH_GRANTED;
    case WGW_VERDICT_YES:
        return AUTH_GRANTED;
    case WGW_VERDICT_NO:
        return AUTH_DENIED;
    case WGW_VERDICT_NONE:
        return AUTH_USER_NOT_FOUND;
    default:
        return AUTH_GENERAL_ERROR;
    }
}

static authn_status get_realm_hash(request_rec *r, const char *user, const char *realm, char **hash_out)
{
    const wgw_span_t arguments[] = { span_of(user), span_of(realm) };
    wgw_answer_t answer;

    if (ask(r, wgw_dir_config(r)->user_script, "WSGIAuthUserScript", WGW_ASK_REALM_HASH, arguments, &answer))
        return AUTH_GENERAL_ERROR;
    if (answer.verdict == WGW_VERDICT_NONE)
        return AUTH_USER_NOT_FOUND;
    if (answer.verdict != WGW_VERDICT_TEXT)
        return AUTH_GENERAL_ERROR;
    *hash_out = apr_pstrdup(r->pool, answer.text);
    return AUTH_USER_FOUND;
}

static const authn_provider AUTHN = { check_password, get_realm_hash };

/* --- authorization -------------------------------------------------------------------- */

/* "one two" -> each with a NUL behind it. */
static wgw_span_t names_of(request_rec *r, const char *words)
{
    char *names = apr_palloc(r->pool, strlen(words) + 1);
    size_t len = 0;

    while (*words) {
        const char *name = ap_getword_conf(r->pool, &words);
        size_t name_len = strlen(name);
        if (name_len)
            memcpy(names + len, name, name_len + 1);
        len += name_len ? name_len + 1 : 0;
    }
    return (wgw_span_t){ names, len };
}

static authz_status check_groups(request_rec *r, const char *line, const void *parsed)
{
    const char *wrong = NULL, *words = ap_expr_str_exec(r, parsed, &wrong);
    wgw_answer_t answer;

    (void)line;
    if (!r->user)
        return AUTHZ_DENIED_NO_USER;
    if (wrong) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      WGWNO(0196) "the groups of Require wsgi-group cannot be told: %s", wrong);
        return AUTHZ_GENERAL_ERROR;
    }
    const wgw_span_t arguments[] = { span_of(r->user), names_of(r, words) };
    if (ask(r, wgw_dir_config(r)->group_script, "WSGIAuthGroupScript", WGW_ASK_GROUPS, arguments, &answer))
        return AUTHZ_GENERAL_ERROR;
    return answer.verdict == WGW_VERDICT_YES ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static const char *parse_groups(cmd_parms *cmd, const char *line, const void **parsed_out)
{
    const char *wrong = NULL;

    if (!*line)
        return "Require wsgi-group takes the names of groups";
    *parsed_out = ap_expr_parse_cmd(cmd, line, AP_EXPR_FLAG_STRING_RESULT, &wrong, NULL);
    return wrong ? apr_pstrcat(cmd->pool, "Require wsgi-group: ", wrong, NULL) : NULL;
}

static const authz_provider AUTHZ = { check_groups, parse_groups };

/* --- access --------------------------------------------------------------------------- */

/* The client's name if httpd has looked it up already, else its address. */
static const char *host_of(const request_rec *r)
{
    const char *name = r->useragent_addr == r->connection->client_addr ? r->connection->remote_host
                                                                       : r->useragent_host;

    return name && *name ? name : r->useragent_ip;
}

/* That a pool is not there is for the client to know; that a script is wrong is not. */
static int status_of_failure(int status)
{
    return status > HTTP_INTERNAL_SERVER_ERROR ? status : HTTP_FORBIDDEN;
}

static int check_access(request_rec *r)
{
    const wgw_ask_script_t *script = wgw_dir_config(r)->access_script;
    wgw_answer_t answer;

    if (!script)
        return DECLINED;
    const wgw_span_t arguments[WGW_ARGUMENT_COUNT] = { span_of(host_of(r)) };
    int status = wgw_ask(r, script, WGW_ASK_ACCESS, arguments, &answer);
    if (status)
        return status_of_failure(status);
    if (answer.verdict == WGW_VERDICT_NONE)
        return DECLINED;
    if (answer.verdict == WGW_VERDICT_YES)
        return OK;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  WGWNO(0197) "WSGIAccessScript '%s' has denied access", script->path);
    return HTTP_FORBIDDEN;
}

/* --- all of it ------------------------------------------------------------------------ */

/* PER_URI: the scripts see the URL, so what they have said of one says nothing of the URL of a
 * subrequest. */
void wgw_auth_register(apr_pool_t *p)
{
    ap_hook_check_access(check_access, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_URI);
    ap_register_auth_provider(p, AUTHN_PROVIDER_GROUP, "wsgi", AUTHN_PROVIDER_VERSION, &AUTHN,
                              AP_AUTH_INTERNAL_PER_URI);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "wsgi-group", AUTHZ_PROVIDER_VERSION, &AUTHZ,
                              AP_AUTH_INTERNAL_PER_URI);
}
