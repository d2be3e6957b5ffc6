#include "unit.h"

#include "exchange/key.h"

static void every_key_is_found_by_its_name(void **state)
{
    (void)state;
    for (int key = 1; key < WGW_KEY_COUNT; key++) {
        const wgw_key_info_t *info = wgw_key_info((wgw_key_t)key);
        assert_int_equal(strlen(info->name), info->len);
        assert_int_equal(wgw_key_find(info->name, info->len), key);
    }
}

static void other_names_are_not_found(void **state)
{
    static const char *const NAMES[] = { "", "HTTP_HOS", "HTTP_HOSTS", "http_host", "X" };

    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        assert_int_equal(wgw_key_find(NAMES[i], strlen(NAMES[i])), WGW_KEY_NONE);
}

static void secrets_are_not_remembered(void **state)
{
    (void)state;
    assert_false(wgw_key_info(WGW_KEY_HTTP_AUTHORIZATION)->flags & WGW_KEY_MEMO);
    assert_false(wgw_key_info(WGW_KEY_HTTP_COOKIE)->flags & WGW_KEY_MEMO);
    assert_false(wgw_key_info(WGW_KEY_REMOTE_USER)->flags & WGW_KEY_MEMO);
    assert_false(wgw_key_info(WGW_KEY_QUERY_STRING)->flags & WGW_KEY_MEMO); /* links with tokens */
    assert_false(wgw_key_info(WGW_KEY_REQUEST_URI)->flags & WGW_KEY_MEMO);
    assert_false(wgw_key_info(WGW_KEY_PATH_INFO)->flags & WGW_KEY_MEMO);
}

static void twins_begin_with_mod_wsgi(void **state)
{
    (void)state;
    for (int key = 1; key < WGW_KEY_COUNT; key++) {
        const wgw_key_info_t *info = wgw_key_info((wgw_key_t)key);
        assert_int_equal(!!(info->flags & WGW_KEY_TWIN), strncmp(info->name, "mod_wsgi.", 9) == 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_key_is_found_by_its_name),
    cmocka_unit_test(other_names_are_not_found),
    cmocka_unit_test(secrets_are_not_remembered),
    cmocka_unit_test(twins_begin_with_mod_wsgi),
};

UNIT_GROUP(key_group, tests);
