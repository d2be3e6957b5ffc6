#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "exchange/reply.h"

enum { LAST_CLOSES = WGW_FRAME_LAST | WGW_FRAME_CLOSES };

/* What a daemon process says, as it is written down. */
typedef struct {
    wgw_buffer_t bytes;
    bool is_head_request;
    bool wants_body; /* the request's body is not here */
} talk_t;

static void say(talk_t *t, wgw_frame_type_t type, unsigned flags, const char *payload, size_t len)
{
    char header[WGW_FRAME_HEADER_SIZE];

    wgw_frame_encode(header, type, flags, len);
    wgw_buffer_append(&t->bytes, header, sizeof header);
    wgw_buffer_append(&t->bytes, payload, len);
}

static void say_head(talk_t *t, int status, const char *length)
{
    wgw_field_t fields[] = { { "Content-Length", length } };
    wgw_head_t head = { status, "Reason", fields, length ? 1 : 0 };

    assert_true(wgw_head_encode(&t->bytes, &head));
}

static void say_block(talk_t *t, const char *text)
{
    say(t, WGW_FRAME_BLOCK, 0, text, strlen(text));
}

static void say_file(talk_t *t, uint64_t offset, uint64_t size)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u64(&b, offset);
    wgw_put_u64(&b, size);
    say(t, WGW_FRAME_FILE, 0, b.data, b.len);
    wgw_buffer_deinit(&b);
}

/* --- listening ------------------------------------------------------------------------ */

/* The events of a talk in words; blocks that follow each other are one. */
typedef struct {
    wgw_buffer_t text;
    bool is_in_block;
    bool is_over;
} heard_t;

static void note(heard_t *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(heard_t *h, const char *format, ...)
{
    char line[300];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (h->is_in_block)
        wgw_buffer_append(&h->text, ";", 1);
    h->is_in_block = false;
    wgw_buffer_append(&h->text, line, (size_t)len);
}

static void note_block(heard_t *h, wgw_span_t span)
{
    if (!h->is_in_block)
        wgw_buffer_append(&h->text, "block ", 6);
    h->is_in_block = true;
    wgw_buffer_append(&h->text, span.data, span.len);
}

static void note_event(heard_t *h, const wgw_reply_event_t *e)
{
    const char *closes = e->closes ? " closes" : "", *last = e->is_last ? " last" : "";

    h->is_over = e->is_last || e->kind == WGW_REPLY_DONE || e->kind == WGW_REPLY_STATUS ||
                 e->kind == WGW_REPLY_REFUSED || e->kind == WGW_REPLY_BAD;
    switch (e->kind) {
    case WGW_REPLY_HEAD: note(h, "head %d;", e->head.status); break;
    case WGW_REPLY_BLOCK: note_block(h, e->span); break;
    case WGW_REPLY_FILE: note(h, "file %d %d;", (int)e->offset, (int)e->size); break;
    case WGW_REPLY_END: note(h, "end%s%s;", last, closes); break;
    case WGW_REPLY_CUT: note(h, "cut%s%s%s;", last, closes, e->wrong ? " wrong" : ""); break;
    case WGW_REPLY_STATUS: note(h, "status %d%s;", e->http_status, closes); break;
    case WGW_REPLY_DONE: note(h, "done%s;", closes); break;
    case WGW_REPLY_REFUSED: note(h, "refused%s;", closes); break;
    case WGW_REPLY_LOG: note(h, "log %d %.*s;", (int)e->level, (int)e->span.len, e->span.data); break;
    case WGW_REPLY_WANT_BODY: note(h, "want;"); break;
    default: note(h, "bad;");
    }
}

/* Take what can be taken of the bytes up to `end`. Returns: bytes used. */
static size_t hear_some(heard_t *h, wgw_reply_t *reply, const char *data, size_t len)
{
    char *copy = unit_copy(data, len);
    size_t at = 0;
    wgw_reply_event_t event;

    while (!h->is_over) {
        size_t used = wgw_reply_next(reply, copy + at, len - at, &event);
        assert_true(used <= len - at);
        at += used;
        if (event.kind != WGW_REPLY_MORE) {
            note_event(h, &event);
        } else if (!used) {
            assert_true(event.need > len - at); /* or whoever receives would never go on */
            assert_true(event.need <= WGW_FRAME_HEADER_SIZE + (1 << 20) + 1);
            break;
        }
    }
    free(copy);
    return at;
}

/* Hear all of it in pieces of `step` bytes. Returns: the events, to be freed. */
static char *hear(const talk_t *t, size_t step)
{
    wgw_phase_t phase = { WGW_IN_HELD, WGW_ANSWER_PENDING };
    wgw_request_t request = { .is_bodiless = t->is_head_request };
    wgw_reply_t reply = { 0 };
    heard_t h = { 0 };
    size_t at = 0;

    if (!t->wants_body)
        wgw_phase_body_is_complete(&phase);
    wgw_reply_init(&reply, &phase, &request, 100);
    for (size_t end = 0; end < t->bytes.len && !h.is_over;) {
        end = step < t->bytes.len - end ? end + step : t->bytes.len;
        at += hear_some(&h, &reply, t->bytes.data + at, end - at);
    }
    if (h.is_in_block)
        wgw_buffer_append(&h.text, ";", 1);
    wgw_buffer_append(&h.text, "", 1);
    free(reply.fields.fields);
    return h.text.data;
}

/* Expect the same events however the bytes come. Frees: the talk. */
static void expect(talk_t *t, const char *wanted)
{
    for (size_t step = 1; step <= t->bytes.len; step++) {
        char *heard = hear(t, step);
        assert_string_equal(heard, wanted);
        free(heard);
    }
    wgw_buffer_deinit(&t->bytes);
}

/* --- the tests ------------------------------------------------------------------------ */

static void a_whole_response(void **state)
{
    talk_t t = { .wants_body = true };

    (void)state;
    say(&t, WGW_FRAME_LOG, 0, "\4early", 6);
    say(&t, WGW_FRAME_WANT_BODY, 0, NULL, 0);
    say_head(&t, 200, "6");
    say_block(&t, "abc");
    say_block(&t, "");
    say(&t, WGW_FRAME_LOG, 0, "\3late", 5);
    say_block(&t, "def");
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "log 4 early;want;head 200;block abc;log 3 late;block def;end last;");
}

static void one_without_a_length(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 200, NULL);
    say_block(&t, "abc");
    say(&t, WGW_FRAME_END, LAST_CLOSES, NULL, 0);
    expect(&t, "head 200;block abc;end last closes;");
}

static void the_daemon_wants_the_body_after_its_head(void **state)
{
    talk_t t = { .wants_body = true };

    (void)state;
    say_head(&t, 200, NULL);
    say(&t, WGW_FRAME_WANT_BODY, 0, NULL, 0);
    say_block(&t, "abc");
    say(&t, WGW_FRAME_CUT, LAST_CLOSES, NULL, 0);
    expect(&t, "head 200;want;block abc;cut last closes;");
}

/* close() of the application may log after the response. */
static void what_follows_an_end_that_is_not_last(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 200, "3");
    say_block(&t, "abc");
    say(&t, WGW_FRAME_END, 0, NULL, 0);
    say(&t, WGW_FRAME_LOG, 0, "\6closing", 8);
    say(&t, WGW_FRAME_LOG, 0, "\3closed", 7);
    say(&t, WGW_FRAME_DONE, 0, NULL, 0);
    expect(&t, "head 200;block abc;end;log 6 closing;log 3 closed;done;");
}

static void what_follows_a_cut_that_is_not_last(void **state)
{
    talk_t t = { .wants_body = true };

    (void)state;
    say_head(&t, 200, NULL);
    say(&t, WGW_FRAME_WANT_BODY, 0, NULL, 0);
    say(&t, WGW_FRAME_CUT, 0, NULL, 0);
    say(&t, WGW_FRAME_DONE, WGW_FRAME_CLOSES, NULL, 0);
    expect(&t, "head 200;want;cut;done closes;");
}

static void an_end_that_is_short_is_a_cut_and_not_last_either(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 200, "4");
    say_block(&t, "abc");
    say(&t, WGW_FRAME_END, 0, NULL, 0);
    say(&t, WGW_FRAME_LOG, 0, "\4late", 5);
    say(&t, WGW_FRAME_DONE, 0, NULL, 0);
    expect(&t, "head 200;block abc;cut wrong;log 4 late;done;");
}

/* Whoever goes on listening after the last frame hears that what comes is no part of the request. */
static void nothing_follows_the_last_frame(void **state)
{
    static const struct { wgw_frame_type_t type; unsigned flags; } LASTS[] = {
        { WGW_FRAME_END, WGW_FRAME_LAST }, { WGW_FRAME_CUT, WGW_FRAME_LAST }, { WGW_FRAME_DONE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof LASTS / sizeof *LASTS; i++) {
        wgw_phase_t phase = { WGW_IN_COMPLETE, WGW_ANSWER_BLOCKS };
        wgw_request_t request = { .is_bodiless = false };
        wgw_reply_t reply = { 0 };
        wgw_reply_event_t event;
        talk_t t = { 0 };
        wgw_reply_init(&reply, &phase, &request, 100);
        if (LASTS[i].type == WGW_FRAME_DONE)
            phase.answer = WGW_ANSWER_ENDED;
        say(&t, LASTS[i].type, LASTS[i].flags, NULL, 0);
        size_t first = t.bytes.len;
        say(&t, WGW_FRAME_LOG, 0, "\4late", 5);
        assert_int_equal(wgw_reply_next(&reply, t.bytes.data, t.bytes.len, &event), first);
        assert_int_not_equal(event.kind, WGW_REPLY_BAD);
        assert_int_equal(wgw_reply_next(&reply, t.bytes.data + first, t.bytes.len - first, &event), 0);
        assert_int_equal(event.kind, WGW_REPLY_BAD);
        assert_int_equal(phase.in, WGW_IN_IDLE);
        wgw_buffer_deinit(&t.bytes);
    }
}

static void done_without_an_end_is_bad(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say(&t, WGW_FRAME_DONE, 0, NULL, 0);
    expect(&t, "bad;");
    t = (talk_t){ 0 };
    say_head(&t, 200, NULL);
    say_block(&t, "abc");
    say(&t, WGW_FRAME_DONE, WGW_FRAME_CLOSES, NULL, 0);
    expect(&t, "head 200;block abc;bad;");
}

/* The response is over: of what a daemon sends LOG and DONE alone are left. */
static void only_log_and_done_follow_an_end(void **state)
{
    static const wgw_frame_type_t TYPES[] = {
        WGW_FRAME_HEAD, WGW_FRAME_BLOCK, WGW_FRAME_FILE, WGW_FRAME_END, WGW_FRAME_CUT,
        WGW_FRAME_STATUS, WGW_FRAME_WANT_BODY, WGW_FRAME_REFUSED, WGW_FRAME_BODY,
    };
    static const wgw_frame_type_t ENDS[] = { WGW_FRAME_END, WGW_FRAME_CUT };
    char header[WGW_FRAME_HEADER_SIZE];

    (void)state;
    for (size_t i = 0; i < 2 * sizeof TYPES / sizeof *TYPES; i++) {
        talk_t t = { .wants_body = true };
        say_head(&t, 200, NULL);
        say(&t, ENDS[i % 2], 0, NULL, 0);
        wgw_frame_encode(header, TYPES[i / 2], 0, wgw_frame_most(TYPES[i / 2]));
        wgw_buffer_append(&t.bytes, header, sizeof header);
        expect(&t, i % 2 ? "head 200;cut;bad;" : "head 200;end;bad;");
    }
}

static void a_length_that_is_too_small_cuts_the_surplus_off(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 200, "4");
    say_block(&t, "abc");
    say_block(&t, "def");
    say_block(&t, "ghi");
    say_file(&t, 0, 10);
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "head 200;block abcd;file 0 0;end last;");
}

static void a_length_that_is_too_large_is_a_cut(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 200, "7");
    say_block(&t, "abcdef");
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "head 200;block abcdef;cut last wrong;");
}

static void a_file_counts_as_bytes(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 206, "103");
    say_block(&t, "abc");
    say_file(&t, 50, 100);
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "head 206;block abc;file 50 100;end last;");
}

static void a_file_without_end_is_bad(void **state)
{
    static const struct { uint64_t offset, size; } CASES[] = { { (uint64_t)1 << 63, 1 },
                                                               { 1, UINT64_MAX } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        talk_t t = { 0 };
        say_head(&t, 200, NULL);
        say_file(&t, CASES[i].offset, CASES[i].size);
        expect(&t, "head 200;bad;");
    }
    talk_t t = { 0 };
    say_head(&t, 200, NULL);
    say(&t, WGW_FRAME_FILE, 0, "123456789012345", 15);
    expect(&t, "head 200;bad;");
}

static void the_answer_to_head_has_no_body(void **state)
{
    talk_t t = { .is_head_request = true };

    (void)state;
    say_head(&t, 200, "5");
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "head 200;end last;");
    t = (talk_t){ .is_head_request = true };
    say_head(&t, 200, "5");
    say_block(&t, "hello");
    say_file(&t, 0, 5);
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "head 200;block ;file 0 0;end last;");
}

static void nor_has_a_304(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 304, "5");
    say_block(&t, "hello");
    say(&t, WGW_FRAME_END, WGW_FRAME_LAST, NULL, 0);
    expect(&t, "head 304;block ;end last;");
}

static void a_status_instead_of_a_response(void **state)
{
    static const struct { const char *payload; size_t len; const char *wanted; } CASES[] = {
        { "\xf4\1", 2, "status 500;" },    { "\x90\1", 2, "status 400;" },
        { "\x57\2", 2, "status 599;" },    { "\x58\2", 2, "bad;" },
        { "\x8f\1", 2, "bad;" },           { "\xc8\0", 2, "bad;" },
        { "\xf4", 1, "bad;" },             { "", 0, "bad;" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        talk_t t = { 0 };
        say(&t, WGW_FRAME_STATUS, 0, CASES[i].payload, CASES[i].len);
        expect(&t, CASES[i].wanted);
    }
}

static void a_refusal(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say(&t, WGW_FRAME_REFUSED, WGW_FRAME_CLOSES, NULL, 0);
    expect(&t, "refused closes;");
}

static void log_lines_have_a_level(void **state)
{
    static const struct { const char *payload; size_t len; bool is_right; } CASES[] = {
        { "\2", 1, true }, { "\7", 1, true }, { "\1", 1, false }, { "\10", 1, false },
        { "\xff", 1, false }, { "", 0, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        talk_t t = { 0 };
        char wanted[20];
        say(&t, WGW_FRAME_LOG, 0, CASES[i].payload, CASES[i].len);
        snprintf(wanted, sizeof wanted, CASES[i].is_right ? "log %d ;" : "bad;", CASES[i].payload[0]);
        expect(&t, wanted);
    }
}

/* What may not come now, and what only httpd may send, is bad as soon as its header is there:
 * nobody waits for the gigabyte that it announces. */
static void what_may_not_come_is_bad_at_once(void **state)
{
    static const wgw_frame_type_t TYPES[] = {
        WGW_FRAME_OPEN, WGW_FRAME_REQUEST, WGW_FRAME_BODY, WGW_FRAME_BODY_END, WGW_FRAME_BODY_FAULT,
        WGW_FRAME_BLOCK, WGW_FRAME_FILE, WGW_FRAME_END, WGW_FRAME_CUT, WGW_FRAME_WANT_BODY,
        WGW_FRAME_DONE,
    };
    char header[WGW_FRAME_HEADER_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        talk_t t = { 0 };
        wgw_frame_encode(header, TYPES[i], 0, wgw_frame_most(TYPES[i]));
        wgw_buffer_append(&t.bytes, header, sizeof header);
        expect(&t, "bad;");
    }
    static const wgw_frame_type_t AFTER_HEAD[] = { WGW_FRAME_HEAD, WGW_FRAME_STATUS,
                                                   WGW_FRAME_REFUSED, WGW_FRAME_WANT_BODY };
    for (size_t i = 0; i < sizeof AFTER_HEAD / sizeof *AFTER_HEAD; i++) {
        talk_t t = { 0 };
        say_head(&t, 200, NULL);
        wgw_frame_encode(header, AFTER_HEAD[i], 0, wgw_frame_most(AFTER_HEAD[i]));
        wgw_buffer_append(&t.bytes, header, sizeof header);
        expect(&t, "head 200;bad;");
    }
}

static void the_body_is_wanted_once(void **state)
{
    talk_t t = { .wants_body = true };

    (void)state;
    say(&t, WGW_FRAME_WANT_BODY, 0, NULL, 0);
    say(&t, WGW_FRAME_WANT_BODY, 0, NULL, 0);
    expect(&t, "want;bad;");
}

static void what_is_no_frame_is_bad(void **state)
{
    talk_t t = { 0 };

    (void)state;
    wgw_buffer_append(&t.bytes, "HTTP/1.1 200 OK\r\n", 17);
    expect(&t, "bad;");
    t = (talk_t){ 0 };
    say_head(&t, 200, NULL);
    say_block(&t, "abc");
    wgw_buffer_append(&t.bytes, "\0\0\0\0\0\0\0\0", 8);
    expect(&t, "head 200;block abc;bad;");
}

static void a_bad_head_is_bad(void **state)
{
    talk_t t = { 0 };

    (void)state;
    say_head(&t, 100, NULL);
    expect(&t, "bad;");
    t = (talk_t){ 0 };
    say_head(&t, 200, "1e3");
    expect(&t, "bad;");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_whole_response),
    cmocka_unit_test(one_without_a_length),
    cmocka_unit_test(the_daemon_wants_the_body_after_its_head),
    cmocka_unit_test(what_follows_an_end_that_is_not_last),
    cmocka_unit_test(what_follows_a_cut_that_is_not_last),
    cmocka_unit_test(an_end_that_is_short_is_a_cut_and_not_last_either),
    cmocka_unit_test(nothing_follows_the_last_frame),
    cmocka_unit_test(done_without_an_end_is_bad),
    cmocka_unit_test(only_log_and_done_follow_an_end),
    cmocka_unit_test(a_length_that_is_too_small_cuts_the_surplus_off),
    cmocka_unit_test(a_length_that_is_too_large_is_a_cut),
    cmocka_unit_test(a_file_counts_as_bytes),
    cmocka_unit_test(a_file_without_end_is_bad),
    cmocka_unit_test(the_answer_to_head_has_no_body),
    cmocka_unit_test(nor_has_a_304),
    cmocka_unit_test(a_status_instead_of_a_response),
    cmocka_unit_test(a_refusal),
    cmocka_unit_test(log_lines_have_a_level),
    cmocka_unit_test(what_may_not_come_is_bad_at_once),
    cmocka_unit_test(the_body_is_wanted_once),
    cmocka_unit_test(what_is_no_frame_is_bad),
    cmocka_unit_test(a_bad_head_is_bad),
};

UNIT_GROUP(reply_group, tests);
