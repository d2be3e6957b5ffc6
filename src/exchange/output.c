#include "exchange/output.h"

#include "exchange/head.h"

/* A missing entry is 0 = WGW_OUT_EMPTY, to which nothing returns: not allowed. */
static const wgw_output_state_t NEXT[WGW_OUT_STATE_COUNT][WGW_EV_COUNT] = {
    [WGW_OUT_EMPTY] = { [WGW_EV_HEAD] = WGW_OUT_HEAD_SET },
    [WGW_OUT_HEAD_SET] = { [WGW_EV_HEAD] = WGW_OUT_HEAD_SET,
                           [WGW_EV_WRITE] = WGW_OUT_BODY },
    [WGW_OUT_BODY] = { [WGW_EV_WRITE] = WGW_OUT_BODY,
                       [WGW_EV_END] = WGW_OUT_DONE,
                       [WGW_EV_FAIL] = WGW_OUT_CUT },
    [WGW_OUT_DONE] = { [WGW_EV_END] = WGW_OUT_DONE },
};

void wgw_output_init(wgw_output_t *out, bool is_head_request)
{
    *out = (wgw_output_t){ .is_head_request = is_head_request, .length_declared = -1 };
}

bool wgw_output_transit(wgw_output_t *out, wgw_output_event_t event)
{
    wgw_output_state_t next = NEXT[out->state][event];

    if (next == WGW_OUT_EMPTY)
        return false;
    out->state = next;
    return true;
}

void wgw_output_set_head(wgw_output_t *out, int status, int64_t length)
{
    out->is_bodiless = out->is_head_request || wgw_head_is_bodiless(status);
    out->length_declared = length;
}

/* A hostile daemon process announces files of any size: a count stays at its limit. */
static int64_t sum(int64_t count, size_t more)
{
    return more < (uint64_t)(INT64_MAX - count) ? count + (int64_t)more : INT64_MAX;
}

size_t wgw_output_admit(wgw_output_t *out, size_t len)
{
    size_t admitted = out->is_bodiless ? 0 : len;

    if (!out->is_bodiless && out->length_declared >= 0 &&
        (uint64_t)len > (uint64_t)(out->length_declared - out->sent_count)) {
        admitted = (size_t)(out->length_declared - out->sent_count);
        out->surplus_count = sum(out->surplus_count, len - admitted);
    }
    out->sent_count = sum(out->sent_count, admitted);
    return admitted;
}

bool wgw_output_is_full(const wgw_output_t *out)
{
    return !out->is_bodiless && out->length_declared >= 0 &&
           out->sent_count == out->length_declared;
}

bool wgw_output_is_short(const wgw_output_t *out)
{
    return !out->is_bodiless && out->length_declared >= 0 &&
           out->sent_count < out->length_declared;
}
