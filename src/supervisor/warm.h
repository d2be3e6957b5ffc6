/* What processes of a pool have loaded, as they say: their successors load it before they serve. */
#ifndef WGW_SUPERVISOR_WARM_H
#define WGW_SUPERVISOR_WARM_H

#include <stdint.h>

#include "base/buffer.h"

typedef struct wgw_warm_t {
    wgw_buffer_t texts; /* encoded; at most WGW_EXEC_WARM_MOST bytes */
    uint32_t count;     /* of texts, three for each */
} wgw_warm_t;

/* Take note of it, unless it is known, or there is no room. Texts as of WGW_EXEC_LOADED. */
void wgw_sup_warm_add(wgw_warm_t *warm, const char *kind, const char *name, const char *group);

void wgw_sup_warm_deinit(wgw_warm_t *warm);

#endif
