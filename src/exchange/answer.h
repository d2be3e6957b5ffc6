/* What may be answered to a question. The same for a script in httpd, which may be wrong, and for a
 * daemon process, which may be hostile. Pure. */
#ifndef WGW_EXCHANGE_ANSWER_H
#define WGW_EXCHANGE_ANSWER_H

#include "wsgigw/exchange.h"

enum { WGW_ANSWER_MOST = 1024 }; /* bytes of a text */

/* The name of the function that answers. `question` is not WGW_ASK_NOTHING. */
const char *wgw_question_function(wgw_question_t question);

/* Tell whether a script need not have that function. */
bool wgw_question_is_optional(wgw_question_t question);

/* Check an answer: one that this question can have; a text that is not empty, not too long, and
 * without control characters, as it goes into logs, header fields and environ.
 * Returns: NULL; or what is wrong with it, in words. */
const char *wgw_answer_check(wgw_question_t question, wgw_verdict_t verdict, wgw_span_t text);

#endif
