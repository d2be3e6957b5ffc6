/* The exchange over the wire: daemon mode's side of the seam. */
#ifndef WGW_WORKER_EXCHANGE_H
#define WGW_WORKER_EXCHANGE_H

#include "exchange/message.h"
#include "worker/conn.h"
#include "worker/slot.h"
#include "wsgigw/exchange.h"

typedef struct wgw_wrk_exchange_t {
    wgw_exchange_t exchange; /* first: the operations cast */
    wgw_request_t request;
    wgw_request_note_t note;
    wgw_slot_t *slot;        /* that the request is noted in, NULL: in none */
    wgw_conn_t *conn;        /* NULL once the last frame was sent and it was let go */
    pthread_mutex_t ending;  /* held while `conn` becomes NULL, and by other threads that log */
    wgw_buffer_t *head;      /* a HEAD frame that has not left; empty otherwise */
    bool has_head;           /* there is one in `head` */
    int body_file;           /* the request body as a file, -1 none; Owned */
    size_t body_at;          /* bytes read of note.body */
    size_t frame_left;       /* bytes to come of the BODY frame that is being read */
    bool is_body_at_end;
    wgw_status_t body_fault; /* sticky */
    bool has_ended;          /* the response is over: END or CUT was sent */
    bool has_left;           /* Python has been left, and the thread was counted idle */
    int fail_status;         /* a head could not be sent: what httpd is to answer instead; 0 */
} wgw_wrk_exchange_t;

/* Begin. Borrows: conn, head (memory of the thread's). Owns: body_file, -1 none. */
void wgw_wrk_exchange_init(wgw_wrk_exchange_t *x, wgw_conn_t *conn, wgw_buffer_t *head,
                           int body_file);

/* End a request that may not have been answered, with `http_status` if it was not.
 * Where nothing can be said any more the connection is closed, which httpd sees. */
void wgw_wrk_exchange_end(wgw_wrk_exchange_t *x, int http_status);

/* End a request that the application has not seen; `flags` of the REFUSED frame. */
void wgw_wrk_exchange_refuse(wgw_wrk_exchange_t *x, unsigned flags);

/* Count the thread idle, once. */
void wgw_wrk_exchange_leave(wgw_wrk_exchange_t *x);

/* Let go of what is left. */
void wgw_wrk_exchange_deinit(wgw_wrk_exchange_t *x);

#endif
