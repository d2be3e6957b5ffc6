/* WSGIDispatchScript: Python that decides who serves a request. */
#ifndef WGW_SERVER_DISPATCH_H
#define WGW_SERVER_DISPATCH_H

#include <httpd.h>

#include "server/request.h"

/* Ask the dispatch script, if there is one.
 * Blocks: as wgw_ask(), for each of its three functions.
 * Returns: OK and *choice_out; otherwise the HTTP status to answer with, said in the log: the request
 * does not go where the configuration alone would send it. */
int wgw_dispatch(request_rec *r, wgw_choice_t *choice_out);

#endif
