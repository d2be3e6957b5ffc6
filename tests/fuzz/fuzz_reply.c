/* What a hostile daemon process says to httpd, received as src/server/relay.c receives it: the
 * events are the same however the bytes are split, they stay within the bytes, no more leaves than
 * Content-Length says, nothing but a line for the log comes between a response and its last frame, and nobody has to make more room than one small frame takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/answer.h"
#include "exchange/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_HEAD_REQUEST = 1, WANTS_BODY = 2, QUESTION_SHIFT = 2, SETTINGS = 3 /* bytes before what the process says */ };

typedef struct {
    wgw_buffer_t text;      /* of all events; adjacent blocks are one */
    int64_t body_bytes;     /* that may leave */
    bool is_in_block, has_ended, is_over;
} trace_t;

static void note(trace_t *t, const wgw_reply_event_t *e)
{
    char line[200];

    if (e->kind == WGW_REPLY_BLOCK && t->is_in_block) {
        wgw_buffer_append(&t->text, e->span.data, e->span.len);
        return;
    }
    t->is_in_block = e->kind == WGW_REPLY_BLOCK;
    int len = snprintf(line, sizeof line, "\n%d %d %lld %lld %d %d %d %s ", (int)e->kind, e->head.status,
                       (long long)e->offset, (long long)e->size, e->http_status, e->closes,
                       e->is_last, e->wrong ? e->wrong : "");
    wgw_buffer_append(&t->text, line, (size_t)len);
    wgw_buffer_append(&t->text, e->span.data, e->span.len);
    for (size_t i = 0; e->kind == WGW_REPLY_HEAD && i < e->head.field_count; i++) {
        wgw_buffer_append(&t->text, e->head.fields[i].name, strlen(e->head.fields[i].name));
        wgw_buffer_append(&t->text, e->head.fields[i].value, strlen(e->head.fields[i].value));
    }
}

static void count(trace_t *t, int64_t more)
{
    t->body_bytes = more < INT64_MAX - t->body_bytes ? t->body_bytes + more : INT64_MAX;
}

static void check(trace_t *t, const wgw_reply_t *reply, const wgw_reply_event_t *e, const char *data,
                  size_t len)
{
    if (e->span.len && (e->span.data < data || e->span.data > data + len ||
                        e->span.len > (size_t)(data + len - e->span.data)))
        abort();
    if (t->has_ended && e->kind != WGW_REPLY_LOG && e->kind != WGW_REPLY_DONE &&
        e->kind != WGW_REPLY_BAD)
        abort();
    if (!t->has_ended && e->kind == WGW_REPLY_DONE)
        abort();
    if (e->kind == WGW_REPLY_FILE && (e->size < 0 || e->offset < 0))
        abort();
    if (e->kind == WGW_REPLY_BLOCK)
        count(t, (int64_t)e->span.len);
    if (e->kind == WGW_REPLY_FILE)
        count(t, e->size);
    if (reply->output.is_bodiless && t->body_bytes)
        abort();
    if (reply->question && e->kind != WGW_REPLY_ANSWER && e->kind != WGW_REPLY_LOG &&
        e->kind != WGW_REPLY_STATUS && e->kind != WGW_REPLY_REFUSED && e->kind != WGW_REPLY_BAD)
        abort();
    if (e->kind == WGW_REPLY_ANSWER && wgw_answer_check(reply->question, e->verdict, e->span))
        abort();
    int64_t most = reply->output.length_declared;
    if (most >= 0 && t->body_bytes > most)
        abort();
    if (e->kind == WGW_REPLY_END && !reply->output.is_bodiless && most >= 0 && t->body_bytes != most)
        abort();
    bool is_end = e->kind == WGW_REPLY_END || e->kind == WGW_REPLY_CUT;
    t->has_ended = t->has_ended || is_end;
    t->is_over = (is_end && e->is_last) || e->kind == WGW_REPLY_DONE || e->kind == WGW_REPLY_STATUS ||
                 e->kind == WGW_REPLY_REFUSED || e->kind == WGW_REPLY_BAD || e->kind == WGW_REPLY_ANSWER;
    bool is_idle = reply->phase->in == WGW_IN_IDLE && reply->phase->answer == WGW_ANSWER_QUIET;
    if (e->kind != WGW_REPLY_BAD && t->is_over != is_idle)
        abort();
}

/* As take_events() of relay.c. Returns: bytes used. */
static size_t take_events(trace_t *t, wgw_reply_t *reply, const char *data, size_t len)
{
    enum { ROOM_MOST = WGW_FRAME_HEADER_SIZE + 1 + (1 << 20) };
    wgw_reply_event_t event;
    size_t at = 0;

    while (!t->is_over) {
        size_t used = wgw_reply_next(reply, data + at, len - at, &event);
        if (used > len - at)
            abort();
        if (event.kind == WGW_REPLY_MORE && !used) {
            if (event.need <= len - at || event.need > ROOM_MOST)
                abort();
            break;
        }
        if (event.kind != WGW_REPLY_MORE) {
            check(t, reply, &event, data + at, used);
            note(t, &event);
        }
        at += used;
    }
    return at;
}

/* Receive everything in pieces, their sizes by `seed` (0: all at once). */
static wgw_buffer_t receive(const uint8_t *data, size_t size, unsigned settings, unsigned seed)
{
    unsigned question = settings >> QUESTION_SHIFT & 7;
    wgw_phase_t phase = { WGW_IN_HELD, question ? WGW_ANSWER_ASKED : WGW_ANSWER_PENDING };
    wgw_request_t request = { .is_bodiless = settings & IS_HEAD_REQUEST,
                              .question = (wgw_question_t)question };
    wgw_reply_t reply = { .phase = NULL };
    trace_t t = { .is_over = false };
    wgw_buffer_t in = { 0 };

    if (question || !(settings & WANTS_BODY))
        wgw_phase_body_is_complete(&phase);
    wgw_reply_init(&reply, &phase, &request, 200);
    for (size_t at = 0; at < size && !t.is_over;) {
        size_t piece = size - at;
        if (seed) {
            seed = seed * 1103515245u + 12345u;
            size_t random = 1 + (seed >> 16) % 23;
            piece = random < piece ? random : piece;
        }
        wgw_buffer_append(&in, data + at, piece);
        at += piece;
        char *exact = malloc(in.len); /* ends where the bytes end */
        if (!exact)
            abort();
        memcpy(exact, in.data, in.len);
        wgw_buffer_consume(&in, take_events(&t, &reply, exact, in.len));
        free(exact);
    }
    wgw_buffer_deinit(&in);
    free(reply.fields.fields);
    return t.text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= SETTINGS)
        return 0;
    wgw_buffer_t whole = receive(data + SETTINGS, size - SETTINGS, data[0], 0);
    wgw_buffer_t split = receive(data + SETTINGS, size - SETTINGS, data[0],
                                 1u + data[1] + 256u * data[2]);
    if (whole.len != split.len || (whole.len && memcmp(whole.data, split.data, whole.len) != 0))
        abort();
    wgw_buffer_deinit(&whole);
    wgw_buffer_deinit(&split);
    return 0;
}
