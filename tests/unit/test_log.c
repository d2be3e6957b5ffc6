#include "unit.h"

#include "base/log.h"

typedef struct {
    wgw_level_t level;
    char text[2048];
    size_t len;
} seen_t;

static void keep(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    seen_t *seen = ctx;

    seen->level = level;
    seen->len = len;
    memcpy(seen->text, text, len);
}

static void formats_one_line(void **state)
{
    seen_t seen = { 0 };

    (void)state;
    wgw_log(&(wgw_log_sink_t){ keep, &seen }, WGW_LOG_WARN, WGWNO(0042) "%s has %d", "x", 3);
    assert_int_equal(seen.level, WGW_LOG_WARN);
    assert_string_equal(seen.text, "WGW0042: x has 3");
    assert_int_equal(seen.len, 16);
}

static void cuts_a_long_line(void **state)
{
    seen_t seen = { 0 };

    (void)state;
    wgw_log(&(wgw_log_sink_t){ keep, &seen }, WGW_LOG_ERR, "%2000d", 1);
    assert_int_equal(seen.len, 1023);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(formats_one_line),
    cmocka_unit_test(cuts_a_long_line),
};

UNIT_GROUP(log_group, tests);
