/* One exchange for a question, whoever answers it. Must not know what the answer decides. */
#include "server/ask.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <mod_ssl.h>

#include "exchange/answer.h"
#include "server/child.h"
#include "server/group.h"
#include "server/module.h"
#include "server/relay.h"
#include "server/request.h"
#include "server/route.h"

typedef struct {
    wgw_exchange_t exchange; /* first: the operations cast */
    request_rec *r;
    bool has_answer;
    wgw_answer_t answer;
} ask_t;

static ask_t *of(void *exchange)
{
    return exchange;
}

/* --- the exchange --------------------------------------------------------------------- */

static void answer(wgw_exchange_t *x, wgw_verdict_t verdict, wgw_span_t text)
{
    of(x)->has_answer = true;
    of(x)->answer.verdict = verdict;
    of(x)->answer.text = apr_pstrmemdup(of(x)->r->pool, text.data ? text.data : "", text.len);
}

static const char *tls_variable(wgw_exchange_t *x, const char *name)
{
    APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *lookup = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    request_rec *r = of(x)->r;

    return lookup ? lookup(r->pool, r->server, r->connection, r, apr_pstrdup(r->pool, name)) : NULL;
}

static void log_line(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    wgw_log_text(of(ctx)->r, level, text, len);
}

static const wgw_exchange_ops_t OPS = {
    .answer = answer,
    .tls_variable = tls_variable,
    .log = log_line,
};

/* --- the script ----------------------------------------------------------------------- */

static int refuse(request_rec *r, const wgw_ask_script_t *script, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  WGWNO(0191) "%s '%s' cannot be asked: %s", script->directive, script->path, why);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_file(request_rec *r, const wgw_ask_script_t *script, wgw_file_id_t *file_out)
{
    apr_finfo_t info;
    char reason[120];
    apr_status_t rv = apr_stat(&info, script->path, APR_FINFO_TYPE | APR_FINFO_IDENT | APR_FINFO_MTIME |
                               APR_FINFO_SIZE, r->pool);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return refuse(r, script, apr_strerror(rv, reason, sizeof reason));
    if (info.filetype != APR_REG)
        return refuse(r, script, info.filetype == APR_DIR ? "it is a folder" : "it is not a regular file");
    *file_out = (wgw_file_id_t){ .dev = (uint64_t)info.device, .ino = (uint64_t)info.inode,
                                 .mtime_us = info.mtime, .size = info.size };
    return OK;
}

bool wgw_ask_is_dispatch(const wgw_ask_script_t *script)
{
    return strcmp(script->directive, "WSGIDispatchScript") == 0;
}

/* Documented: the main interpreter; for dispatch scripts the one of the request. */
static const char *group_of(request_rec *r, const wgw_ask_script_t *script)
{
    const char *text = script->application_group ? script->application_group
                       : wgw_ask_is_dispatch(script) ? wgw_request_group(r) : "%{GLOBAL}";

    return wgw_group_expand(r, text, wgw_request_resource(r));
}

/* --- all of it ------------------------------------------------------------------------ */

static int carry_out(ask_t *ask, const wgw_pool_t *pool)
{
    int status = pool ? wgw_relay_ask(&ask->exchange, ask->r, pool) : wgw_child_handle(&ask->exchange);

    return status || ask->has_answer ? status : HTTP_INTERNAL_SERVER_ERROR;
}

int wgw_ask(request_rec *r, const wgw_ask_script_t *script, wgw_question_t question,
            const wgw_span_t arguments[WGW_ARGUMENT_COUNT], wgw_answer_t *answer_out)
{
    wgw_target_t target = { .script = script->path, .is_reloading = wgw_dir_config(r)->is_reloading };
    const wgw_pool_t *pool;
    int status = check_file(r, script, &target.file);

    if (status != OK || (status = wgw_route_script(r, script, &pool)) != OK)
        return status;
    target.group = group_of(r, script);
    wgw_process_t process = wgw_process_of(pool);
    wgw_request_t *request = wgw_request_ask(r, &process, &target, question);
    for (int i = 0; i < WGW_ARGUMENT_COUNT; i++)
        request->arguments[i] = arguments[i];
    ask_t ask = { .exchange = { .ops = &OPS, .request = request }, .r = r };
    status = carry_out(&ask, pool);
    if (status)
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      WGWNO(0192) "%s() of %s '%s' has not answered (%d); the lines before say why",
                      wgw_question_function(question), script->directive, script->path, status);
    *answer_out = ask.answer;
    return status;
}
