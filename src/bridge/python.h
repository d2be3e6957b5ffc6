/* Python.h under the limited API, the same in embedded and daemon mode.
 * (Free-threaded builds have no limited API; they compile against their own headers.) */
#ifndef WGW_BRIDGE_PYTHON_H
#define WGW_BRIDGE_PYTHON_H

#define PY_SSIZE_T_CLEAN
#if !defined(Py_LIMITED_API) && !defined(Py_GIL_DISABLED)
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>
#include <structmember.h>

#if PY_VERSION_HEX < 0x030c0000 && UINTPTR_MAX > 0xffffffffu
#include "bridge/refcount.h"
#endif

#endif
