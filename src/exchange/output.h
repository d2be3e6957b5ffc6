/* The state of one response, and the honesty of its Content-Length.
 * Pure: decides what may happen next and how many bytes may leave; sends
 * nothing itself. Knows neither Python nor httpd. */
#ifndef WGW_EXCHANGE_OUTPUT_H
#define WGW_EXCHANGE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wgw_output_state_t {
    WGW_OUT_EMPTY,    /* start_response() was not called */
    WGW_OUT_HEAD_SET, /* it was; nothing left yet, so it may be replaced */
    WGW_OUT_BODY,     /* the head has left */
    WGW_OUT_DONE,     /* ended as it should; more is surplus */
    WGW_OUT_CUT,      /* ended early, visibly */
    WGW_OUT_STATE_COUNT
} wgw_output_state_t;

typedef enum wgw_output_event_t {
    WGW_EV_HEAD,  /* start_response() with a head that passed its checks */
    WGW_EV_WRITE, /* the head leaves, with the first byte of the body or alone */
    WGW_EV_END,   /* the application has no more */
    WGW_EV_FAIL,  /* it failed, or its client has gone */
    WGW_EV_COUNT
} wgw_output_event_t;

typedef struct wgw_output_t {
    wgw_output_state_t state;
    bool is_head_request;    /* the request's method forbids a body */
    bool is_bodiless;        /* that, or 204 or 304: bytes are dropped, not sent */
    int64_t length_declared; /* bytes by Content-Length; -1 when not declared */
    int64_t sent_count;      /* bytes admitted so far */
    int64_t surplus_count;   /* bytes refused because of length_declared */
} wgw_output_t;

/* Begin. `is_head_request`: the request's method forbids a body (HEAD). */
void wgw_output_init(wgw_output_t *out, bool is_head_request);

/* Move to the next state. Returns: false when `event` is not allowed now; the state stays. */
bool wgw_output_transit(wgw_output_t *out, wgw_output_event_t event);

/* Note what the head says; `length` is -1 without Content-Length. */
void wgw_output_set_head(wgw_output_t *out, int status, int64_t length);

/* Take note of `len` bytes to send. Returns: how many of them may leave. */
size_t wgw_output_admit(wgw_output_t *out, size_t len);

/* Tell whether every declared byte was admitted, so that the response can be ended now. */
bool wgw_output_is_full(const wgw_output_t *out);

/* Tell whether fewer bytes were admitted than declared. */
bool wgw_output_is_short(const wgw_output_t *out);

#endif
