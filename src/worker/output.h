/* What a connection still has to send. Python never waits for a slow peer: what
 * the socket does not take is kept, in memory up to a bound of the process, in
 * an unlinked file beyond it, and sent by the I/O thread. */
#ifndef WGW_WORKER_OUTPUT_H
#define WGW_WORKER_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct wgw_piece_t wgw_piece_t;

typedef struct wgw_output_queue_t {
    pthread_mutex_t lock;      /* for all of it: a LOG frame may come from another thread */
    pthread_cond_t shrunk;     /* something was sent, or is_broken was set */
    int sock;
    wgw_piece_t *first, *last; /* what waits; NULL nothing */
    size_t memory_bytes;       /* of it in memory */
    int spool;                 /* unlinked file, -1 none yet */
    int64_t spool_end;         /* bytes written to it */
    bool is_watched;           /* the I/O thread sends what waits */
    bool is_broken;            /* the peer has gone, or an error: nothing is sent any more */
    bool is_ended;             /* the thread has left: the I/O thread is to call on_drained */
} wgw_output_queue_t;

/* Prepare a record that lives for good, and then each new connection it is. */
void wgw_output_queue_init(wgw_output_queue_t *q);
void wgw_output_queue_reset(wgw_output_queue_t *q, int sock);

/* Send spans, in order, and with their first byte a descriptor (-1 none).
 * Owns: fd, in every case. Borrows: spans until return.
 * Blocks: a few milliseconds for a peer that reads; longer only when neither memory nor a
 * file takes more, until socket-timeout passes without progress.
 * Returns: false when the connection is broken. */
bool wgw_output_queue_send(wgw_output_queue_t *q, const struct iovec *spans, int count, int fd);

/* Let go: nothing more will be sent for this request.
 * Returns: true when nothing waits; false: the I/O thread goes on, and tells at the end by
 * wgw_request_drained(). */
bool wgw_output_queue_finish(wgw_output_queue_t *q);

typedef enum wgw_flushed_t {
    WGW_FLUSHED_SOME, /* more waits */
    WGW_FLUSHED_ALL,
    WGW_FLUSHED_LAST  /* all, and wgw_output_queue_finish() was called before */
} wgw_flushed_t;

/* The I/O thread: send what the socket takes. */
wgw_flushed_t wgw_output_queue_flush(wgw_output_queue_t *q);

/* Drop everything. Context: the thread has left, or never began. */
void wgw_output_queue_drop(wgw_output_queue_t *q);

#endif
