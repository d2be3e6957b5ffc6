#include "unit.h"

#include <stdio.h>

#include "exchange/head.h"

typedef struct {
    const char *text;
    size_t len;
    wgw_head_fault_t fault;
} case_t;

#define CASE(text, fault) { text, sizeof text - 1, fault }

static void status_is_checked(void **state)
{
    static const case_t CASES[] = {
        CASE("200 OK", WGW_HEAD_OK),
        CASE("200", WGW_HEAD_OK),
        CASE("200 ", WGW_HEAD_OK),
        CASE("404 Nicht da \xe4", WGW_HEAD_OK),
        CASE("599 x", WGW_HEAD_OK),
        CASE("", WGW_HEAD_STATUS_FORM),
        CASE("20", WGW_HEAD_STATUS_FORM),
        CASE("2000 OK", WGW_HEAD_STATUS_FORM),
        CASE("200OK", WGW_HEAD_STATUS_FORM),
        CASE(" 200 OK", WGW_HEAD_STATUS_FORM),
        CASE("OK", WGW_HEAD_STATUS_FORM),
        CASE("100 Continue", WGW_HEAD_STATUS_INTERIM),
        CASE("101 Switching", WGW_HEAD_STATUS_INTERIM),
        CASE("199 x", WGW_HEAD_STATUS_INTERIM),
        CASE("000 x", WGW_HEAD_STATUS_RANGE),
        CASE("600 x", WGW_HEAD_STATUS_RANGE),
        CASE("999 x", WGW_HEAD_STATUS_RANGE),
        CASE("200 O\nK", WGW_HEAD_STATUS_CONTROL),
        CASE("200 OK\r", WGW_HEAD_STATUS_CONTROL),
        CASE("200 O\0K", WGW_HEAD_STATUS_CONTROL),
        CASE("200 O\x7fK", WGW_HEAD_STATUS_CONTROL),
        CASE("200\tOK", WGW_HEAD_STATUS_CONTROL),
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *reason;
        int code;
        print_message("%s\n", CASES[i].text);
        assert_int_equal(wgw_head_check_status(CASES[i].text, CASES[i].len, &code, &reason),
                         CASES[i].fault);
    }
}

static void status_is_split(void **state)
{
    const char *reason;
    int code;

    (void)state;
    assert_int_equal(wgw_head_check_status("404 Not Found", 13, &code, &reason), WGW_HEAD_OK);
    assert_int_equal(code, 404);
    assert_string_equal(reason, "Not Found");
    assert_int_equal(wgw_head_check_status("204", 3, &code, &reason), WGW_HEAD_OK);
    assert_string_equal(reason, "");
}

static void name_is_a_token(void **state)
{
    static const case_t CASES[] = {
        CASE("X-Name", WGW_HEAD_OK),
        CASE("a!#$%&'*+-.^_`|~0", WGW_HEAD_OK),
        CASE("", WGW_HEAD_NAME_EMPTY),
        CASE("X Name", WGW_HEAD_NAME_CHARACTER),
        CASE("X:", WGW_HEAD_NAME_CHARACTER),
        CASE("X\n", WGW_HEAD_NAME_CHARACTER),
        CASE("X\0", WGW_HEAD_NAME_CHARACTER),
        CASE("X(", WGW_HEAD_NAME_CHARACTER),
        CASE("X\xe4", WGW_HEAD_NAME_CHARACTER),
        CASE("\"X\"", WGW_HEAD_NAME_CHARACTER),
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(wgw_head_check_name(CASES[i].text, CASES[i].len), CASES[i].fault);
}

static void value_has_no_control_character(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char value[3] = { 'a', (char)c, 'b' };
        wgw_head_fault_t fault = wgw_head_check_value(value, sizeof value);
        assert_int_equal(fault, c < 0x20 || c == 0x7f ? WGW_HEAD_VALUE_CONTROL : WGW_HEAD_OK);
    }
    assert_int_equal(wgw_head_check_value("", 0), WGW_HEAD_OK);
}

static void length_is_one_number(void **state)
{
    static const char *const WRONG[] = { "", " ", "-1", "+1", "1 2", "0x10", "1.0", "1,1", " 1",
                                         "1 ", "9999999999999999999" };
    int64_t length;

    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_int_equal(wgw_head_parse_length(WRONG[i], strlen(WRONG[i]), &length),
                         WGW_HEAD_LENGTH_FORM);
    assert_int_equal(wgw_head_parse_length("0", 1, &length), WGW_HEAD_OK);
    assert_int_equal(length, 0);
    assert_int_equal(wgw_head_parse_length("999999999999999999", 18, &length), WGW_HEAD_OK);
    assert_true(length == INT64_C(999999999999999999));
}

static void hop_by_hop_fields_are_known(void **state)
{
    static const char *const YES[] = { "connection", "KEEP-ALIVE", "Proxy-Authenticate", "TE",
                                       "Proxy-Authorization", "Trailer", "Trailers", "Upgrade",
                                       "transfer-encoding" };
    static const char *const NO[] = { "Content-Length", "Connect", "Connections", "", "T" };

    (void)state;
    for (size_t i = 0; i < sizeof YES / sizeof *YES; i++)
        assert_true(wgw_head_is_hop_by_hop(YES[i], strlen(YES[i])));
    for (size_t i = 0; i < sizeof NO / sizeof *NO; i++)
        assert_false(wgw_head_is_hop_by_hop(NO[i], strlen(NO[i])));
}

static void every_fault_has_a_text(void **state)
{
    (void)state;
    for (int fault = WGW_HEAD_OK; fault <= WGW_HEAD_LENGTH_FORM; fault++)
        assert_non_null(wgw_head_fault_text((wgw_head_fault_t)fault));
}

static void some_statuses_have_no_body(void **state)
{
    (void)state;
    assert_true(wgw_head_is_bodiless(204));
    assert_true(wgw_head_is_bodiless(304));
    assert_false(wgw_head_is_bodiless(200));
    assert_false(wgw_head_is_bodiless(404));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(status_is_checked),
    cmocka_unit_test(status_is_split),
    cmocka_unit_test(name_is_a_token),
    cmocka_unit_test(value_has_no_control_character),
    cmocka_unit_test(length_is_one_number),
    cmocka_unit_test(hop_by_hop_fields_are_known),
    cmocka_unit_test(every_fault_has_a_text),
    cmocka_unit_test(some_statuses_have_no_body),
};

UNIT_GROUP(head_group, tests);
