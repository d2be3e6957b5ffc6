/* How a request finds an idle daemon thread, wherever it is: by the pool's
 * scoreboard, in a queue that all httpd children share. */
#ifndef WGW_SERVER_QUEUE_H
#define WGW_SERVER_QUEUE_H

#include <httpd.h>

#include "server/link.h"

/* A place in the queue of a pool. */
typedef struct wgw_seat_t {
    const wgw_pool_t *pool;
    wgw_entry_t *entry;
    unsigned number;          /* of the entry */
    wgw_deadline_t wait_by;   /* until when it may wait for a thread (queue-timeout), or at all */
    uint32_t row_version;     /* of the process that was claimed last */
    uint32_t least_version;   /* of a process that may be claimed; 0 any */
    wgw_deadline_t fresh_by;  /* until when it waits for one of that version */
} wgw_seat_t;

/* Make this child's side of every pool. Context: child_init. */
void wgw_queue_child_init(apr_pool_t *pchild, const apr_array_header_t *pools);

/* Let nobody wait in a queue any more. Context: the child ends ungracefully, maybe in a signal
 * handler. */
void wgw_queue_child_stop_sig(void);

/* Take a place, for a request that ends at `ends_by`. Returns: false when there is none: requests
 * of HTTP/2 can be more than the threads of httpd. */
bool wgw_queue_enter(const wgw_pool_t *pool, const request_rec *r, wgw_deadline_t ends_by,
                     wgw_seat_t *seat_out);

typedef enum wgw_claim_t {
    WGW_CLAIMED,
    WGW_CLAIM_FULL,   /* none is idle, and as many requests wait as may (listen-backlog) */
    WGW_CLAIM_LATE,   /* no thread became idle before wait_by */
    WGW_CLAIM_STOPS,  /* httpd ends, and the connection to the client has been closed */
    WGW_CLAIM_NOBODY  /* no process is there, for as long as connect-timeout, or none is being started */
} wgw_claim_t;

/* Claim an idle thread and get a connection to its process.
 * Owns: *link_out; to be given to wgw_queue_release().
 * Blocks: until seat->wait_by. */
wgw_claim_t wgw_queue_claim(wgw_seat_t *seat, wgw_link_t **link_out);

/* Tell whether the application may have been called for the request. */
bool wgw_queue_has_begun(const wgw_seat_t *seat);

/* The process that was claimed has refused the request, because a file has changed since it was
 * loaded: claim only processes that are started from now on. */
void wgw_queue_want_fresh(wgw_seat_t *seat);

/* Tell whether the request may be served by what is loaded, because no process with the new code could
 * be started, or not in time. Context: after wgw_queue_want_fresh(), and a claim. */
bool wgw_queue_is_old_right(const wgw_seat_t *seat);

/* The head of the response has come: for people who read the scoreboard. */
void wgw_queue_note_head(const wgw_seat_t *seat);

/* Tell whether the process says that no Python runs for the request any more. */
bool wgw_queue_is_done(const wgw_seat_t *seat);

/* Give a connection back. Owns: link; it is kept for the next request when `is_usable`. */
void wgw_queue_release(const wgw_pool_t *pool, wgw_link_t *link, bool is_usable);

/* Return a claim that the process has not taken up: it closed the connection with the request
 * unread. */
void wgw_queue_give_back(const wgw_pool_t *pool, const wgw_link_t *link);

/* Leave the queue. */
void wgw_queue_leave(wgw_seat_t *seat);

/* Count what a client gets whose request the pool has not answered; other statuses are not counted. */
void wgw_queue_count(const wgw_pool_t *pool, int http_status);

/* How the process of a link has ended, as of waitpid(); -1 when it lives, or nobody knows.
 * Blocks: a moment, for the supervisor to notice. */
int wgw_queue_exit_status(const wgw_pool_t *pool, const wgw_link_t *link);

#endif
