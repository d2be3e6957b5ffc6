#include "unit.h"

#include "base/buffer.h"

static void appends_and_grows(void **state)
{
    wgw_buffer_t b = { 0 };
    char block[1000];

    (void)state;
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 100; i++)
        assert_true(wgw_buffer_append(&b, block, sizeof block));
    assert_int_equal(b.len, 100000);
    assert_true(b.size >= b.len);
    assert_int_equal(b.data[99999], 'x');
    wgw_buffer_deinit(&b);
    assert_null(b.data);
}

static void appends_nothing(void **state)
{
    wgw_buffer_t b = { 0 };

    (void)state;
    assert_true(wgw_buffer_append(&b, NULL, 0));
    assert_int_equal(b.len, 0);
    wgw_buffer_deinit(&b);
}

static void consumes_from_the_front(void **state)
{
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_buffer_append(&b, "abcdef", 6);
    wgw_buffer_consume(&b, 2);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "cdef", 4);
    wgw_buffer_consume(&b, 100);
    assert_int_equal(b.len, 0);
    wgw_buffer_deinit(&b);
}

static void shortage_is_sticky_until_cleared(void **state)
{
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_buffer_append(&b, "abc", 3);
    assert_false(wgw_buffer_reserve(&b, SIZE_MAX / 2));
    assert_true(b.is_short);
    assert_false(wgw_buffer_append(&b, "d", 1));
    assert_int_equal(b.len, 3);
    wgw_buffer_clear(&b, 1024);
    assert_true(wgw_buffer_append(&b, "d", 1));
    wgw_buffer_deinit(&b);
}

static void reserve_does_not_overflow(void **state)
{
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_buffer_append(&b, "abc", 3);
    assert_false(wgw_buffer_reserve(&b, SIZE_MAX));
    assert_memory_equal(b.data, "abc", 3);
    wgw_buffer_deinit(&b);
}

static void clear_keeps_only_small_memory(void **state)
{
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_buffer_reserve(&b, 100000);
    wgw_buffer_clear(&b, 1000);
    assert_null(b.data);
    wgw_buffer_reserve(&b, 100);
    wgw_buffer_clear(&b, 1000);
    assert_non_null(b.data);
    wgw_buffer_deinit(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(appends_and_grows),
    cmocka_unit_test(appends_nothing),
    cmocka_unit_test(consumes_from_the_front),
    cmocka_unit_test(shortage_is_sticky_until_cleared),
    cmocka_unit_test(reserve_does_not_overflow),
    cmocka_unit_test(clear_keeps_only_small_memory),
};

UNIT_GROUP(buffer_group, tests);
