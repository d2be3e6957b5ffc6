/* What is checked before Python sees a request (DESIGN section 7), and then the exchange. */
#include "server/handler.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "server/alias.h"
#include "server/brigade.h"
#include "server/child.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/module.h"
#include "server/relay.h"
#include "server/route.h"

static int refuse(request_rec *r, int status, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s", why);
    return status;
}

/* --- the script ----------------------------------------------------------------------- */

static int check_script(request_rec *r)
{
    const wgw_alias_t *alias = wgw_alias_of(r);

    if (alias && alias->kind == WGW_ALIAS_MODULE)
        return OK;
    if (r->finfo.filetype == APR_NOFILE)
        return refuse(r, HTTP_NOT_FOUND,
                      apr_psprintf(r->pool, WGWNO(0040) "script '%s' does not exist", r->filename));
    if (r->finfo.filetype == APR_DIR)
        return refuse(r, HTTP_FORBIDDEN,
                      apr_psprintf(r->pool, WGWNO(0041) "'%s' is a folder, not a WSGI script; the "
                                   "alias has to name the file", r->filename));
    if (r->finfo.filetype != APR_REG)
        return refuse(r, HTTP_FORBIDDEN,
                      apr_psprintf(r->pool, WGWNO(0042) "'%s' is not a regular file", r->filename));
    if (!alias && !(ap_allow_options(r) & OPT_EXECCGI))
        return refuse(r, HTTP_FORBIDDEN,
                      apr_psprintf(r->pool, WGWNO(0043) "'%s' is not allowed to run here: a script "
                                   "by SetHandler or AddHandler needs 'Options +ExecCGI'",
                                   r->filename));
    return OK;
}

static int check_path_info(request_rec *r)
{
    if (r->used_path_info != AP_REQ_REJECT_PATH_INFO || !r->path_info || !*r->path_info)
        return OK;
    return refuse(r, HTTP_NOT_FOUND,
                  apr_psprintf(r->pool, WGWNO(0044) "AcceptPathInfo is Off and there is more after "
                               "the script's URL: '%s'", r->path_info));
}

/* --- the body ------------------------------------------------------------------------- */

static int check_coding(request_rec *r, const char *coding)
{
    if (ap_cstr_casecmp(coding, "chunked") != 0)
        return refuse(r, HTTP_NOT_IMPLEMENTED,
                      apr_psprintf(r->pool, WGWNO(0045) "Transfer-Encoding '%s' is not supported",
                                   coding));
    if (!wgw_dir_config(r)->allows_chunked)
        return refuse(r, HTTP_LENGTH_REQUIRED,
                      WGWNO(0046) "WSGIChunkedRequest is Off: a chunked request body is refused");
    return OK;
}

static int check_length(request_rec *r, const char *text, int64_t *length_out)
{
    apr_off_t length, limit = ap_get_limit_req_body(r);

    if (!ap_parse_strict_length(&length, text))
        return refuse(r, HTTP_BAD_REQUEST,
                      apr_psprintf(r->pool, WGWNO(0047) "Content-Length '%s' is not a number", text));
    if (limit > 0 && length > limit)
        return refuse(r, HTTP_REQUEST_ENTITY_TOO_LARGE,
                      apr_psprintf(r->pool, WGWNO(0048) "the request body of %" APR_OFF_T_FMT
                                   " bytes is larger than LimitRequestBody of %" APR_OFF_T_FMT,
                                   length, limit));
    *length_out = length;
    return OK;
}

/* Returns: OK and the announced bytes of the body, -1 when only its end will tell. */
static int check_body(request_rec *r, int64_t *length_out)
{
    const char *coding = apr_table_get(r->headers_in, "Transfer-Encoding");
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    *length_out = 0;
    if (r->prev && ap_is_HTTP_ERROR(r->prev->status))
        return OK; /* an ErrorDocument: the body was for the request that failed */
    if (coding) {
        *length_out = -1;
        return check_coding(r, coding);
    }
    if (length)
        return check_length(r, length, length_out);
    if (r->proto_num >= 2000) /* HTTP/2: the end of the stream ends a body of any length */
        *length_out = -1;
    return OK;
}

/* --- the handler ---------------------------------------------------------------------- */

static bool is_ours(const request_rec *r)
{
    return r->handler && (strcmp(r->handler, "wsgi-script") == 0 ||
                          strcmp(r->handler, "application/x-httpd-wsgi") == 0);
}

static int serve(request_rec *r, const wgw_pool_t *pool, const wgw_request_t *request)
{
    wgw_brigade_t exchange;

    wgw_brigade_init(&exchange, r, request);
    int status = pool ? wgw_relay_handle(&exchange, pool) : wgw_child_handle(&exchange.exchange);
    return status ? status : exchange.override_status ? exchange.override_status : OK;
}

int wgw_handler(request_rec *r)
{
    wgw_choice_t choice = { NULL, NULL, NULL };
    const wgw_pool_t *pool;
    int64_t content_length;
    int status;

    if (!is_ours(r))
        return DECLINED;
    if (r->method_number == M_CONNECT) /* a 2xx answer would promise a tunnel (RFC 9110, 9.3.6) */
        return HTTP_METHOD_NOT_ALLOWED;
    if ((status = check_script(r)) != OK || (status = check_path_info(r)) != OK ||
        (status = check_body(r, &content_length)) != OK || (status = wgw_dispatch(r, &choice)) != OK ||
        (status = wgw_route(r, &choice, &pool)) != OK)
        return status;
    wgw_process_t process = wgw_process_of(pool);
    return serve(r, pool, wgw_request_create(r, &process, &choice, content_length));
}
