#include "wire/frame.h"

#include <endian.h>
#include <string.h>

/* Most bytes of payload, plus one so that 0 is "no such type". */
static const size_t MOST[WGW_FRAME_TYPE_COUNT] = {
#define WGW_FRAME_MOST(symbol, number, most) [number] = (most) + 1u,
    WGW_FRAMES(WGW_FRAME_MOST)
#undef WGW_FRAME_MOST
};

static const unsigned FLAGS[WGW_FRAME_TYPE_COUNT] = {
    [WGW_FRAME_REQUEST] = WGW_FRAME_HAS_FILE,
    [WGW_FRAME_END] = WGW_FRAME_CLOSES | WGW_FRAME_LAST,
    [WGW_FRAME_CUT] = WGW_FRAME_CLOSES | WGW_FRAME_LAST,
    [WGW_FRAME_STATUS] = WGW_FRAME_CLOSES,
    [WGW_FRAME_REFUSED] = WGW_FRAME_CLOSES | WGW_FRAME_STALE,
    [WGW_FRAME_DONE] = WGW_FRAME_CLOSES,
    [WGW_FRAME_ANSWER] = WGW_FRAME_CLOSES,
};

size_t wgw_frame_most(wgw_frame_type_t type)
{
    return (unsigned)type < WGW_FRAME_TYPE_COUNT && MOST[type] ? MOST[type] - 1 : 0;
}

bool wgw_frame_is_from_daemon(wgw_frame_type_t type)
{
    return (type >= WGW_FRAME_HEAD && type < WGW_FRAME_CALL) || type >= WGW_FRAME_ANSWER;
}

void wgw_frame_encode(char header[WGW_FRAME_HEADER_SIZE], wgw_frame_type_t type, unsigned flags,
                      size_t len)
{
    uint32_t wire_len = htole32((uint32_t)len);

    memcpy(header, &wire_len, sizeof wire_len);
    header[4] = (char)type;
    header[5] = (char)flags;
    header[6] = header[7] = 0;
}

bool wgw_frame_decode(const char header[WGW_FRAME_HEADER_SIZE], wgw_frame_t *frame_out)
{
    uint32_t len;
    unsigned type = (unsigned char)header[4], flags = (unsigned char)header[5];

    memcpy(&len, header, sizeof len);
    len = le32toh(len);
    if (type >= WGW_FRAME_TYPE_COUNT || len >= MOST[type] || flags & ~FLAGS[type] || header[6] ||
        header[7])
        return false;
    *frame_out = (wgw_frame_t){ .type = (wgw_frame_type_t)type, .flags = flags, .len = len };
    return true;
}

/* --- what may come when --------------------------------------------------------------- */

enum { STAYS = -1 };

/* A row: where its own side must stand, where the request must stand, what they become. */
typedef struct {
    unsigned in;   /* set of 1 << wgw_phase_in_t */
    unsigned out;  /* set of 1 << wgw_phase_answer_t */
    int next_in;   /* wgw_phase_in_t, or STAYS */
    int next_out;  /* wgw_phase_answer_t, or STAYS */
} rule_t;

#define IN(phase) (1u << WGW_IN_##phase)
#define OUT(phase) (1u << WGW_ANSWER_##phase)
#define UNDER_WAY (IN(HELD) | IN(WANTED) | IN(COMPLETE))
#define ANSWERING (OUT(PENDING) | OUT(BLOCKS))
#define UNANSWERED (OUT(PENDING) | OUT(ASKED))

static const rule_t RULES[WGW_FRAME_TYPE_COUNT] = {
    [WGW_FRAME_OPEN] = { IN(CLOSED), OUT(QUIET), WGW_IN_IDLE, STAYS },
    [WGW_FRAME_REQUEST] = { IN(IDLE), OUT(QUIET), WGW_IN_HELD, WGW_ANSWER_PENDING },
    [WGW_FRAME_CALL] = { IN(IDLE), OUT(QUIET), WGW_IN_COMPLETE, WGW_ANSWER_ASKED },
    [WGW_FRAME_BODY] = { IN(WANTED), ANSWERING, STAYS, STAYS },
    [WGW_FRAME_BODY_END] = { IN(WANTED), ANSWERING, WGW_IN_COMPLETE, STAYS },
    [WGW_FRAME_BODY_FAULT] = { IN(WANTED), ANSWERING, WGW_IN_COMPLETE, STAYS },
    [WGW_FRAME_WANT_BODY] = { IN(HELD), ANSWERING, WGW_IN_WANTED, STAYS },
    [WGW_FRAME_HEAD] = { UNDER_WAY, OUT(PENDING), STAYS, WGW_ANSWER_BLOCKS },
    [WGW_FRAME_BLOCK] = { UNDER_WAY, OUT(BLOCKS), STAYS, STAYS },
    [WGW_FRAME_FILE] = { UNDER_WAY, OUT(BLOCKS), STAYS, STAYS },
    [WGW_FRAME_LOG] = { UNDER_WAY, ANSWERING | OUT(ENDED) | OUT(ASKED), STAYS, STAYS },
    [WGW_FRAME_DONE] = { UNDER_WAY, OUT(ENDED), WGW_IN_IDLE, WGW_ANSWER_QUIET },
    [WGW_FRAME_END] = { UNDER_WAY, OUT(BLOCKS), WGW_IN_IDLE, WGW_ANSWER_QUIET },
    [WGW_FRAME_CUT] = { UNDER_WAY, OUT(BLOCKS), WGW_IN_IDLE, WGW_ANSWER_QUIET },
    [WGW_FRAME_STATUS] = { UNDER_WAY, UNANSWERED, WGW_IN_IDLE, WGW_ANSWER_QUIET },
    [WGW_FRAME_REFUSED] = { UNDER_WAY, UNANSWERED, WGW_IN_IDLE, WGW_ANSWER_QUIET },
    [WGW_FRAME_ANSWER] = { UNDER_WAY, OUT(ASKED), WGW_IN_IDLE, WGW_ANSWER_QUIET },
};

static bool is_more_to_come(const wgw_frame_t *frame)
{
    return (frame->type == WGW_FRAME_END || frame->type == WGW_FRAME_CUT) &&
           !(frame->flags & WGW_FRAME_LAST);
}

bool wgw_phase_allows(const wgw_phase_t *phase, const wgw_frame_t *frame)
{
    const rule_t *rule = &RULES[frame->type];

    return rule->in & 1u << phase->in && rule->out & 1u << phase->answer;
}

bool wgw_phase_take(wgw_phase_t *phase, const wgw_frame_t *frame)
{
    const rule_t *rule = &RULES[frame->type];

    if (!wgw_phase_allows(phase, frame))
        return false;
    if (is_more_to_come(frame)) {
        phase->answer = WGW_ANSWER_ENDED;
        return true;
    }
    if (rule->next_in != STAYS)
        phase->in = (wgw_phase_in_t)rule->next_in;
    if (rule->next_out != STAYS)
        phase->answer = (wgw_phase_answer_t)rule->next_out;
    return true;
}

void wgw_phase_body_is_complete(wgw_phase_t *phase)
{
    if (phase->in == WGW_IN_HELD)
        phase->in = WGW_IN_COMPLETE;
}
