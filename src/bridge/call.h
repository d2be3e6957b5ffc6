/* One call of an application: everything that lives from attach to the end of
 * the response. On the stack of wgw_bridge_handle(). */
#ifndef WGW_BRIDGE_CALL_H
#define WGW_BRIDGE_CALL_H

#include "bridge/attach.h"
#include "exchange/output.h"

/* A response head that passed its checks. */
typedef struct wgw_stored_head_t {
    wgw_buffer_t text;       /* "reason\0name\0value\0name\0value\0..." */
    size_t field_count;
    int status;
    int64_t length_declared; /* Content-Length, or -1 */
} wgw_stored_head_t;

typedef struct wgw_call_t {
    wgw_exchange_t *x;
    const wgw_request_t *req;
    wgw_py_state_t *state;
    wgw_thread_t *thread;
    struct wgw_call_t *outer;   /* of the same OS thread: a subrequest made while sending */

    wgw_output_t out;
    wgw_stored_head_t head;     /* the one that was set; memory of the thread's */
    wgw_buffer_t body;          /* a small body, copied; memory of the thread's */
    bool is_head_leaving;       /* from the first attempt to send it on: not to be replaced */
    bool is_final_pending;      /* body is the whole body, sent after detaching */

    wgw_status_t client;        /* WGW_OK until an operation on the exchange failed */
    wgw_status_t input_fault;   /* why wsgi.input failed, or WGW_OK */
    bool has_entered;           /* the exchange has been told so */
    bool has_answer;            /* to the question: `verdict`, and `body` is its text */
    wgw_verdict_t verdict;
    int http_status;            /* what httpd is to answer when no head has left; 0 */

    pthread_mutex_t turn;       /* held in an operation on the exchange: one at a time */
    atomic_int op_count;        /* operations under way, by any thread */

    PyObject *input;            /* NULL for a question, as start_response; these know the call, and are told when it ends */
    PyObject *start_response;
    PyObject *errors;
    wgw_buffer_t line;          /* of `errors`: a line that is not complete */
} wgw_call_t;

/* The innermost call of the calling OS thread, or NULL. */
wgw_call_t *wgw_call_current(void);

/* Code of the application is about to see the request, or to be imported for it. Nothing happens to
 * NULL. Context: attached. */
void wgw_call_enter(wgw_call_t *call);

/* Begin an operation on the exchange: detach, and wait for another thread's operation.
 * The application may hand wsgi.input or write() to threads of its own.
 * Returns: what wgw_py_op_end() takes. */
PyThreadState *wgw_py_op_begin(wgw_call_t *call);

/* End it: attach again. Borrows: tstate. */
void wgw_py_op_end(wgw_call_t *call, PyThreadState *tstate);

/* --- log: bridge/log_stream.c --------------------------------------------------------- */

/* Choose where the calling thread's lines go outside of a request; NULL: the process's log.
 * Borrows: sink, until the next choice. */
void wgw_log_stream_set_sink(const wgw_log_sink_t *sink);

/* Write text, line by line, to the log of `call` (NULL: of the thread or process).
 * Context: attached; detaches while it writes. */
void wgw_py_log_text(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level, const char *text,
                     size_t len);

/* Write one formatted line. Context: attached; detaches while it writes. */
void wgw_py_log(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* Make a stream for sys.stdout or sys.stderr (call NULL) or for a request.
 * Returns: new reference; NULL with an exception set. */
PyObject *wgw_py_log_stream_new(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level);

/* Make wsgi.errors. Returns: new reference; NULL with an exception set. */
PyObject *wgw_py_errors_new(wgw_call_t *call);

/* Write what is left without a line end, and let go of the call. Context: attached. */
void wgw_py_errors_end(wgw_call_t *call);

/* --- ask.c ---------------------------------------------------------------------------- */

/* Ask the script of a call what the request says, in call->has_answer or call->http_status. */
void wgw_py_ask(wgw_call_t *call);

/* --- environ.c ------------------------------------------------------------------------ */

/* Fill keys, twins and prototype. Returns: 0; -1 with an exception set. */
int wgw_py_environ_init(wgw_py_state_t *state);

/* Make the environ of a call; that of a question has no wsgi.input. Returns: new dict; NULL with an exception set. */
PyObject *wgw_py_environ_new(wgw_call_t *call);

/* --- input.c -------------------------------------------------------------------------- */

/* Make wsgi.input. Returns: new reference; NULL with an exception set. */
PyObject *wgw_py_input_new(wgw_call_t *call);

/* Let go of the call: later reads raise. */
void wgw_py_input_end(PyObject *input);

/* --- start_response.c ----------------------------------------------------------------- */

/* Make start_response. Returns: new reference; NULL with an exception set. */
PyObject *wgw_py_start_response_new(wgw_call_t *call);

/* Let go of the call: later calls of it, or of write(), raise. */
void wgw_py_start_response_end(PyObject *start_response);

/* Add a Content-Length to a head that was set and has none. Returns: false no memory. */
bool wgw_py_head_add_length(wgw_call_t *call, int64_t length);

/* --- send.c --------------------------------------------------------------------------- */

/* Send the head that was set. Context: detached. */
wgw_status_t wgw_call_send_head(wgw_call_t *call);

/* Send one block of the body now. `block` is borrowed.
 * Returns: 0 (the client may have gone: see call->client); -1 with an exception set. */
int wgw_py_send_block(wgw_call_t *call, PyObject *block);

/* Send a list or tuple in one piece, or leave it pending in thread->body when it is small.
 * Returns: 0; -1 with an exception set (nothing was sent). */
int wgw_py_send_sequence(wgw_call_t *call, PyObject *blocks);

/* End the response after the last block. Returns: 0; -1 with an exception set (no head). */
int wgw_py_send_end(wgw_call_t *call);

/* End a response that has begun, so that the client sees that it is cut. Context: detached. */
void wgw_call_cut(wgw_call_t *call);

/* Send the pending body and end. Context: detached. */
void wgw_call_send_final(wgw_call_t *call);

/* --- file_wrapper.c ------------------------------------------------------------------- */

/* Send the result as a file if it is a FileWrapper around a plain one.
 * Returns: 1 done; 0 it has to be iterated; -1 with an exception set. */
int wgw_py_send_file(wgw_call_t *call, PyObject *result);

/* --- script.c ------------------------------------------------------------------------- */

/* Find the application of a target, loading its script if need be.
 * Returns: new reference; NULL and *http_status_out, said in the log. */
PyObject *wgw_py_script_find(wgw_py_state_t *state, const wgw_target_t *target,
                             wgw_deadline_t deadline, int *http_status_out);

/* --- fault.c -------------------------------------------------------------------------- */

/* Log the exception that is set, with its traceback, and clear it.
 * Returns: the HTTP status that it asks for (500; 504 for RequestTimeout; that of a
 * failed request body for the OSError it raised). */
int wgw_py_fault(wgw_call_t *call, const char *what);

/* --- types, each made for one interpreter; returns: new reference, or NULL with an exception --- */

PyTypeObject *wgw_py_input_type(PyObject *module);
PyTypeObject *wgw_py_start_response_type(PyObject *module);
PyTypeObject *wgw_py_log_stream_type(PyObject *module);
PyTypeObject *wgw_py_file_wrapper_type(PyObject *module);
PyTypeObject *wgw_py_script_type(PyObject *module);

#endif
