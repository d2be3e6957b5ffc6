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

#endif
