#include "server/dispatch.h"

#include <apr_strings.h>

#include "server/alias.h"
#include "server/ask.h"
#include "server/config.h"
#include "server/group.h"
#include "server/module.h"

/* Returns: NULL; or what is wrong with a text that the script has chosen. */
static const char *check(request_rec *r, wgw_question_t question, const char *text)
{
    if (question != WGW_ASK_CALLABLE)
        return wgw_group_check(r->pool, text);
    return wgw_is_dotted_name(text) ? NULL : "it is not a Python name";
}

static int choose(request_rec *r, const wgw_ask_script_t *script, wgw_question_t question,
                  const char **field)
{
    static const wgw_span_t NO_ARGUMENTS[WGW_ARGUMENT_COUNT];
    wgw_answer_t answer;
    int status = wgw_ask(r, script, question, NO_ARGUMENTS, &answer);

    if (status || answer.verdict != WGW_VERDICT_TEXT)
        return status;
    const char *text = question == WGW_ASK_CALLABLE ? wgw_env_expand(r, answer.text) : answer.text;
    const char *wrong = check(r, question, text ? text : "");
    *field = text;
    if (!wrong)
        return OK;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  WGWNO(0194) "WSGIDispatchScript '%s' has chosen '%s', which cannot be used: %s; the "
                  "request gets 500", script->path, answer.text, wrong);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int wgw_dispatch(request_rec *r, wgw_choice_t *choice_out)
{
    const wgw_ask_script_t *script = wgw_dir_config(r)->dispatch_script;
    int status = OK;

    *choice_out = (wgw_choice_t){ NULL, NULL, NULL };
    if (script)
        status = choose(r, script, WGW_ASK_PROCESS_GROUP, &choice_out->process_group);
    if (script && status == OK)
        status = choose(r, script, WGW_ASK_APPLICATION_GROUP, &choice_out->application_group);
    if (script && status == OK)
        status = choose(r, script, WGW_ASK_CALLABLE, &choice_out->callable);
    return status;
}
