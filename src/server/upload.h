/* The request body on its way from httpd's client to a daemon process. */
#ifndef WGW_SERVER_UPLOAD_H
#define WGW_SERVER_UPLOAD_H

#include "base/buffer.h"
#include "server/brigade.h"
#include "server/link.h"

typedef struct wgw_upload_t {
    wgw_brigade_t *x;
    wgw_buffer_t ahead;     /* of the body, read before the request was sent */
    bool is_whole;          /* `ahead` is all of it */
    int file;               /* all of it, as a file (request-spool); -1 none; Owned */
    wgw_status_t fault;     /* the client does not send the rest: why */
    wgw_buffer_t frames;    /* to send */
    size_t sent;            /* bytes of them */
    bool is_over;           /* the last frame of the body is in `frames`, or was sent */
    wgw_deadline_t client_by; /* until when the client has to send more */
} wgw_upload_t;

/* Begin: read ahead what is allowed to be, spool where it is asked for.
 * Borrows: x. Blocks: as the client sends, until its deadline.
 * Returns: 0; an HTTP status to answer with, said in the log. */
int wgw_upload_begin(wgw_upload_t *up, wgw_brigade_t *x, const wgw_pool_t *pool);

/* The body is wanted: move what goes now, in either direction; wait for nothing.
 * *moved_out: something has gone on.
 * Returns: 0; errno when the connection does not take it. */
int wgw_upload_advance(wgw_upload_t *up, wgw_link_t *link, bool *moved_out);

/* Tell whether there is more to do once the body is wanted. */
bool wgw_upload_is_pending(const wgw_upload_t *up);

/* Tell whether something of the body that nobody can get a second time is gone. */
bool wgw_upload_has_begun(const wgw_upload_t *up);

/* Wait for the client, or for the daemon process. `reply_by` bounds the latter where only it is
 * waited for, `ends_by` both. Returns: false when the daemon process was silent for too long. */
bool wgw_upload_wait(wgw_upload_t *up, const wgw_link_t *link, wgw_deadline_t reply_by,
                     wgw_deadline_t ends_by);

/* Begin again, for another process: nothing of the body has been sent. */
void wgw_upload_rewind(wgw_upload_t *up);

void wgw_upload_deinit(wgw_upload_t *up);

#endif
