/* What processes of a pool have loaded, as they say: their successors load it before they serve. */
#ifndef WGW_SUPERVISOR_WARM_H
#define WGW_SUPERVISOR_WARM_H

#include <stdint.h>

#include "base/buffer.h"

enum { WGW_WARM_TEXTS = 4 }; /* of each: as of WGW_EXEC_LOADED */

typedef struct wgw_warm_t {
    wgw_buffer_t texts; /* encoded; at most WGW_EXEC_WARM_MOST bytes */
    uint32_t count;     /* of texts */
} wgw_warm_t;

/* Take note of it, unless it is known, or there is no room. */
void wgw_sup_warm_add(wgw_warm_t *warm, const char *const texts[WGW_WARM_TEXTS]);

/* What is to be loaded need not have the callables any more that it had. */
void wgw_sup_warm_forget_callables(wgw_warm_t *warm);

void wgw_sup_warm_deinit(wgw_warm_t *warm);

#endif
