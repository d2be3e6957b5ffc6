/* One request from a connection: read, handed to the bridge, answered. */
#ifndef WGW_WORKER_REQUEST_H
#define WGW_WORKER_REQUEST_H

#include "base/buffer.h"
#include "exchange/message.h"
#include "worker/conn.h"
#include "worker/policy.h"
#include "worker/slot.h"

/* What a thread keeps from request to request. */
typedef struct wgw_request_memory_t {
    wgw_buffer_t in;       /* a REQUEST frame, as long as the request lives */
    wgw_buffer_t head;     /* a HEAD frame that has not left */
    wgw_var_store_t vars;
    wgw_policy_t policy;
    wgw_slot_t *slot;      /* the thread's own, NULL none */
} wgw_request_memory_t;

/* Serve what there is to read from a connection: open it, or serve one request, or close it.
 * Owns: conn. Blocks: as the application does. Context: a thread that is detached. */
void wgw_request_serve(wgw_conn_t *conn, wgw_request_memory_t *memory);

/* The I/O thread: the last of a response has been sent, or cannot be. Owns: conn. */
void wgw_request_drained(wgw_conn_t *conn);

#endif
