/* The exchange over httpd's bucket brigades: embedded mode's side of the seam. */
#ifndef WGW_SERVER_BRIGADE_H
#define WGW_SERVER_BRIGADE_H

#include <httpd.h>

#include "wsgigw/exchange.h"

typedef struct wgw_brigade_t {
    wgw_exchange_t exchange; /* first: the operations cast */
    request_rec *r;
    apr_bucket_brigade *in;  /* read, not yet taken; NULL before the first read */
    apr_bucket_brigade *out;
    bool is_input_at_end;
    wgw_status_t input_fault; /* sticky */
    bool is_input_dropped;   /* the response is complete: what was not read is gone */
    bool uses_sendfile;
    bool overrides_errors;   /* WSGIErrorOverride */
    int status;              /* what was set for the response; httpd may answer otherwise */
    int override_status;     /* status that httpd is to answer itself; 0 */
} wgw_brigade_t;

/* Read what has come of the request body, and wait for nothing; *len_out 0 when nothing has, or at
 * its end, which is_input_at_end tells. Returns: as read_body. */
wgw_status_t wgw_brigade_read_ready(wgw_brigade_t *x, char *buf, size_t size, size_t *len_out);

/* Forget a head that was set, of which nothing has left: httpd is to answer itself. */
void wgw_brigade_forget_head(wgw_brigade_t *x);

/* Begin an exchange. Borrows: r, request. */
void wgw_brigade_init(wgw_brigade_t *x, request_rec *r, const wgw_request_t *request);

#endif
