/* What the configuration says of an interpreter: layers, of which the more specific ones win. */
#ifndef WGW_BRIDGE_LAYER_H
#define WGW_BRIDGE_LAYER_H

#include "bridge/attach.h"

/* Tell whether the interpreter of an application group is to have its own GIL, as far as the
 * configuration says; the main interpreter has one anyway. */
bool wgw_layer_wants_own_gil(const wgw_bridge_config_t *config, const char *group);

/* Tell whether that may be so of any group. */
bool wgw_layer_may_want_own_gil(const wgw_bridge_config_t *config);

/* Set the switch interval of the attached interpreter's GIL.
 * Returns: false with an exception set. */
bool wgw_py_layer_set_switch_interval(const wgw_interp_t *interp);

/* Returns: the folders for the front of sys.path, the most specific ones first: new list; NULL with
 * an exception set. */
PyObject *wgw_py_layer_python_path(const wgw_interp_t *interp);

#endif
