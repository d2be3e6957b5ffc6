/* Whatever a text holds, the document is JSON, UTF-8, and harms no terminal. */
#include "unit.h"

#include "base/json.h"

static void assert_json(wgw_json_t *json, const char *wanted)
{
    assert_false(json->out.is_short);
    wgw_buffer_append(&json->out, "", 1);
    assert_string_equal(json->out.data, wanted);
    wgw_buffer_deinit(&json->out);
}

static void assert_text(const char *text, const char *wanted)
{
    wgw_json_t json = { .has_item = false };

    wgw_json_text(&json, NULL, text);
    assert_json(&json, wanted);
}

static void texts_are_escaped(void **state)
{
    (void)state;
    assert_text("", "\"\"");
    assert_text("a/b c", "\"a/b c\"");
    assert_text("\"\\\"", "\"\\\"\\\\\\\"\"");
    assert_text("\x01\t\n\x1b[2J\x7f", "\"\\u0001\\u0009\\u000a\\u001b[2J\\u007f\"");
    assert_text("</script>", "\"</script>\"");
}

static void only_utf8_comes_through(void **state)
{
    (void)state;
    assert_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
    assert_text("\xff", "\"\\ufffd\"");
    assert_text("\xc0\x80", "\"\\ufffd\\ufffd\"");
    assert_text("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    assert_text("\xe2\x82", "\"\\ufffd\\ufffd\"");
    assert_text("\xc2\x9b" "c1", "\"\\ufffd\\ufffdc1\"");
}

static void objects_and_arrays_have_commas_where_they_belong(void **state)
{
    wgw_json_t json = { .has_item = false };

    (void)state;
    wgw_json_open(&json, NULL, '{');
    wgw_json_open(&json, "empty", '[');
    wgw_json_close(&json, ']');
    wgw_json_number(&json, "least", INT64_MIN);
    wgw_json_open(&json, "list", '[');
    wgw_json_bool(&json, NULL, true);
    wgw_json_null(&json, NULL);
    wgw_json_open(&json, NULL, '{');
    wgw_json_close(&json, '}');
    wgw_json_close(&json, ']');
    wgw_json_text(&json, "a \"key\"", "x");
    wgw_json_close(&json, '}');
    assert_json(&json, "{\"empty\":[],\"least\":-9223372036854775808,\"list\":[true,null,{}],"
                       "\"a \\\"key\\\"\":\"x\"}");
}

static void seconds_have_six_digits(void **state)
{
    static const struct { int64_t us; const char *text; } TIMES[] = {
        { 0, "0.000000" }, { 1, "0.000001" }, { 1500000, "1.500000" }, { -1, "-0.000001" },
        { -2500000, "-2.500000" }, { INT64_MAX, "9223372036854.775807" },
        { INT64_MIN, "-9223372036854.775808" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        wgw_json_t json = { .has_item = false };
        wgw_json_seconds(&json, NULL, TIMES[i].us);
        assert_json(&json, TIMES[i].text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(texts_are_escaped),
    cmocka_unit_test(only_utf8_comes_through),
    cmocka_unit_test(objects_and_arrays_have_commas_where_they_belong),
    cmocka_unit_test(seconds_have_six_digits),
};

UNIT_GROUP(json_group, tests);
