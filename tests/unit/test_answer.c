#include "unit.h"

#include "exchange/answer.h"

/* Written from src/wire/PROTOCOL.md, "CALL": n NONE, o NO, y YES, t TEXT. */
static const struct {
    wgw_question_t question;
    const char *function, *verdicts;
    bool is_optional;
} QUESTIONS[] = {
    { WGW_ASK_PASSWORD, "check_password", "noyt", false },
    { WGW_ASK_REALM_HASH, "get_realm_hash", "nt", false },
    { WGW_ASK_GROUPS, "groups_for_user", "oy", false },
    { WGW_ASK_ACCESS, "allow_access", "noy", false },
    { WGW_ASK_PROCESS_GROUP, "process_group", "nt", true },
    { WGW_ASK_APPLICATION_GROUP, "application_group", "nt", true },
    { WGW_ASK_CALLABLE, "callable_object", "nt", true },
};
enum { COUNT = sizeof QUESTIONS / sizeof *QUESTIONS };

static void each_question_has_its_verdicts(void **state)
{
    static const char LETTERS[] = "noyt";

    (void)state;
    assert_int_equal(COUNT, WGW_ASK_COUNT - 1);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(wgw_question_function(QUESTIONS[i].question), QUESTIONS[i].function);
        assert_int_equal(wgw_question_is_optional(QUESTIONS[i].question), QUESTIONS[i].is_optional);
        for (int v = 0; v < WGW_VERDICT_COUNT; v++) {
            wgw_span_t text = { "x", v == WGW_VERDICT_TEXT };
            bool is_allowed = strchr(QUESTIONS[i].verdicts, LETTERS[v]) != NULL;
            const char *wrong = wgw_answer_check(QUESTIONS[i].question, (wgw_verdict_t)v, text);
            assert_int_equal(wrong == NULL, is_allowed);
        }
    }
}

static void other_verdicts_are_none(void **state)
{
    static const int OTHERS[] = { -1, WGW_VERDICT_COUNT, 31, 32, 33, 34, 255, INT32_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        assert_non_null(wgw_answer_check(WGW_ASK_PASSWORD, (wgw_verdict_t)OTHERS[i],
                                         (wgw_span_t){ NULL, 0 }));
}

static const char *check_text(const char *text, size_t len)
{
    return wgw_answer_check(WGW_ASK_PASSWORD, WGW_VERDICT_TEXT, (wgw_span_t){ text, len });
}

static void texts_are_short_and_without_control_characters(void **state)
{
    char text[WGW_ANSWER_MOST + 1];

    (void)state;
    memset(text, 'x', sizeof text);
    assert_non_null(check_text("", 0));
    assert_null(check_text(text, WGW_ANSWER_MOST));
    assert_non_null(check_text(text, WGW_ANSWER_MOST + 1));
    assert_null(check_text("gr\303\266\303\237e", 7));
    for (int c = 0; c < 256; c++) {
        text[1] = (char)c;
        assert_int_equal(check_text(text, 3) == NULL, c >= 0x20 && c != 0x7f);
    }
    assert_non_null(wgw_answer_check(WGW_ASK_PASSWORD, WGW_VERDICT_YES, (wgw_span_t){ "x", 1 }));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_question_has_its_verdicts),
    cmocka_unit_test(other_verdicts_are_none),
    cmocka_unit_test(texts_are_short_and_without_control_characters),
};

UNIT_GROUP(answer_group, tests);
