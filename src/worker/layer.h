/* What the configuration says of interpreters, as the bridge takes it. */
#ifndef WGW_WORKER_LAYER_H
#define WGW_WORKER_LAYER_H

#include "wire/spec.h"
#include "wsgigw/bridge.h"

/* Read the texts of layers. Lives: *layers_out, as long as the process; it points into the texts.
 * Returns: false when memory is short, or the texts are no layers. */
bool wgw_wrk_layers_read(wgw_texts_t texts, const wgw_layer_t **layers_out, size_t *count_out);

#endif
