/* Asking a script: of authentication, access or dispatch. */
#ifndef WGW_SERVER_ASK_H
#define WGW_SERVER_ASK_H

#include <stdbool.h>

#include <httpd.h>

#include "server/config.h"
#include "wsgigw/exchange.h"

typedef struct wgw_answer_t {
    wgw_verdict_t verdict;
    const char *text; /* of WGW_VERDICT_TEXT; Lives: as long as the request */
} wgw_answer_t;

/* Ask. Borrows: arguments, until return.
 * Blocks: until the script has answered; for a pool as wgw_relay_ask().
 * Returns: 0 and *answer_out, which is right for the question; otherwise an HTTP status that says why
 * there is no answer, said in the log: whoever asks must not grant anything then. */
int wgw_ask(request_rec *r, const wgw_ask_script_t *script, wgw_question_t question,
            const wgw_span_t arguments[WGW_ARGUMENT_COUNT], wgw_answer_t *answer_out);

/* Tell whether it is a WSGIDispatchScript. */
bool wgw_ask_is_dispatch(const wgw_ask_script_t *script);

#endif
