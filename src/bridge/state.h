/* The state of one interpreter: types, interned keys, Python helpers.
 * It is the module state of `_wsgigw`, so each interpreter has its own and no
 * PyObject is static (DESIGN invariant 12). */
#ifndef WGW_BRIDGE_STATE_H
#define WGW_BRIDGE_STATE_H

#include "bridge/python.h"
#include "wsgigw/bridge.h"

/* Keys of environ entries that are not str. X(symbol, name) */
#define WGW_TYPED_KEYS(X) \
    X(WSGI_INPUT, "wsgi.input") \
    X(WSGI_ERRORS, "wsgi.errors") \
    X(WSGI_MULTITHREAD, "wsgi.multithread") \
    X(WSGI_MULTIPROCESS, "wsgi.multiprocess") \
    X(MW_THREAD_ID, "mod_wsgi.thread_id") \
    X(MW_REQUEST_START, "mod_wsgi.request_start") \
    X(MW_QUEUE_START, "mod_wsgi.queue_start") \
    X(MW_DAEMON_START, "mod_wsgi.daemon_start") \
    X(MW_APPLICATION_START, "mod_wsgi.application_start") \
    X(WG_THREAD_ID, "wsgigw.thread_id") \
    X(WG_REQUEST_START, "wsgigw.request_start") \
    X(WG_QUEUE_START, "wsgigw.queue_start") \
    X(WG_DAEMON_START, "wsgigw.daemon_start") \
    X(WG_APPLICATION_START, "wsgigw.application_start")

typedef enum wgw_typed_key_t {
#define WGW_TYPED_ENUM(symbol, name) WGW_TYPED_##symbol,
    WGW_TYPED_KEYS(WGW_TYPED_ENUM)
#undef WGW_TYPED_ENUM
    WGW_TYPED_COUNT
} wgw_typed_key_t;

typedef struct wgw_py_state_t {
    wgw_bridge_t *bridge;               /* set once, before any request */
    PyObject *keys[WGW_KEY_COUNT];      /* interned str; [WGW_KEY_NONE] is NULL */
    PyObject *twins[WGW_KEY_COUNT];     /* "wsgigw." form of keys with WGW_KEY_TWIN, else NULL */
    PyObject *typed[WGW_TYPED_COUNT];   /* interned str */
    PyObject *prototype;                /* dict: what is the same in every environ */
    PyTypeObject *input_type;
    PyTypeObject *start_response_type;
    PyTypeObject *log_stream_type;
    PyTypeObject *file_wrapper_type;
    PyTypeObject *script_type;
    PyObject *request_timeout;          /* the exception class */
    PyObject *scripts;                  /* dict: path or "module:NAME" -> Script */
    PyObject *helpers;                  /* dict: namespace of the `wsgigw` module */
} wgw_py_state_t;

/* Slots of a module definition that limited API 3.11 has no names for: it may be in interpreters
 * with a GIL of their own (3.12), and needs no GIL (3.13). They stand last in the array of slots. */
enum { WGW_PY_MULTIPLE_INTERPRETERS = 3, WGW_PY_GIL = 4 };
#define WGW_PY_PROMISES \
    { WGW_PY_MULTIPLE_INTERPRETERS, (void *)2 }, { WGW_PY_GIL, (void *)1 }

/* Cut off what Python of this version, as in Py_Version, does not know and would refuse.
 * `is_without_gil`: what is promised of a build that can do without one. */
void wgw_py_promise(PyModuleDef_Slot *slots, unsigned long version, bool is_without_gil);

/* Tell whether that is asked for (WSGIFreeThreading). Context: attached. */
bool wgw_py_is_free_threading_wanted(void);

/* What PyInit__wsgigw is: begins the multi-phase initialisation of `_wsgigw`.
 * Returns: the module definition. */
PyObject *wgw_py_module_init(void);

/* The state of the interpreter that is attached. Borrowed reference to module state.
 * Returns: NULL with an exception set. */
wgw_py_state_t *wgw_py_state_import(wgw_bridge_t *bridge);

/* Call a function of wsgigw.py by name, with borrowed arguments that end in NULL.
 * Returns: its result (new reference); NULL with an exception set. */
PyObject *wgw_py_helper(wgw_py_state_t *state, const char *name, ...);

/* The end of an object of a heap type that holds no others. */
void wgw_py_dealloc(PyObject *object);

/* The end of an object that the collector knows; `clear` lets go of the others it holds. */
void wgw_py_dealloc_collected(PyObject *object, inquiry clear);

/* Look at the bytes of a str that must be latin-1 (PEP 3333, "Unicode Issues").
 * *owner_out keeps *data_out alive and is to be released by the caller; it may be NULL.
 * Returns: 0; -1 with TypeError (`what` is not a str) or UnicodeEncodeError. */
int wgw_py_latin1(PyObject *text, const char *what, const char **data_out, size_t *len_out,
                  PyObject **owner_out);

#endif
