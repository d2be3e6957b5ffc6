/* Application groups and their interpreters. */
#ifndef WGW_BRIDGE_INTERP_H
#define WGW_BRIDGE_INTERP_H

#include "bridge/attach.h"

/* The main interpreter. Context: after wgw_bridge_create(). */
wgw_interp_t *wgw_interp_main(wgw_bridge_t *bridge);

/* Find the interpreter of an application group; the first request for it makes it.
 * Context: inside, detached. Blocks: until `deadline` while another thread makes one.
 * Returns: NULL and *http_status_out; the reason was logged. */
wgw_interp_t *wgw_interp_find(wgw_bridge_t *bridge, const char *group, wgw_deadline_t deadline,
                              int *http_status_out);

#endif
