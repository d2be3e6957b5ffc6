/* Connections from httpd's children. Any thread of the process may be told that
 * one has something to read; one thread at a time owns it, for as long as a
 * request of it is inside. */
#ifndef WGW_WORKER_CONN_H
#define WGW_WORKER_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "wire/frame.h"
#include "worker/output.h"

typedef struct wgw_conn_t {
    int sock;             /* -1: the record is free */
    uint32_t index;       /* of the record, constant */
    _Atomic uint64_t state; /* which connection the record is, and who owns it: see conn.c */
    wgw_phase_t phase;    /* under the owner */
    bool is_closing;      /* to be closed when the response has been sent; under the owner */
    wgw_output_queue_t output;
    struct wgw_conn_t *next_free;
} wgw_conn_t;

/* What epoll hands out for the listener and for the end of the threads. */
enum { WGW_CONN_LISTENER = UINT32_MAX, WGW_CONN_WAKE = UINT32_MAX - 1 };

/* Prepare the table. Returns: false no memory. */
bool wgw_conns_init(void);

/* Take what waits at the listener. Context: any thread. */
void wgw_conns_accept(void);

/* Find the connection that epoll's data names, and own it.
 * Returns: NULL when it is gone, or another thread has it (which will look again). */
wgw_conn_t *wgw_conn_own(uint64_t data);

/* Give it up; what has come meanwhile is told to some thread. Context: the owner. */
void wgw_conn_disown(wgw_conn_t *conn);

/* Close it for good; nobody owns it any more. Context: the owner. */
void wgw_conn_close(wgw_conn_t *conn);

/* Tell no thread any more that there is something to read, until it is given up: its owner
 * reads a body from it. */
void wgw_conn_mute(wgw_conn_t *conn);

/* Have the I/O thread send what waits. Context: the queue's lock is held. */
void wgw_conn_watch_output(wgw_output_queue_t *q);

/* The I/O thread: the socket of epoll's data takes more. */
void wgw_conn_on_writable(uint64_t data);

/* In a forked copy: close all that is ours. */
void wgw_conns_close_copies(void);

#endif
