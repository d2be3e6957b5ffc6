/* Making a sub-interpreter, with the GIL of all or with one of its own. */
#ifndef WGW_BRIDGE_SUBINTERP_H
#define WGW_BRIDGE_SUBINTERP_H

#include <stdbool.h>

#include "bridge/python.h"

/* Tell whether this Python can give an interpreter its own GIL, in a way that is known here. */
bool wgw_py_subinterp_can_own_gil(void);

/* Make an interpreter and attach to it. With a GIL of its own, that of the one before is let go.
 * Context: attached to the main interpreter.
 * Returns: its first thread state; NULL and *wrong_out, attached to the main one as before. */
PyThreadState *wgw_py_subinterp_new(bool owns_gil, const char **wrong_out);

#endif
