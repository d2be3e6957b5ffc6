/* Threads and interpreters: who is attached to what.
 * One wgw_thread_t for each pair of operating system thread and interpreter,
 * made at the first request and kept, so that attaching is one call. */
#ifndef WGW_BRIDGE_ATTACH_H
#define WGW_BRIDGE_ATTACH_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "bridge/python.h"
#include "bridge/state.h"

typedef struct wgw_thread_t {
    wgw_interp_t *interp;
    PyThreadState *tstate;
    struct wgw_thread_t *next_here;      /* the same OS thread in other interpreters */
    struct wgw_thread_t *next_in_interp; /* under wgw_bridge_t.lock */
    PyObject *memo[WGW_KEY_COUNT];       /* last value per key with WGW_KEY_MEMO, or NULL */
    wgw_buffer_t head, body;             /* memory that a call takes and gives back */
    long number;                         /* 1, 2, ...: thread_id in environ; 0: it serves none */
} wgw_thread_t;

/* One application group. Made once, never freed while the process serves. */
struct wgw_interp_t {
    wgw_bridge_t *bridge;
    char *group;
    PyInterpreterState *istate;
    wgw_py_state_t *state;
    PyThreadState *keeper;   /* what it was made with: one must be left as long as it lives */
    pthread_t maker;         /* the thread that made it: the main thread of its `threading` */
    wgw_thread_t *threads;   /* under wgw_bridge_t.lock */
    wgw_interp_t *next;      /* set before publication, then constant */
    bool is_main;
    bool owns_gil;           /* true of the main one, too */
    atomic_bool is_seized;   /* a thread has its GIL, for good */
};

struct wgw_bridge_t {
    const wgw_bridge_config_t *config;
    _Atomic(wgw_interp_t *) interps; /* list; grows at its front */
    unsigned interp_count;           /* under making */
    pthread_mutex_t making;          /* held while an interpreter is made */
    pthread_mutex_t lock;            /* short: lists of threads, draining */
    pthread_cond_t idle;             /* active_count has reached 0 */
    atomic_long active_count;        /* threads inside */
    atomic_bool is_draining;
    atomic_long thread_count;
    bool is_forked;                  /* this is a copy of the process that serves: it must not */
};

/* Enter: attach the calling thread to the interpreter of `group`, which is made if need be.
 * Blocks: until `deadline` while another thread makes an interpreter, and for the GIL.
 * Returns: 0 and *thread_out; else the HTTP status to answer with: 503 while the process
 * ends, otherwise said in the log. */
int wgw_bridge_enter(wgw_bridge_t *bridge, const char *group, wgw_deadline_t deadline,
                     wgw_thread_t **thread_out);

/* Count the thread out. Context: detached (PyEval_SaveThread) since it entered. */
void wgw_bridge_exit(wgw_thread_t *thread);

/* The calling thread's record for an interpreter; made if need be. A request within another
 * one of the same thread (a subrequest) uses the same, on top.
 * Context: attached or not. Returns: NULL no memory. */
wgw_thread_t *wgw_thread_here(wgw_interp_t *interp);

/* Note for others that Python begins, and has ended, to run for a request of the calling thread.
 * Context: attached. */
void wgw_py_spot_enter(void);
void wgw_py_spot_leave(void);

/* Drop the Python objects of a record. Context: attached to its interpreter. */
void wgw_py_thread_clear(wgw_thread_t *thread);

#endif
