#include "unit.h"

#include "supervisor/logfile.h"
#include "supervisor/logpipe.h"
#include "supervisor/message.h"

static void assert_escaped(const char *text, const char *wanted)
{
    char out[256];
    const char *at = text;
    size_t put = wgw_sup_escape(&at, text + strlen(text), out, sizeof out - 1);

    out[put] = '\0';
    assert_string_equal(out, wanted);
    assert_ptr_equal(at, text + strlen(text));
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    assert_escaped("a\x1b[2Jb\x7f", "a\\x1b[2Jb\\x7f");
    assert_escaped("tab\tstays", "tab\tstays");
    assert_escaped("\r\n", "\\x0d\\x0a");
    assert_escaped("\xc2\x9b" "c1", "\\xc2\\x9bc1");
}

static void utf8_stays_and_what_is_none_is_escaped(void **state)
{
    (void)state;
    assert_escaped("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                   "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_escaped("\xc0\x80 \xed\xa0\x80 \xf5", "\\xc0\\x80 \\xed\\xa0\\x80 \\xf5");
    assert_escaped("\xe2\x82", "\\xe2\\x82");
    assert_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

static void escape_stops_before_half_a_character(void **state)
{
    const char *text = "ab\xe2\x82\xac", *at = text;
    char out[4];

    (void)state;
    assert_int_equal(wgw_sup_escape(&at, text + 5, out, sizeof out), 2);
    assert_ptr_equal(at, text + 2);
}

static void level_prefixes_are_read(void **state)
{
    wgw_level_t level;

    (void)state;
    assert_int_equal(wgw_sup_log_level("<4>x", 4, &level), 3);
    assert_int_equal(level, WGW_LOG_WARN);
    assert_int_equal(wgw_sup_log_level("<0>", 3, &level), 3);
    assert_int_equal(level, WGW_LOG_CRIT);
    assert_int_equal(wgw_sup_log_level("<8>x", 4, &level), 0);
    assert_int_equal(level, WGW_LOG_ERR);
    assert_int_equal(wgw_sup_log_level("<4", 2, &level), 0);
}

static void the_rate_has_a_burst_and_fills_again(void **state)
{
    wgw_log_rate_t rate;

    (void)state;
    wgw_sup_log_rate_init(&rate, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(wgw_sup_log_rate_take(&rate, 10));
    assert_false(wgw_sup_log_rate_take(&rate, 10));
    assert_int_equal(rate.dropped_count, 1);
    for (int i = 0; i < 200; i++)
        assert_true(wgw_sup_log_rate_take(&rate, 1000000));
    assert_false(wgw_sup_log_rate_take(&rate, 1000000));
    assert_true(wgw_sup_log_rate_take(&rate, INT64_MAX / 2));
    assert_int_equal(rate.token_count, 999);
}

static void foreign_worker_messages_are_refused(void **state)
{
    wgw_worker_message_t m;

    (void)state;
    assert_true(wgw_sup_worker_message_decode("\x10", 1, &m));
    assert_true(wgw_sup_worker_message_decode("\x11\x01", 2, &m));
    assert_int_equal(m.reason, WGW_LEAVE_SHUTDOWN);
    assert_false(wgw_sup_worker_message_decode("\x11\x02", 2, &m));
    assert_true(wgw_sup_worker_message_decode("\x12\x02", 2, &m));
    assert_int_equal(m.cause, WGW_CAUSE_EVICTION);
    assert_false(wgw_sup_worker_message_decode((char[]){ WGW_EXEC_WANTS, WGW_CAUSE_COUNT }, 2, &m));
    assert_false(wgw_sup_worker_message_decode("\x12", 1, &m));
    assert_false(wgw_sup_worker_message_decode("\x11", 1, &m));
    assert_false(wgw_sup_worker_message_decode("\x10\x00", 2, &m));
    assert_false(wgw_sup_worker_message_decode("\x01", 1, &m));
    assert_false(wgw_sup_worker_message_decode("", 0, &m));
}

static void foreign_parent_messages_are_refused(void **state)
{
    wgw_parent_message_t m;

    (void)state;
    assert_null(wgw_sup_message_decode("\x03", 1, &m));
    assert_null(wgw_sup_message_decode("\x04\x01", 2, &m));
    assert_true(m.is_graceful);
    assert_non_null(wgw_sup_message_decode("\x04", 1, &m));
    assert_non_null(wgw_sup_message_decode("\x03x", 2, &m));
    assert_non_null(wgw_sup_message_decode("\x02xxxx", 5, &m));
    assert_non_null(wgw_sup_message_decode("\x01\x02", 2, &m));
    assert_non_null(wgw_sup_message_decode("", 0, &m));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(control_characters_are_escaped),
    cmocka_unit_test(utf8_stays_and_what_is_none_is_escaped),
    cmocka_unit_test(escape_stops_before_half_a_character),
    cmocka_unit_test(level_prefixes_are_read),
    cmocka_unit_test(the_rate_has_a_burst_and_fills_again),
    cmocka_unit_test(foreign_worker_messages_are_refused),
    cmocka_unit_test(foreign_parent_messages_are_refused),
};

UNIT_GROUP(supervisor_group, tests);
