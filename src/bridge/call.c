/* The way of one request: attach, call the application, send what it gives, detach. */
#include "bridge/call.h"

#include <time.h>
#include <unistd.h>

static __thread wgw_call_t *current_call;

wgw_call_t *wgw_call_current(void)
{
    return current_call;
}

/* The application may have forked, and its copy come back to us: it must not go on in
 * httpd's place, on httpd's sockets. Context: attached. */
static void leave_if_forked(const wgw_call_t *call)
{
    if (!call->state->bridge->is_forked)
        return;
    bool is_fault = PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_SystemExit);

    if (is_fault)
        PyErr_WriteUnraisable(NULL);
    _exit(is_fault);
}

/* --- operations on the exchange ------------------------------------------------------- */

PyThreadState *wgw_py_op_begin(wgw_call_t *call)
{
    leave_if_forked(call);
    call->op_count++;
    PyThreadState *tstate = PyEval_SaveThread();
    pthread_mutex_lock(&call->turn);
    return tstate;
}

void wgw_py_op_end(wgw_call_t *call, PyThreadState *tstate)
{
    pthread_mutex_unlock(&call->turn);
    PyEval_RestoreThread(tstate);
    call->op_count--;
}

/* Wait for operations of other threads; none begins any more. They are bounded by the
 * deadlines of the connection. */
static void wait_for_ops(wgw_call_t *call)
{
    static const struct timespec PAUSE = { .tv_nsec = 1000000 };

    while (call->op_count > 0) {
        PyThreadState *tstate = PyEval_SaveThread();
        nanosleep(&PAUSE, NULL);
        PyEval_RestoreThread(tstate);
    }
}

/* --- memory that is kept for the thread's next call ----------------------------------- */

static void take_memory(wgw_buffer_t *own, wgw_buffer_t *kept)
{
    *own = *kept;
    *kept = (wgw_buffer_t){ 0 };
    wgw_buffer_clear(own, own->size);
}

/* A call within this one may have given back its own meanwhile. */
static void give_memory(wgw_buffer_t *own, wgw_buffer_t *kept)
{
    enum { KEPT_BYTES = 64 * 1024 };

    wgw_buffer_deinit(kept);
    *kept = *own;
    wgw_buffer_clear(kept, KEPT_BYTES);
}

/* --- begin and end of a call, attached ------------------------------------------------ */

static int begin(wgw_call_t *call)
{
    call->outer = current_call;
    current_call = call;
    wgw_py_spot_enter();
    wgw_output_init(&call->out, call->req->is_bodiless);
    take_memory(&call->head.text, &call->thread->head);
    take_memory(&call->body, &call->thread->body);
    call->errors = wgw_py_errors_new(call);
    if (call->req->question)
        return call->errors ? 0 : -1;
    call->input = wgw_py_input_new(call);
    call->start_response = wgw_py_start_response_new(call);
    return call->input && call->errors && call->start_response ? 0 : -1;
}

static void end(wgw_call_t *call)
{
    leave_if_forked(call);
    if (call->input)
        wgw_py_input_end(call->input);
    if (call->start_response)
        wgw_py_start_response_end(call->start_response);
    wgw_py_errors_end(call);
    wait_for_ops(call);
    Py_CLEAR(call->input);
    Py_CLEAR(call->start_response);
    Py_CLEAR(call->errors);
    current_call = call->outer;
    wgw_py_spot_leave();
}

/* An exception ended the response: cut it if it has begun, otherwise let httpd answer. */
static void fail(wgw_call_t *call, const char *what)
{
    leave_if_forked(call);
    int http_status = wgw_py_fault(call, what);

    if (call->out.state < WGW_OUT_BODY) {
        call->http_status = http_status;
        return;
    }
    if (call->client)
        return; /* whoever found that out has ended the response */
    PyThreadState *tstate = wgw_py_op_begin(call);
    wgw_call_cut(call);
    wgw_py_op_end(call, tstate);
}

/* --- the application's result --------------------------------------------------------- */

/* Whether no further block can matter: the client has gone, or one came that was too many. An
 * application that only yields what it declared is asked to the end, for what it does then. */
static bool is_over(const wgw_call_t *call)
{
    return call->client || call->out.surplus_count > 0 ||
           (call->out.is_bodiless && call->out.state == WGW_OUT_DONE);
}

static int send_iterable(wgw_call_t *call, PyObject *result)
{
    PyObject *iterator = PyObject_GetIter(result);
    PyObject *block;
    int rc = 0;

    if (!iterator)
        return -1;
    while (rc == 0 && !is_over(call) && (block = PyIter_Next(iterator))) {
        rc = wgw_py_send_block(call, block);
        Py_DECREF(block);
    }
    Py_DECREF(iterator);
    return rc < 0 || PyErr_Occurred() ? -1 : wgw_py_send_end(call);
}

static int refuse_text(PyObject *result)
{
    PyErr_Format(PyExc_TypeError,
                 "the application returned %S; it must return an iterable of bytes, such as a "
                 "list (PEP 3333)", (PyObject *)Py_TYPE(result));
    return -1;
}

static int send_result(wgw_call_t *call, PyObject *result)
{
    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        return wgw_py_send_sequence(call, result);
    if (PyBytes_Check(result) || PyUnicode_Check(result))
        return refuse_text(result);
    int rc = wgw_py_send_file(call, result);
    return rc ? (rc < 0 ? -1 : 0) : send_iterable(call, result);
}

/* PEP 3333, "Handling the close() Method": called once on every path. */
static void close_result(wgw_call_t *call, PyObject *result)
{
    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        return;
    PyObject *close = PyObject_GetAttrString(result, "close");
    PyObject *done = close ? PyObject_CallNoArgs(close) : NULL;

    if (!done && close)
        wgw_py_fault(call, WGWNO(0011) "exception in close() of the application's result");
    else if (!done)
        PyErr_Clear(); /* it has none */
    Py_XDECREF(done);
    Py_XDECREF(close);
}

void wgw_call_enter(wgw_call_t *call)
{
    if (call && !call->has_entered && call->x->ops->enter)
        call->x->ops->enter(call->x);
    if (call)
        call->has_entered = true;
}

static void run(wgw_call_t *call)
{
    PyObject *application = wgw_py_script_find(call->state, &call->req->target,
                                               call->req->deadline, &call->http_status);
    if (!application)
        return;
    wgw_call_enter(call);
    PyObject *environ_dict = wgw_py_environ_new(call);
    PyObject *result = environ_dict
        ? PyObject_CallFunctionObjArgs(application, environ_dict, call->start_response, NULL) : NULL;
    Py_XDECREF(environ_dict);
    Py_DECREF(application);

    if (!result || send_result(call, result) < 0)
        fail(call, WGWNO(0010) "exception in the application");
    if (result)
        close_result(call, result);
    Py_XDECREF(result);
}

int wgw_bridge_handle(wgw_bridge_t *bridge, wgw_exchange_t *x)
{
    wgw_call_t call = { .x = x, .req = x->request, .turn = PTHREAD_MUTEX_INITIALIZER };
    int http_status = wgw_bridge_enter(bridge, call.req->target.group, call.req->deadline,
                                       &call.thread);

    if (http_status)
        return http_status;
    call.state = call.thread->interp->state;
    if (begin(&call) == 0)
        call.req->question ? wgw_py_ask(&call) : run(&call);
    else
        fail(&call, WGWNO(0009) "a request could not be begun");
    end(&call);
    PyEval_SaveThread();
    if (x->ops->leave)
        x->ops->leave(x);
    if (call.is_final_pending)
        wgw_call_send_final(&call);
    if (call.has_answer)
        x->ops->answer(x, call.verdict, (wgw_span_t){ call.body.data, call.body.len });
    give_memory(&call.head.text, &call.thread->head);
    give_memory(&call.body, &call.thread->body);
    wgw_bridge_exit(call.thread);
    return call.http_status;
}
