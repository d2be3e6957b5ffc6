#include "unit.h"

#include <stdlib.h>

#include "wire/spec.h"

static const char *const TEXTS[] = { "LANG=C.UTF-8", "", "A=b" };
static const char *const PRELOADS[] = { "script", "/srv/a.wsgi", "group" };
static const char *const LAYERS[] = { "=group", "on", "5000", "/srv/a:/srv/b" };
static const uint32_t NUMBERS[] = { 1, 0, UINT32_MAX };

static wgw_pool_spec_t make_pool(void)
{
    return (wgw_pool_spec_t){
        .name = "blog", .server = "www.example.com", .process_count = 3, .row_count = 4,
        .entry_count = 100, .socket_path = "/run/wsgi/1.2", .socket_uid = WGW_SPEC_NONE,
        .listen_backlog = 128, .send_buffer_bytes = 4096, .receive_buffer_bytes = 8192,
        .switches_user = 1, .uid = 33, .gid = 34, .groups = { NUMBERS, 3 }, .umask = 027,
        .chroot = "", .home = "/srv", .nice = (uint32_t)-5, .memory_limit = UINT64_MAX,
        .virtual_memory_limit = 1, .keeps_privileges = 1, .python = "/usr/bin/python3",
        .python_args = { TEXTS, 2 }, .extension = "/usr/lib/x.so", .environment = { TEXTS, 3 },
        .startup_timeout_us = 1, .graceful_timeout_us = 2, .shutdown_timeout_us = 3,
        .eviction_timeout_us = 4, .deadlock_timeout_us = 5, .log_level = 7, .worker = { "a\0b", 3 },
    };
}

static wgw_worker_spec_t make_worker(void)
{
    return (wgw_worker_spec_t){
        .process_group = "blog", .display_name = "(wsgi:blog)", .thread_count = 15,
        .stack_bytes = 1 << 20, .has_main_group = 1, .main_group = "g", .interpreter_limit = 16,
        .python_path = { TEXTS, 1 }, .preloads = { PRELOADS, 3 }, .server_version = { NUMBERS, 3 },
        .response_buffer_bytes = 8 << 20, .socket_timeout_us = 60, .graceful_timeout_us = 61,
        .shutdown_timeout_us = 62, .request_timeout_us = 63, .interrupt_timeout_us = 64,
        .deadlock_timeout_us = 65, .layers = { LAYERS, 4 }, .keeps_interpreters = 1,
        .locale = "C.UTF-8", .key = "0123",
    };
}

static void same_TEXT(const char *a, const char *b)
{
    assert_string_equal(a, b);
}

static void same_BLOB(wgw_blob_t a, wgw_blob_t b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, b.len);
}

static void same_LIST(wgw_texts_t a, wgw_texts_t b)
{
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < b.count; i++)
        assert_string_equal(a.items[i], b.items[i]);
}

static void same_NUMBERS(wgw_numbers_t a, wgw_numbers_t b)
{
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < b.count; i++)
        assert_true(a.items[i] == b.items[i]);
}

static void same_U32(uint32_t a, uint32_t b)
{
    assert_true(a == b);
}

static void same_U64(uint64_t a, uint64_t b)
{
    assert_true(a == b);
}

#define SAME(kind, field) same_##kind(got.field, want.field);

static void a_pool_passes(void **state)
{
    wgw_pool_spec_t want = make_pool(), got;
    wgw_buffer_t b = { 0 };
    void *memory;

    (void)state;
    wgw_pool_spec_encode(&b, &want);
    char *data = unit_copy(b.data, b.len);
    assert_true(wgw_pool_spec_decode(data, b.len, &got, &memory));
    free(data); /* what was decoded lives in `memory` */
    WGW_POOL_FIELDS(SAME)
    free(memory);
    wgw_buffer_deinit(&b);
}

static void a_worker_passes(void **state)
{
    wgw_worker_spec_t want = make_worker(), got;
    wgw_buffer_t b = { 0 };
    void *memory;

    (void)state;
    wgw_worker_spec_encode(&b, &want);
    assert_true(wgw_worker_spec_decode(b.data, b.len, &got, &memory));
    WGW_WORKER_FIELDS(SAME)
    free(memory);
    wgw_buffer_deinit(&b);
}

static void empty_ones_pass(void **state)
{
    wgw_pool_spec_t pool = { 0 };
    wgw_buffer_t b = { 0 };
    void *memory;

    (void)state;
    wgw_pool_spec_encode(&b, &pool);
    assert_true(wgw_pool_spec_decode(b.data, b.len, &pool, &memory));
    assert_string_equal(pool.name, "");
    assert_int_equal(pool.environment.count, 0);
    free(memory);
    wgw_buffer_deinit(&b);
}

static bool decodes_pool(const char *data, size_t len)
{
    wgw_pool_spec_t spec;
    char *copy = unit_copy(data, len);
    void *memory;
    bool is_right = wgw_pool_spec_decode(copy, len, &spec, &memory);

    free(copy);
    assert_int_equal(is_right, memory != NULL);
    free(memory);
    return is_right;
}

static bool decodes_worker(const char *data, size_t len)
{
    wgw_worker_spec_t spec;
    char *copy = unit_copy(data, len);
    void *memory;
    bool is_right = wgw_worker_spec_decode(copy, len, &spec, &memory);

    free(copy);
    assert_int_equal(is_right, memory != NULL);
    free(memory);
    return is_right;
}

static void no_part_and_no_more_than_one_is_taken(void **state)
{
    wgw_pool_spec_t pool = make_pool();
    wgw_worker_spec_t worker = make_worker();
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_pool_spec_encode(&b, &pool);
    for (size_t len = 0; len < b.len; len++)
        assert_false(decodes_pool(b.data, len));
    wgw_buffer_append(&b, "", 1);
    assert_false(decodes_pool(b.data, b.len));
    b.len = 0;
    wgw_worker_spec_encode(&b, &worker);
    for (size_t len = 0; len < b.len; len++)
        assert_false(decodes_worker(b.data, len));
    wgw_buffer_append(&b, "", 1);
    assert_false(decodes_worker(b.data, b.len));
    wgw_buffer_deinit(&b);
}

static void another_version_is_refused(void **state)
{
    wgw_pool_spec_t pool = make_pool();
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_pool_spec_encode(&b, &pool);
    b.data[0]++;
    assert_false(decodes_pool(b.data, b.len));
    wgw_buffer_deinit(&b);
}

/* A flipped bit may still be a record, but never one that reaches out of its memory. */
static void flipped_bits_do_no_harm(void **state)
{
    wgw_pool_spec_t pool = make_pool();
    wgw_worker_spec_t worker = make_worker();
    wgw_buffer_t b = { 0 };

    (void)state;
    wgw_pool_spec_encode(&b, &pool);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
        decodes_pool(b.data, b.len);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(decodes_pool(b.data, b.len));
    b.len = 0;
    wgw_worker_spec_encode(&b, &worker);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
        decodes_worker(b.data, b.len);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(decodes_worker(b.data, b.len));
    wgw_buffer_deinit(&b);
}

/* As many items as there can be in so many bytes, each kind of array in turn. */
static void the_most_items_have_room(void **state)
{
    static const char *many[64];
    static uint32_t numbers[64];
    wgw_worker_spec_t worker = { .python_path = { many, 64 }, .preloads = { many, 64 },
                                 .server_version = { numbers, 63 } };
    wgw_pool_spec_t pool = { .groups = { numbers, 63 }, .python_args = { many, 64 },
                             .environment = { many, 64 } };
    wgw_buffer_t b = { 0 };

    (void)state;
    for (size_t i = 0; i < 64; i++)
        many[i] = "";
    wgw_worker_spec_encode(&b, &worker);
    assert_true(decodes_worker(b.data, b.len));
    b.len = 0;
    wgw_pool_spec_encode(&b, &pool);
    assert_true(decodes_pool(b.data, b.len));
    wgw_buffer_deinit(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_pool_passes),
    cmocka_unit_test(a_worker_passes),
    cmocka_unit_test(empty_ones_pass),
    cmocka_unit_test(no_part_and_no_more_than_one_is_taken),
    cmocka_unit_test(another_version_is_refused),
    { "flipped_bits_of_a_record_do_no_harm", flipped_bits_do_no_harm, NULL, NULL, NULL },
    cmocka_unit_test(the_most_items_have_room),
};

UNIT_GROUP(spec_group, tests);
