#include "unit.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "exchange/message.h"
#include "wire/frame.h"

static const wgw_var_t VARS[] = {
    { .key = WGW_KEY_REQUEST_METHOD, .value = "GET", .value_len = 3 },
    { .key = WGW_KEY_NONE, .name = "HTTP_X_ODD", .name_len = 10, .value = "a\0\xff", .value_len = 3 },
    { .key = WGW_KEY_QUERY_STRING, .value = "", .value_len = 0 },
};

static wgw_request_t make_request(void)
{
    return (wgw_request_t){
        .vars = VARS, .var_count = 3,
        .target = { .script = "/srv/app.wsgi", .callable = "application", .group = "www|",
                    .file = { 1, 2, -3, 4 }, .is_reloading = true },
        .is_multithread = true, .is_bodiless = true, .request_start = 1700000000.25,
        .queue_start = 1700000000.5, .content_length = -1, .deadline = { 123456789 },
        .ends_by = { 987654321 },
    };
}

/* Returns: the payload in memory of its own, *len_out bytes. */
static char *encode(const wgw_request_t *request, const wgw_request_note_t *note, unsigned flags,
                    size_t *len_out)
{
    wgw_buffer_t b = { 0 };
    wgw_frame_t frame;

    wgw_buffer_append(&b, "before", 6); /* an OPEN frame may stand before it */
    assert_true(wgw_request_encode(&b, request, note, flags));
    assert_true(wgw_frame_decode(b.data + 6, &frame));
    assert_int_equal(frame.type, WGW_FRAME_REQUEST);
    assert_int_equal(frame.flags, flags);
    assert_int_equal(frame.len, b.len - 6 - WGW_FRAME_HEADER_SIZE);
    char *payload = unit_copy(b.data + 6 + WGW_FRAME_HEADER_SIZE, frame.len);
    wgw_buffer_deinit(&b);
    *len_out = frame.len;
    return payload;
}

static void a_request_passes(void **state)
{
    wgw_request_t want = make_request(), got;
    wgw_request_note_t note = { .entry = 7, .epoch = 8, .body = { "body", 4 }, .has_body = true };
    wgw_request_note_t seen;
    wgw_var_store_t store = { 0 };
    size_t len;

    (void)state;
    char *payload = encode(&want, &note, WGW_FRAME_HAS_FILE, &len);
    assert_true(wgw_request_decode(payload, len, &store, &got, &seen));
    assert_int_equal(seen.entry, 7);
    assert_int_equal(seen.epoch, 8);
    assert_true(seen.has_body);
    assert_int_equal(seen.body.len, 4);
    assert_memory_equal(seen.body.data, "body", 4);
    assert_string_equal(got.target.script, "/srv/app.wsgi");
    assert_null(got.target.module);
    assert_string_equal(got.target.callable, "application");
    assert_string_equal(got.target.group, "www|");
    assert_memory_equal(&got.target.file, &want.target.file, sizeof got.target.file);
    assert_true(got.target.is_reloading && got.is_multithread && got.is_bodiless);
    assert_false(got.is_multiprocess);
    assert_true(got.content_length == -1 && got.deadline.at_us == 123456789);
    assert_true(got.ends_by.at_us == 987654321);
    assert_true(got.request_start == want.request_start && got.queue_start == want.queue_start);
    assert_int_equal(got.var_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(got.vars[i].key, VARS[i].key);
        assert_int_equal(got.vars[i].value_len, VARS[i].value_len);
        assert_memory_equal(got.vars[i].value, VARS[i].value, VARS[i].value_len);
        assert_int_equal(got.vars[i].name_len, VARS[i].name_len);
    }
    assert_memory_equal(got.vars[1].name, "HTTP_X_ODD", 10);
    free(payload);
    free(store.vars);
}

static void a_module_and_the_other_bits_pass(void **state)
{
    wgw_request_t want = { .target = { .module = "a.b", .callable = "c.d", .group = "" },
                           .is_multiprocess = true, .content_length = INT64_MAX };
    wgw_request_note_t note = { .has_body = false }, seen;
    wgw_var_store_t store = { 0 };
    wgw_request_t got;
    size_t len;

    (void)state;
    char *payload = encode(&want, &note, 0, &len);
    assert_true(wgw_request_decode(payload, len, &store, &got, &seen));
    assert_string_equal(got.target.module, "a.b");
    assert_null(got.target.script);
    assert_true(got.is_multiprocess);
    assert_false(got.is_multithread || got.is_bodiless || got.target.is_reloading);
    assert_true(got.content_length == INT64_MAX);
    assert_int_equal(got.var_count, 0);
    assert_false(seen.has_body);
    free(payload);
    free(store.vars);
}

static bool decodes(const char *payload, size_t len)
{
    wgw_var_store_t store = { 0 };
    wgw_request_note_t note;
    wgw_request_t request;
    char *copy = unit_copy(payload, len);
    bool is_right = wgw_request_decode(copy, len, &store, &request, &note);

    free(copy);
    free(store.vars);
    return is_right;
}

/* Without a body the payload ends with its last variable: every shorter one is no request, and
 * neither is a longer one. */
static void no_part_of_a_request_is_one(void **state)
{
    wgw_request_t request = make_request();
    wgw_request_note_t note = { .has_body = false };
    size_t len;

    (void)state;
    char *payload = encode(&request, &note, 0, &len);
    for (size_t part = 0; part < len; part++)
        assert_false(decodes(payload, part));
    assert_true(decodes(payload, len));
    char *longer = malloc(len + 1);
    assert_non_null(longer);
    memcpy(longer, payload, len);
    longer[len] = 0;
    assert_false(decodes(longer, len + 1)); /* bytes of a body, which the bits say is not here */
    free(longer);
    free(payload);
}

static void flipped_bits_do_no_harm(void **state)
{
    wgw_request_t request = make_request();
    wgw_request_note_t note = { .has_body = true, .body = { "xyz", 3 } };
    size_t len;

    (void)state;
    char *payload = encode(&request, &note, 0, &len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        payload[bit / 8] = (char)(payload[bit / 8] ^ 1 << bit % 8);
        decodes(payload, len);
        payload[bit / 8] = (char)(payload[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(decodes(payload, len));
    free(payload);
}

/* A payload with the given bits and number of variables, and `rest` after it. */
static bool decodes_with(uint32_t bits, uint32_t count, const char *rest, size_t len)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u32(&b, 0);
    wgw_put_u32(&b, 0);
    wgw_put_u32(&b, bits);
    for (int i = 0; i < 9; i++)
        wgw_put_u64(&b, 0);
    for (int i = 0; i < 3; i++)
        wgw_put_text(&b, "");
    wgw_put_u32(&b, count);
    wgw_buffer_append(&b, rest, len);
    bool is_right = decodes(b.data, b.len);
    wgw_buffer_deinit(&b);
    return is_right;
}

static void hostile_requests_are_refused(void **state)
{
    static const char KNOWN[] = "\1\0\0\0\0\0\0\0", UNKNOWN[] = "\0\0\1\0\0\0\0\0X",
                      NAMELESS[] = "\0\0\0\0\0\0\0\0", BOTH[] = "\1\0\1\0\0\0\0\0X",
                      NO_KEY[] = "\xff\xff\0\0\0\0\0\0", LONG[] = "\1\0\0\0\xff\xff\xff\xff";
    enum { SIZE = 8 };

    (void)state;
    assert_true(decodes_with(0, 0, NULL, 0));
    assert_true(decodes_with(0, 1, KNOWN, SIZE));
    assert_true(decodes_with(0, 1, UNKNOWN, SIZE + 1));
    assert_false(decodes_with(0, 1, NAMELESS, SIZE));
    assert_false(decodes_with(0, 1, BOTH, SIZE + 1));
    assert_false(decodes_with(0, 1, NO_KEY, SIZE));
    assert_false(decodes_with(0, 1, LONG, SIZE));
    assert_false(decodes_with(0, 1, NULL, 0));
    assert_false(decodes_with(0, 2, KNOWN, SIZE));
    assert_false(decodes_with(0, UINT32_MAX, KNOWN, SIZE));
    assert_false(decodes_with(0, UINT32_MAX / 8, KNOWN, SIZE));
    assert_false(decodes_with(64, 0, NULL, 0));
    assert_false(decodes_with(UINT32_MAX, 0, NULL, 0));
}

static void a_name_without_end_is_left_out(void **state)
{
    static char name[70000];
    wgw_var_t vars[] = { { .name = name, .name_len = sizeof name, .value = "", .value_len = 0 },
                         { .key = WGW_KEY_PATH_INFO, .value = "/", .value_len = 1 } };
    wgw_request_t request = { .vars = vars, .var_count = 2 }, got;
    wgw_request_note_t note = { .has_body = false };
    wgw_var_store_t store = { 0 };
    size_t len;

    (void)state;
    memset(name, 'X', sizeof name);
    char *payload = encode(&request, &note, 0, &len);
    assert_true(wgw_request_decode(payload, len, &store, &got, &note));
    assert_int_equal(got.var_count, 1);
    assert_int_equal(got.vars[0].key, WGW_KEY_PATH_INFO);
    free(payload);
    free(store.vars);
}

static void too_large_a_request_is_not_encoded(void **state)
{
    size_t len = wgw_frame_most(WGW_FRAME_REQUEST);
    char *value = calloc(1, len);
    wgw_var_t var = { .key = WGW_KEY_PATH_INFO, .value = value, .value_len = (uint32_t)len };
    wgw_request_t request = { .vars = &var, .var_count = 1 };
    wgw_request_note_t note = { .has_body = false };
    wgw_buffer_t b = { 0 };

    (void)state;
    assert_non_null(value);
    assert_false(wgw_request_encode(&b, &request, &note, 0));
    wgw_buffer_deinit(&b);
    free(value);
}

/* --- head ----------------------------------------------------------------------------- */

static const wgw_head_limits_t LIMITS = { .line_most = 100 };

static const char *decode_head(const char *payload, size_t len, wgw_field_store_t *store,
                               wgw_head_t *head, int64_t *length)
{
    return wgw_head_decode(payload, len, &LIMITS, store, head, length);
}

static void a_head_passes(void **state)
{
    static const wgw_field_t FIELDS[] = { { "Content-Type", "text/plain" }, { "X", "" },
                                          { "content-length", "12" } };
    wgw_head_t want = { 404, "Not Found", FIELDS, 3 }, got;
    wgw_field_store_t store = { 0 };
    wgw_buffer_t b = { 0 };
    int64_t length;

    (void)state;
    assert_true(wgw_head_encode(&b, &want));
    char *payload = unit_copy(b.data + WGW_FRAME_HEADER_SIZE, b.len - WGW_FRAME_HEADER_SIZE);
    assert_null(decode_head(payload, b.len - WGW_FRAME_HEADER_SIZE, &store, &got, &length));
    assert_int_equal(got.status, 404);
    assert_string_equal(got.reason, "Not Found");
    assert_int_equal(got.field_count, 3);
    assert_int_equal(length, 12);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(got.fields[i].name, FIELDS[i].name);
        assert_string_equal(got.fields[i].value, FIELDS[i].value);
    }
    for (size_t part = 0; part < b.len - WGW_FRAME_HEADER_SIZE; part++) {
        char *copy = unit_copy(payload, part);
        assert_non_null(decode_head(copy, part, &store, &got, &length));
        free(copy);
    }
    free(payload);
    free(store.fields);
    wgw_buffer_deinit(&b);
}

static const char *wrong_with(int status, const char *reason, const char *name, const char *value)
{
    wgw_field_t fields[] = { { name, value }, { "Content-Length", "1" } };
    wgw_head_t head = { status, reason, fields, name ? 2 : 0 }, got;
    wgw_field_store_t store = { 0 };
    wgw_buffer_t b = { 0 };
    int64_t length;

    assert_true(wgw_head_encode(&b, &head));
    const char *wrong = decode_head(b.data + WGW_FRAME_HEADER_SIZE, b.len - WGW_FRAME_HEADER_SIZE,
                                    &store, &got, &length);
    free(store.fields);
    wgw_buffer_deinit(&b);
    return wrong;
}

static void hostile_heads_are_refused(void **state)
{
    static const struct { int status; const char *reason, *name, *value; } CASES[] = {
        { 199, "", NULL, NULL },        { 600, "", NULL, NULL },
        { 0, "", NULL, NULL },          { 65535, "", NULL, NULL },
        { 200, "O\rK", NULL, NULL },    { 200, "", "", "x" },
        { 200, "", "X Y", "x" },        { 200, "", "X:", "x" },
        { 200, "", "X", "a\r\nb" },     { 200, "", "X", "\x7f" },
        { 200, "", "X\xc3\xa9", "x" },  { 200, "", "Connection", "close" },
        { 200, "", "transfer-encoding", "chunked" }, { 200, "", "UPGRADE", "h2c" },
        { 200, "", "Content-Length", "1" }, /* the second one */
        { 200, "", "Content-Length", "-1" }, { 200, "", "Content-Length", "1, 1" },
        { 200, "", "Content-Length", "99999999999999999999" },
        { 200, "", "X", "1234567890123456789012345678901234567890123456789012345678901234567890"
                        "123456789012345678901234567890" }, /* longer than the limit */
    };

    (void)state;
    assert_null(wrong_with(200, "", "X", "ok"));
    assert_null(wrong_with(599, "\xff", "X", "\xff"));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_non_null(wrong_with(CASES[i].status, CASES[i].reason, CASES[i].name, CASES[i].value));
}

static void hostile_counts_in_a_head_are_refused(void **state)
{
    static const uint32_t COUNTS[] = { 1, 2, 3, 1000, UINT32_MAX / 10, UINT32_MAX };
    wgw_field_store_t store = { 0 };
    wgw_head_t got;
    int64_t length;

    (void)state;
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        wgw_buffer_t b = { 0 };
        wgw_put_u16(&b, 200);
        wgw_put_text(&b, "OK");
        wgw_put_u32(&b, COUNTS[i]);
        wgw_buffer_append(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19);
        char *copy = unit_copy(b.data, b.len);
        assert_non_null(decode_head(copy, b.len, &store, &got, &length));
        free(copy);
        wgw_buffer_deinit(&b);
    }
    assert_true(store.size < 1000);
    free(store.fields);
}

static void too_large_a_head_is_not_encoded(void **state)
{
    size_t len = wgw_frame_most(WGW_FRAME_HEAD);
    char *value = malloc(len + 1);
    wgw_field_t field = { "X", value };
    wgw_head_t head = { 200, "", &field, 1 };
    wgw_buffer_t b = { 0 };

    (void)state;
    assert_non_null(value);
    memset(value, 'x', len);
    value[len] = '\0';
    assert_false(wgw_head_encode(&b, &head));
    wgw_buffer_deinit(&b);
    free(value);
}

/* --- questions ------------------------------------------------------------------------ */

static wgw_request_t make_question(void)
{
    wgw_request_t request = make_request();

    request.target.callable = NULL;
    request.question = WGW_ASK_GROUPS;
    request.is_https = true;
    request.arguments[0] = (wgw_span_t){ "us\0er", 5 };
    request.arguments[1] = (wgw_span_t){ "one\0two\0", 8 };
    return request;
}

/* Returns: whether these bytes, in memory of their own, are a question. */
static bool is_question(const char *payload, size_t len, wgw_request_t *request, wgw_var_store_t *store)
{
    wgw_request_note_t note;

    return wgw_call_decode(payload, len, store, request, &note);
}

static bool is_question_copied(const char *payload, size_t len)
{
    wgw_var_store_t store = { 0 };
    wgw_request_t request;
    char *copy = unit_copy(payload, len);
    bool is_right = is_question(copy, len, &request, &store);

    free(copy);
    free(store.vars);
    return is_right;
}

static void encode_question(wgw_buffer_t *b)
{
    wgw_request_t request = make_question();
    wgw_request_note_t note = { .entry = 7, .epoch = 8 };
    wgw_frame_t frame;

    assert_true(wgw_request_encode(b, &request, &note, 0));
    assert_true(wgw_frame_decode(b->data, &frame));
    assert_int_equal(frame.type, WGW_FRAME_CALL);
    wgw_buffer_consume(b, WGW_FRAME_HEADER_SIZE);
}

static void a_question_passes(void **state)
{
    wgw_var_store_t store = { 0 };
    wgw_buffer_t b = { 0 };
    wgw_request_t got;

    (void)state;
    encode_question(&b);
    assert_true(is_question(b.data, b.len, &got, &store));
    assert_int_equal(got.question, WGW_ASK_GROUPS);
    assert_true(got.is_https);
    assert_int_equal(got.arguments[0].len, 5);
    assert_memory_equal(got.arguments[0].data, "us\0er", 5);
    assert_int_equal(got.arguments[1].len, 8);
    assert_memory_equal(got.arguments[1].data, "one\0two\0", 8);
    assert_string_equal(got.target.script, "/srv/app.wsgi");
    assert_int_equal(got.var_count, 3);
    free(store.vars);
    wgw_buffer_deinit(&b);
}

static void hostile_questions_are_refused(void **state)
{
    enum { QUESTION, IS_HTTPS, FIRST_LEN, BITS = 2 + 4 + 5 + 4 + 8 + 8 };
    wgw_buffer_t b = { 0 };

    (void)state;
    encode_question(&b);
    assert_true(is_question_copied(b.data, b.len));
    for (size_t part = 0; part < b.len; part++)
        assert_false(is_question_copied(b.data, part));
    b.data[QUESTION] = WGW_ASK_NOTHING;
    assert_false(is_question_copied(b.data, b.len));
    b.data[QUESTION] = WGW_ASK_COUNT;
    assert_false(is_question_copied(b.data, b.len));
    b.data[QUESTION] = WGW_ASK_ACCESS;
    b.data[IS_HTTPS] = 2;
    assert_false(is_question_copied(b.data, b.len));
    b.data[IS_HTTPS] = 0;
    b.data[FIRST_LEN + 3] = (char)0xff; /* 4 GiB */
    assert_false(is_question_copied(b.data, b.len));
    b.data[FIRST_LEN + 3] = 0;
    b.data[BITS] |= 32; /* it has no body */
    assert_false(is_question_copied(b.data, b.len));
    wgw_buffer_deinit(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_passes),
    cmocka_unit_test(a_module_and_the_other_bits_pass),
    cmocka_unit_test(no_part_of_a_request_is_one),
    { "flipped_bits_of_a_request_do_no_harm", flipped_bits_do_no_harm, NULL, NULL, NULL },
    cmocka_unit_test(hostile_requests_are_refused),
    cmocka_unit_test(a_name_without_end_is_left_out),
    cmocka_unit_test(too_large_a_request_is_not_encoded),
    cmocka_unit_test(a_head_passes),
    cmocka_unit_test(hostile_heads_are_refused),
    cmocka_unit_test(hostile_counts_in_a_head_are_refused),
    cmocka_unit_test(too_large_a_head_is_not_encoded),
    cmocka_unit_test(a_question_passes),
    cmocka_unit_test(hostile_questions_are_refused),
};

UNIT_GROUP(message_group, tests);
