/* From request_rec to wgw_request_t. */
#ifndef WGW_SERVER_REQUEST_H
#define WGW_SERVER_REQUEST_H

#include <httpd.h>

#include "wsgigw/exchange.h"

/* What the processes are that serve an application. */
typedef struct wgw_process_t {
    bool is_multithread;
    bool is_multiprocess;
    const char *group; /* process group; "" in embedded mode */
    const char *pid;   /* of the httpd child, in decimal */
} wgw_process_t;

/* What %{RESOURCE} adds to the server's name: SCRIPT_NAME, or the expression of an alias that
 * names one script by it. */
const char *wgw_request_resource(request_rec *r);

/* Build the request that the bridge sees. Lives: as long as r. */
const wgw_request_t *wgw_request_create(request_rec *r, const wgw_process_t *process,
                                        int64_t content_length);

#endif
