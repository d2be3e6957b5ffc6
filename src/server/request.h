/* From request_rec to wgw_request_t. */
#ifndef WGW_SERVER_REQUEST_H
#define WGW_SERVER_REQUEST_H

#include <httpd.h>

#include "wsgigw/exchange.h"

/* What a server process is, the same for all its requests. */
typedef struct wgw_process_t {
    bool is_multithread;
    bool is_multiprocess;
    const char *pid; /* in decimal */
} wgw_process_t;

/* Build the request that the bridge sees. Lives: as long as r. */
const wgw_request_t *wgw_request_create(request_rec *r, const wgw_process_t *process,
                                        int64_t content_length);

#endif
