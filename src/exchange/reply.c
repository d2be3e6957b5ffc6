#include "exchange/reply.h"

#include "base/cursor.h"
#include "exchange/answer.h"

void wgw_reply_init(wgw_reply_t *reply, wgw_phase_t *phase, const wgw_request_t *request,
                    size_t line_most)
{
    wgw_field_store_t fields = reply->fields;

    *reply = (wgw_reply_t){ .phase = phase, .question = request->question, .limits = { line_most },
                            .fields = fields };
    wgw_output_init(&reply->output, request->is_bodiless);
}

static void set_bad(wgw_reply_event_t *event, const char *wrong)
{
    event->kind = WGW_REPLY_BAD;
    event->wrong = wrong;
}

/* --- one frame ------------------------------------------------------------------------ */

static void take_head(wgw_reply_t *reply, const char *payload, size_t len,
                      wgw_reply_event_t *event)
{
    int64_t length;
    const char *wrong = wgw_head_decode(payload, len, &reply->limits, &reply->fields, &event->head,
                                        &length);

    if (wrong) {
        set_bad(event, wrong);
        return;
    }
    event->kind = WGW_REPLY_HEAD;
    wgw_output_transit(&reply->output, WGW_EV_HEAD);
    wgw_output_set_head(&reply->output, event->head.status, length);
}

/* What is more than Content-Length promised is dropped. */
static void take_block(wgw_reply_t *reply, const char *data, size_t len, wgw_reply_event_t *event)
{
    wgw_output_transit(&reply->output, WGW_EV_WRITE);
    event->kind = WGW_REPLY_BLOCK;
    event->span = (wgw_span_t){ data, wgw_output_admit(&reply->output, len) };
    reply->block_left -= len;
}

static void take_file(wgw_reply_t *reply, const char *payload, size_t len,
                      wgw_reply_event_t *event)
{
    enum { FILES_MOST = 16 }; /* the worker sends one */
    wgw_cursor_t c = { .at = payload, .end = payload + len };
    uint64_t offset = wgw_cursor_u64(&c), size = wgw_cursor_u64(&c);

    if (!wgw_cursor_is_done(&c) || offset > INT64_MAX || size > INT64_MAX) {
        set_bad(event, "a file's offset or size is malformed");
        return;
    }
    if (++reply->file_count > FILES_MOST) {
        set_bad(event, "more files than 16 for one response");
        return;
    }
    wgw_output_transit(&reply->output, WGW_EV_WRITE);
    event->kind = WGW_REPLY_FILE;
    event->offset = (int64_t)offset;
    event->size = (int64_t)wgw_output_admit(&reply->output, (size_t)size);
}

static void take_end(wgw_reply_t *reply, wgw_reply_event_t *event)
{
    bool is_short = wgw_output_is_short(&reply->output);

    event->kind = is_short ? WGW_REPLY_CUT : WGW_REPLY_END;
    event->wrong = is_short ? "it ended before its Content-Length" : NULL;
}

static void take_status(const char *payload, size_t len, wgw_reply_event_t *event)
{
    wgw_cursor_t c = { .at = payload, .end = payload + len };

    event->http_status = wgw_cursor_u16(&c);
    event->kind = WGW_REPLY_STATUS;
    if (!wgw_cursor_is_done(&c) || event->http_status < 400 || event->http_status > 599)
        set_bad(event, "a status is malformed");
}

static void take_log(const char *payload, size_t len, wgw_reply_event_t *event)
{
    unsigned level = len ? (unsigned char)payload[0] : 0;

    event->kind = WGW_REPLY_LOG;
    if (level < WGW_LOG_CRIT || level > WGW_LOG_DEBUG) {
        set_bad(event, "a log line has no level");
        return;
    }
    event->level = (wgw_level_t)level;
    event->span = (wgw_span_t){ payload + 1, len - 1 };
}

static void take_answer(const wgw_reply_t *reply, const char *payload, size_t len,
                        wgw_reply_event_t *event)
{
    event->kind = WGW_REPLY_ANSWER;
    event->verdict = len ? (wgw_verdict_t)(unsigned char)payload[0] : WGW_VERDICT_COUNT;
    event->span = (wgw_span_t){ payload + 1, len ? len - 1 : 0 };
    const char *wrong = wgw_answer_check(reply->question, event->verdict, event->span);
    if (wrong)
        set_bad(event, wrong);
}

static void take_payload(wgw_reply_t *reply, const wgw_frame_t *frame, const char *payload,
                         wgw_reply_event_t *event)
{
    event->closes = frame->flags & WGW_FRAME_CLOSES;
    event->is_last = frame->flags & WGW_FRAME_LAST;
    event->is_stale = frame->flags & WGW_FRAME_STALE;
    switch (frame->type) {
    case WGW_FRAME_HEAD:
        take_head(reply, payload, frame->len, event);
        break;
    case WGW_FRAME_FILE:
        take_file(reply, payload, frame->len, event);
        break;
    case WGW_FRAME_END:
        take_end(reply, event);
        break;
    case WGW_FRAME_CUT:
        event->kind = WGW_REPLY_CUT;
        break;
    case WGW_FRAME_STATUS:
        take_status(payload, frame->len, event);
        break;
    case WGW_FRAME_REFUSED:
        event->kind = WGW_REPLY_REFUSED;
        break;
    case WGW_FRAME_LOG:
        take_log(payload, frame->len, event);
        break;
    case WGW_FRAME_DONE:
        event->kind = WGW_REPLY_DONE;
        break;
    case WGW_FRAME_ANSWER:
        take_answer(reply, payload, frame->len, event);
        break;
    case WGW_FRAME_WANT_BODY:
        event->kind = WGW_REPLY_WANT_BODY;
        break;
    default: /* the phase has let nothing else through */
        set_bad(event, "a frame of httpd's own came back");
    }
}

/* Returns: bytes used. */
static size_t take_frame(wgw_reply_t *reply, const wgw_frame_t *frame, const char *data, size_t len,
                         wgw_reply_event_t *event)
{
    bool is_block = frame->type == WGW_FRAME_BLOCK;

    if (!wgw_frame_is_from_daemon(frame->type) || !wgw_phase_allows(reply->phase, frame)) {
        set_bad(event, "a frame came that may not come now");
        return 0;
    }
    if (!is_block && len - WGW_FRAME_HEADER_SIZE < frame->len) {
        event->kind = WGW_REPLY_MORE;
        event->need = WGW_FRAME_HEADER_SIZE + frame->len;
        return 0;
    }
    wgw_phase_take(reply->phase, frame);
    if (is_block) {
        reply->block_left = frame->len;
        return WGW_FRAME_HEADER_SIZE;
    }
    take_payload(reply, frame, data + WGW_FRAME_HEADER_SIZE, event);
    return WGW_FRAME_HEADER_SIZE + frame->len;
}

size_t wgw_reply_next(wgw_reply_t *reply, const char *data, size_t len,
                      wgw_reply_event_t *event_out)
{
    size_t used = 0;
    wgw_frame_t frame;

    *event_out = (wgw_reply_event_t){ .kind = WGW_REPLY_MORE, .need = WGW_FRAME_HEADER_SIZE };
    if (!reply->block_left) {
        if (len < WGW_FRAME_HEADER_SIZE)
            return 0;
        if (!wgw_frame_decode(data, &frame)) {
            set_bad(event_out, "it is not a frame");
            return 0;
        }
        used = take_frame(reply, &frame, data, len, event_out);
    }
    if (reply->block_left) {
        size_t here = len - used < reply->block_left ? len - used : reply->block_left;
        event_out->need = 1;
        if (here)
            take_block(reply, data + used, here, event_out);
        return used + here;
    }
    return used;
}
