/* The bridge: WSGI itself (PEP 3333), between an exchange and an application.
 *
 * Used by embedded mode and by the daemon process, which start the interpreter
 * and own the threads. Compiled under Python's limited API. */
#ifndef WSGIGW_BRIDGE_H
#define WSGIGW_BRIDGE_H

#include <stdatomic.h>

#include "base/deadline.h"
#include "base/log.h"
#include "wsgigw/exchange.h"
#include "wsgigw/version.h"

/* Compatibility: the mod_wsgi whose documented behaviour applications may rely on. */
#define WGW_COMPAT_VERSION { 6, 0, 5 }

/* What the configuration says of interpreters: of one application group, or of all. */
typedef struct wgw_layer_t {
    const char *group;           /* "" the main interpreter; NULL all */
    int own_gil;                 /* 1 or 0: a GIL of its own (WSGIPerInterpreterGIL); -1 not said */
    int64_t switch_interval_us;  /* of its GIL; 0 not said */
    const char *const *python_path; /* folders that go before those of wgw_bridge_config_t */
    size_t python_path_count;
} wgw_layer_t;

typedef struct wgw_bridge_config_t {
    wgw_log_sink_t sink;         /* for what is said outside a request */
    const char *process_group;   /* "" in embedded mode */
    const char *main_group;      /* application group that the main interpreter serves
                                    beside "", or NULL (DESIGN section 8) */
    unsigned interpreter_limit;  /* how many interpreters there may be, the main one included */
    const char *const *python_path; /* folders that go to the front of sys.path */
    size_t python_path_count;
    const wgw_layer_t *layers;   /* the later one wins */
    size_t layer_count;
    int server_version[3];       /* httpd's, for apache.version */
    bool keeps_code;             /* what has been loaded is never loaded anew: see WGW_BRIDGE_STALE */
    /* Called when a script or module has been loaded in an interpreter for the first time, and has
     * the callable that was asked for; NULL: nobody wants to know. Context: attached; must not block. */
    void (*on_loaded)(const wgw_target_t *target);
    /* Called when one could not be loaded, or has not the callable; NULL: nobody wants to know. Context:
     * as above. */
    void (*on_unloaded)(void);
    const char *extension;       /* the file that `_wsgigw` is imported from; NULL: it was
                                    registered (embedded mode) */
} wgw_bridge_config_t;

typedef struct wgw_bridge_t wgw_bridge_t;

/* An argument of -X, where a free-threaded build is to run without a GIL. */
#define WGW_FREE_THREADING "wsgigw_free_threading"

/* Make `_wsgigw` importable. Context: before the interpreter is initialised.
 * Returns: 0; -1 no memory. */
int wgw_bridge_register(void);

/* Set up the main interpreter for serving.
 * Borrows: config, for good. Context: attached to the main interpreter, in the thread
 * that initialised it. Returns: NULL no memory. An interpreter that could not be set up is
 * said in the log, and its requests get 500. */
wgw_bridge_t *wgw_bridge_create(const wgw_bridge_config_t *config);

/* Instead of an HTTP status, where `keeps_code` is set: the file has changed since it was loaded,
 * and no code of the application has seen the request. */
enum { WGW_BRIDGE_STALE = 1000 };

/* Serve one request: find the application, call it, send what it gives.
 * Borrows: x, until return. Context: any thread, detached; attaches itself.
 * Blocks: as the application and the exchange's operations do.
 * Returns: 0 when the response was sent, whole or visibly cut; otherwise nothing was
 * sent and the value is the HTTP status to answer with, or WGW_BRIDGE_STALE. */
int wgw_bridge_handle(wgw_bridge_t *bridge, wgw_exchange_t *x);

typedef struct wgw_preload_t {
    wgw_target_t target;
    wgw_log_sink_t sink; /* for what is said meanwhile: the log of its virtual host */
} wgw_preload_t;

/* Load a target before the first request needs it; trouble is logged.
 * Context and blocking as in wgw_bridge_handle(). Returns: whether it is loaded. */
bool wgw_bridge_preload(wgw_bridge_t *bridge, const wgw_preload_t *preload);

/* Take no more requests, and wait until none is inside.
 * Context: any thread, detached. Blocks: until `deadline`.
 * Returns: true when no thread is inside any more. */
bool wgw_bridge_drain(wgw_bridge_t *bridge, wgw_deadline_t deadline);

/* Tell whether the calling thread is inside wgw_bridge_handle() (a signal handler's question). */
bool wgw_bridge_is_inside(void);

/* End all interpreters but the main one, which the caller finalises next.
 * Context: attached to the main interpreter, in the thread that initialised it, after
 * wgw_bridge_drain() has returned true. Returns: false when threads of the application are
 * left in one of them: then the interpreter must not be finalised. */
bool wgw_bridge_end_interpreters(wgw_bridge_t *bridge);

/* Instead of that: end none, run no exit function, and let no thread run Python any more, as long as
 * the caller stays attached. Context: the same. Blocks: at most a second for each interpreter. */
void wgw_bridge_seize_interpreters(wgw_bridge_t *bridge);

/* --- for who watches over threads -------------------------------------------------------- */

/* An application group and its interpreter. Lives: as long as the process serves. */
typedef struct wgw_interp_t wgw_interp_t;

/* What a thread is in. Written by the thread; others look at it. Zero at first. */
typedef struct wgw_spot_t {
    _Atomic(wgw_interp_t *) interp; /* of its last request, or the one it is in; NULL none yet */
    atomic_ulong ident;             /* of the thread, as Python's dumps say it; constant */
    atomic_bool is_in_call;         /* Python runs for a request; changed while attached */
    atomic_bool is_interrupted;     /* the same; wgw_py_interrupt() was called meanwhile */
} wgw_spot_t;

/* Have the calling thread note in `spot` what it is in. Lives: as long as the process. */
void wgw_bridge_set_spot(wgw_spot_t *spot);

/* Attach to an interpreter, call, detach.
 * Context: any thread, detached. Blocks: until the interpreter is to be had, without a bound.
 * Returns: false, without having called, when the process ends or memory is short. */
bool wgw_bridge_visit(wgw_interp_t *interp, void (*call)(void *ctx), void *ctx);

/* Raise wsgigw.RequestTimeout in the request that a thread is in.
 * Context: attached to spot->interp. Returns: false when no Python runs for it. */
bool wgw_py_interrupt(wgw_spot_t *spot);

/* Make the calling thread one of an interpreter, without attaching: faulthandler then takes it for
 * the one to dump. Context: a thread that has not been in any. Blocks: never.
 * Returns: false when the process ends or memory is short. */
bool wgw_bridge_enroll(wgw_interp_t *interp);

/* The first interpreter of the process (the main one), and the one after `interp`; NULL none. */
wgw_interp_t *wgw_bridge_first(wgw_bridge_t *bridge);
wgw_interp_t *wgw_bridge_next(const wgw_interp_t *interp);

/* The name of its application group, "" of the main one. */
const char *wgw_bridge_group(const wgw_interp_t *interp);

/* The interpreter whose GIL it has: itself, or the main one, whose GIL all others share. */
wgw_interp_t *wgw_bridge_gil(wgw_interp_t *interp);

/* Say once, where interpreters are to have a GIL of their own, that this Python cannot do it. */
void wgw_bridge_say_gil(const wgw_bridge_config_t *config);

#endif
