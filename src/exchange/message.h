/* A request, and the head of its response, as payloads of frames (wire/PROTOCOL.md).
 * Pure. What is decoded points into the payload. */
#ifndef WGW_EXCHANGE_MESSAGE_H
#define WGW_EXCHANGE_MESSAGE_H

#include "base/buffer.h"
#include "wsgigw/exchange.h"

/* What a REQUEST frame says beside the request itself. */
typedef struct wgw_request_note_t {
    uint32_t entry; /* of the scoreboard */
    uint32_t epoch; /* of the row, when a thread of it was claimed */
    wgw_span_t body; /* the whole body, if it is here */
    bool has_body;  /* `body` is all of it */
} wgw_request_note_t;

/* Append a whole REQUEST frame, header included; CALL, for a request that is a question. `flags` is
 * of the frame.
 * Returns: false when memory is short or the request is too large for a frame. */
bool wgw_request_encode(wgw_buffer_t *b, const wgw_request_t *request,
                        const wgw_request_note_t *note, unsigned flags);

/* Where a decoded request keeps its variables; memory is kept for the next one. */
typedef struct wgw_var_store_t {
    wgw_var_t *vars; /* malloc'ed */
    size_t size;
} wgw_var_store_t;

/* Read a payload. Borrows: payload and store, as long as *request_out is used.
 * Returns: false when it is not a request, or memory is short. */
bool wgw_request_decode(const char *payload, size_t len, wgw_var_store_t *store,
                        wgw_request_t *request_out, wgw_request_note_t *note_out);

/* Read the payload of CALL: the same, a question with its arguments, and no body. */
bool wgw_call_decode(const char *payload, size_t len, wgw_var_store_t *store,
                     wgw_request_t *request_out, wgw_request_note_t *note_out);

/* Append a whole HEAD frame, header included.
 * Returns: false when memory is short or the head is too large for a frame. */
bool wgw_head_encode(wgw_buffer_t *b, const wgw_head_t *head);

/* Where a decoded head keeps its fields. */
typedef struct wgw_field_store_t {
    wgw_field_t *fields; /* malloc'ed */
    size_t size;
} wgw_field_store_t;

typedef struct wgw_head_limits_t {
    size_t line_most; /* bytes of one field, name and value */
} wgw_head_limits_t;

/* Read a payload and check all that a head has to be (exchange/head.h), because whoever sent it
 * may be hostile. *length_out is its Content-Length, -1 without.
 * Borrows: payload and store, as long as *head_out is used.
 * Returns: NULL; or what is wrong with it, in words. */
const char *wgw_head_decode(const char *payload, size_t len, const wgw_head_limits_t *limits,
                            wgw_field_store_t *store, wgw_head_t *head_out, int64_t *length_out);

#endif
