#include "unit.h"

#include <stdlib.h>

#include "base/cursor.h"

static wgw_cursor_t cursor_of(const void *data, size_t len)
{
    return (wgw_cursor_t){ .at = data, .end = (const char *)data + len };
}

static void numbers_are_little_endian(void **state)
{
    static const unsigned char WANTED[] = { 0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
                                            0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08 };
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_put_u8(&b, 0x01);
    wgw_put_u16(&b, 0x0203);
    wgw_put_u32(&b, 0x04050607);
    wgw_put_u64(&b, 0x08090a0b0c0d0e0f);
    assert_int_equal(b.len, sizeof WANTED);
    assert_memory_equal(b.data, WANTED, sizeof WANTED);
    wgw_cursor_t c = cursor_of(b.data, b.len);
    assert_int_equal(wgw_cursor_u8(&c), 0x01);
    assert_int_equal(wgw_cursor_u16(&c), 0x0203);
    assert_int_equal(wgw_cursor_u32(&c), 0x04050607);
    assert_false(wgw_cursor_is_done(&c));
    assert_true(wgw_cursor_u64(&c) == 0x08090a0b0c0d0e0f);
    assert_true(wgw_cursor_is_done(&c));
    wgw_buffer_deinit(&b);
}

static void the_largest_numbers_pass(void **state)
{
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_put_u8(&b, UINT8_MAX);
    wgw_put_u16(&b, UINT16_MAX);
    wgw_put_u32(&b, UINT32_MAX);
    wgw_put_u64(&b, UINT64_MAX);
    wgw_cursor_t c = cursor_of(b.data, b.len);
    assert_int_equal(wgw_cursor_u8(&c), UINT8_MAX);
    assert_int_equal(wgw_cursor_u16(&c), UINT16_MAX);
    assert_true(wgw_cursor_u32(&c) == UINT32_MAX);
    assert_true(wgw_cursor_u64(&c) == UINT64_MAX);
    wgw_buffer_deinit(&b);
}

static void a_fault_stays(void **state)
{
    char *data = unit_copy("\1\2\3", 3);
    wgw_cursor_t c = cursor_of(data, 3);

    (void)state;
    assert_int_equal(wgw_cursor_u32(&c), 0);
    assert_true(c.is_bad);
    assert_int_equal(wgw_cursor_u8(&c), 0); /* although one byte would be there */
    assert_null(wgw_cursor_bytes(&c, 0));
    assert_string_equal(wgw_cursor_text(&c, NULL), "");
    assert_false(wgw_cursor_is_done(&c));
    free(data);
}

static void bytes_stay_within_their_bounds(void **state)
{
    char *data = unit_copy("abc", 3);
    wgw_cursor_t c = cursor_of(data, 3);

    (void)state;
    assert_ptr_equal(wgw_cursor_bytes(&c, 2), data);
    assert_ptr_equal(wgw_cursor_bytes(&c, 0), data + 2);
    assert_null(wgw_cursor_bytes(&c, SIZE_MAX));
    assert_true(c.is_bad);
    free(data);
}

static void a_text_passes(void **state)
{
    wgw_buffer_t b = { 0 };
    size_t len;

    (void)state;
    wgw_put_text(&b, "h\xc3\xa9");
    wgw_put_text(&b, NULL);
    wgw_put_text_len(&b, "abcdef", 3);
    wgw_cursor_t c = cursor_of(b.data, b.len);
    assert_string_equal(wgw_cursor_text(&c, &len), "h\xc3\xa9");
    assert_int_equal(len, 3);
    assert_string_equal(wgw_cursor_text(&c, &len), "");
    assert_int_equal(len, 0);
    assert_string_equal(wgw_cursor_text(&c, NULL), "abc");
    assert_true(wgw_cursor_is_done(&c));
    wgw_buffer_deinit(&b);
}

/* Whatever a text is not: each has to be refused without a look beyond its end. */
static void what_is_no_text_is_refused(void **state)
{
    static const struct { const char *data; size_t len; } CASES[] = {
        { "", 0 },
        { "\0\0\0", 3 },
        { "\0\0\0\0", 4 },              /* no NUL after it */
        { "\1\0\0\0a", 5 },             /* no NUL after it */
        { "\1\0\0\0ab", 6 },            /* another byte in its place */
        { "\2\0\0\0a\0\0", 7 },         /* a NUL within */
        { "\3\0\0\0a\0", 6 },           /* shorter than it says */
        { "\xff\xff\xff\377ab", 6 },    /* the longest there is */
        { "\xff\xff\xff\x7f\0", 5 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *data = unit_copy(CASES[i].data, CASES[i].len);
        wgw_cursor_t c = cursor_of(data, CASES[i].len);
        size_t len = 99;
        assert_string_equal(wgw_cursor_text(&c, &len), "");
        assert_int_equal(len, 0);
        assert_true(c.is_bad);
        free(data);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(numbers_are_little_endian),
    cmocka_unit_test(the_largest_numbers_pass),
    cmocka_unit_test(a_fault_stays),
    cmocka_unit_test(bytes_stay_within_their_bounds),
    cmocka_unit_test(a_text_passes),
    cmocka_unit_test(what_is_no_text_is_refused),
};

UNIT_GROUP(cursor_group, tests);
