/* Headers of frames, one after the other, as both sides of a connection read them: what decodes
 * encodes to the same bytes, and the phase never becomes one that PROTOCOL.md does not know. */
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_codec(const char *header, const wgw_frame_t *frame)
{
    char again[WGW_FRAME_HEADER_SIZE];

    wgw_frame_encode(again, frame->type, frame->flags, frame->len);
    if (memcmp(again, header, sizeof again) != 0 || frame->len > wgw_frame_most(frame->type))
        abort();
}

/* A request is under way exactly as long as an answer to it is to come. */
static void check_phase(const wgw_phase_t *phase)
{
    bool is_under_way = phase->in >= WGW_IN_HELD;

    if (phase->in > WGW_IN_COMPLETE || phase->answer > WGW_ANSWER_ASKED ||
        is_under_way != (phase->answer != WGW_ANSWER_QUIET))
        abort();
}

/* What ends a response without LAST leaves the request under way, until DONE; whatever else is the
 * last frame makes room for the next request. */
static void check_end(const wgw_phase_t *phase, const wgw_frame_t *frame)
{
    bool is_end = frame->type == WGW_FRAME_END || frame->type == WGW_FRAME_CUT;
    bool is_last = is_end ? frame->flags & WGW_FRAME_LAST
                          : frame->type == WGW_FRAME_DONE || frame->type == WGW_FRAME_STATUS ||
                            frame->type == WGW_FRAME_REFUSED || frame->type == WGW_FRAME_ANSWER;

    if (is_end && !is_last && phase->answer != WGW_ANSWER_ENDED)
        abort();
    if (is_last != (phase->in == WGW_IN_IDLE && frame->type != WGW_FRAME_OPEN))
        abort();
}

static void take(wgw_phase_t *phase, const wgw_frame_t *frame, bool is_body_here)
{
    wgw_phase_t before = *phase;
    bool is_allowed = wgw_phase_allows(phase, frame);

    if (wgw_phase_take(phase, frame) != is_allowed)
        abort();
    if (!is_allowed && (phase->in != before.in || phase->answer != before.answer))
        abort();
    if (is_allowed && (before.answer == WGW_ANSWER_ENDED) >
                      (frame->type == WGW_FRAME_LOG || frame->type == WGW_FRAME_DONE))
        abort();
    if (is_allowed && before.answer == WGW_ANSWER_ASKED &&
        frame->type != WGW_FRAME_LOG && phase->in != WGW_IN_IDLE)
        abort();
    if (is_allowed)
        check_end(phase, frame);
    if (is_allowed && frame->type == WGW_FRAME_REQUEST && is_body_here)
        wgw_phase_body_is_complete(phase);
    check_phase(phase);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wgw_phase_t phase = { WGW_IN_CLOSED, WGW_ANSWER_QUIET };

    for (; size > WGW_FRAME_HEADER_SIZE; size -= WGW_FRAME_HEADER_SIZE + 1) {
        char header[WGW_FRAME_HEADER_SIZE];
        wgw_frame_t frame;
        memcpy(header, data + 1, sizeof header);
        if (wgw_frame_decode(header, &frame)) {
            check_codec(header, &frame);
            take(&phase, &frame, data[0] & 1);
        }
        data += WGW_FRAME_HEADER_SIZE + 1;
    }
    return 0;
}
