/* What a daemon process says about one request, as events. Pure. The process is
 * treated as hostile: order, lengths, head and the honesty of Content-Length are
 * checked here, so that the caller has only to carry out. */
#ifndef WGW_EXCHANGE_REPLY_H
#define WGW_EXCHANGE_REPLY_H

#include "exchange/message.h"
#include "exchange/output.h"
#include "wire/frame.h"

typedef enum wgw_reply_kind_t {
    WGW_REPLY_MORE,      /* nothing complete is left: receive */
    WGW_REPLY_HEAD,
    WGW_REPLY_BLOCK,     /* bytes of the body, a whole block or a part */
    WGW_REPLY_FILE,
    WGW_REPLY_END,       /* the response is complete */
    WGW_REPLY_CUT,       /* it ends early, visibly; `wrong` says why if the process did not say so */
    WGW_REPLY_STATUS,    /* no response: answer with http_status */
    WGW_REPLY_REFUSED,
    WGW_REPLY_DONE,      /* after END or CUT that were not `is_last` */
    WGW_REPLY_LOG,
    WGW_REPLY_WANT_BODY,
    WGW_REPLY_ANSWER,    /* to a question: the last event */
    WGW_REPLY_BAD        /* not the protocol; `wrong` says why. The connection is of no more use */
} wgw_reply_kind_t;

/* Points into the data that was given, until the next call. */
typedef struct wgw_reply_event_t {
    wgw_reply_kind_t kind;
    wgw_head_t head;       /* HEAD */
    wgw_span_t span;       /* BLOCK: bytes to pass on, perhaps none; LOG, ANSWER: text */
    wgw_verdict_t verdict; /* ANSWER */
    wgw_level_t level;     /* LOG */
    int64_t offset, size;  /* FILE: part of the descriptor that comes along */
    int http_status;       /* STATUS: 400 to 599 */
    bool is_last;          /* END, CUT: nothing follows; else LOG may, and DONE does */
    bool is_stale;         /* REFUSED: the file has changed since the process loaded it */
    bool closes;           /* with the last event: the connection is of no more use */
    const char *wrong;     /* CUT, BAD; or NULL */
    size_t need;           /* MORE: bytes there have to be at the least, with those that are left */
} wgw_reply_event_t;

typedef struct wgw_reply_t {
    wgw_phase_t *phase;        /* of the connection; Borrowed */
    wgw_question_t question;   /* that was asked */
    wgw_head_limits_t limits;
    wgw_field_store_t fields;  /* Owned by the caller, who frees it */
    wgw_output_t output;       /* what may leave */
    size_t block_left;         /* bytes to come of a BLOCK */
    unsigned file_count;       /* descriptors are open until the request ends: few are allowed */
} wgw_reply_t;

/* Begin with a request. Borrows: phase. */
void wgw_reply_init(wgw_reply_t *reply, wgw_phase_t *phase, const wgw_request_t *request,
                    size_t line_most);

/* Take the next event from `data`. Returns: how many bytes of it were used. */
size_t wgw_reply_next(wgw_reply_t *reply, const char *data, size_t len,
                      wgw_reply_event_t *event_out);

#endif
