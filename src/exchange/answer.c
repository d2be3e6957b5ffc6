#include "exchange/answer.h"

#define CAN(verdict) (1u << WGW_VERDICT_##verdict)

static const struct {
    const char *function;
    unsigned verdicts; /* set of 1 << wgw_verdict_t */
    bool is_optional;
} QUESTIONS[WGW_ASK_COUNT] = {
    [WGW_ASK_PASSWORD] = { "check_password", CAN(NONE) | CAN(NO) | CAN(YES) | CAN(TEXT), false },
    [WGW_ASK_REALM_HASH] = { "get_realm_hash", CAN(NONE) | CAN(TEXT), false },
    [WGW_ASK_GROUPS] = { "groups_for_user", CAN(NO) | CAN(YES), false },
    [WGW_ASK_ACCESS] = { "allow_access", CAN(NONE) | CAN(NO) | CAN(YES), false },
    [WGW_ASK_PROCESS_GROUP] = { "process_group", CAN(NONE) | CAN(TEXT), true },
    [WGW_ASK_APPLICATION_GROUP] = { "application_group", CAN(NONE) | CAN(TEXT), true },
    [WGW_ASK_CALLABLE] = { "callable_object", CAN(NONE) | CAN(TEXT), true },
};

const char *wgw_question_function(wgw_question_t question)
{
    return QUESTIONS[question].function;
}

bool wgw_question_is_optional(wgw_question_t question)
{
    return QUESTIONS[question].is_optional;
}

static bool has_control(wgw_span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

const char *wgw_answer_check(wgw_question_t question, wgw_verdict_t verdict, wgw_span_t text)
{
    if ((unsigned)verdict >= WGW_VERDICT_COUNT ||
        !(QUESTIONS[question].verdicts & 1u << (unsigned)verdict))
        return "it is no answer to this question";
    if (verdict != WGW_VERDICT_TEXT)
        return text.len ? "it has a text and is none" : NULL;
    if (text.len == 0)
        return "it is an empty text";
    if (text.len > WGW_ANSWER_MOST)
        return "it is longer than 1024 bytes";
    return has_control(text) ? "it has control characters" : NULL;
}
