/* One request to a daemon process, and its response to httpd's client. */
#ifndef WGW_SERVER_RELAY_H
#define WGW_SERVER_RELAY_H

#include "server/brigade.h"
#include "server/pool.h"

/* Serve a request by a process of a pool.
 * Borrows: x, until return.
 * Blocks: for the queue, the process and the client, each until its deadline.
 * Returns: 0 when the response was sent, whole or visibly cut; otherwise nothing was sent and
 * the value is the HTTP status to answer with, said in the log. */
int wgw_relay_handle(wgw_brigade_t *x, const wgw_pool_t *pool);

/* Have a question answered by a process of a pool, through x->ops->answer(); of `x` only that and
 * log() are used. Borrows: x, until return. Blocks: for the queue and the process, as above.
 * Returns: 0 when it was answered; otherwise an HTTP status that says why not, said in the log. */
int wgw_relay_ask(wgw_exchange_t *x, request_rec *r, const wgw_pool_t *pool);

#endif
