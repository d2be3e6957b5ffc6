/* From the application's blocks to the exchange (PEP 3333, "Buffering and
 * Streaming"): a list in one piece, everything else block by block, each on
 * its way before the application is asked for the next. */
#include <stdlib.h>
#include <string.h>

#include "bridge/call.h"

enum { COPIED_BYTES = 64 * 1024 }; /* up to here copying is cheaper than attaching again */

/* --- head and end, detached ----------------------------------------------------------- */

wgw_status_t wgw_call_send_head(wgw_call_t *call)
{
    const wgw_stored_head_t *stored = &call->head;
    const char *text = stored->text.data;
    wgw_field_t small[32];
    wgw_field_t *fields = small;
    wgw_head_t head = { .status = stored->status, .reason = text,
                        .field_count = stored->field_count };

    if (stored->field_count > sizeof small / sizeof *small)
        fields = malloc(stored->field_count * sizeof *fields);
    if (!fields) {
        call->http_status = 500;
        return WGW_EFAILED;
    }
    for (size_t i = 0; i < stored->field_count; i++) {
        fields[i].name = text += strlen(text) + 1;
        fields[i].value = text += strlen(text) + 1;
    }
    head.fields = fields;
    wgw_status_t status = call->x->ops->send_head(call->x, &head);
    wgw_output_transit(&call->out, WGW_EV_WRITE);
    if (fields != small)
        free(fields);
    return status;
}

/* Send spans, after the head if that has not left. */
static wgw_status_t send_spans(wgw_call_t *call, const wgw_span_t *spans, size_t count,
                               bool is_last)
{
    wgw_status_t status = WGW_OK;

    if (call->out.state == WGW_OUT_HEAD_SET)
        status = wgw_call_send_head(call);
    if (!status)
        status = call->x->ops->write_body(call->x, spans, count, is_last);
    if (status)
        call->client = status;
    else if (is_last)
        wgw_output_transit(&call->out, WGW_EV_END);
    return status;
}

void wgw_call_send_final(wgw_call_t *call)
{
    wgw_span_t span = { call->body.data, call->body.len };
    bool is_whole = !wgw_output_is_short(&call->out);

    send_spans(call, &span, span.len ? 1 : 0, is_whole);
    if (!is_whole && !call->client)
        wgw_call_cut(call);
}

void wgw_call_cut(wgw_call_t *call)
{
    if (!wgw_output_transit(&call->out, WGW_EV_FAIL))
        return;
    call->x->ops->cut(call->x);
}

/* --- checks, attached ----------------------------------------------------------------- */

static int check_block(wgw_call_t *call, PyObject *block)
{
    if (!PyBytes_Check(block)) {
        PyErr_Format(PyExc_TypeError,
                     "a block of the response must be bytes, not %S (PEP 3333)",
                     (PyObject *)Py_TYPE(block));
        return -1;
    }
    if (call->out.state == WGW_OUT_EMPTY && PyBytes_Size(block) > 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a block of the response came before start_response() was called");
        return -1;
    }
    return 0;
}

static void report_surplus(wgw_call_t *call)
{
    if (call->out.surplus_count)
        wgw_py_log(call->state, call, WGW_LOG_WARN,
                   WGWNO(0021) "the response is longer than its Content-Length of %lld: %lld "
                   "bytes were cut off", (long long)call->out.length_declared,
                   (long long)call->out.surplus_count);
    call->out.surplus_count = 0;
}

static void report_short(wgw_call_t *call)
{
    wgw_py_log(call->state, call, WGW_LOG_ERR,
               WGWNO(0022) "the response ended after %lld of the %lld bytes of its "
               "Content-Length; the connection is closed so that the client sees it",
               (long long)call->out.sent_count, (long long)call->out.length_declared);
}

/* --- block by block ------------------------------------------------------------------- */

int wgw_py_send_block(wgw_call_t *call, PyObject *block)
{
    if (check_block(call, block) < 0)
        return -1;
    if (call->client || call->out.state == WGW_OUT_DONE || PyBytes_Size(block) == 0) {
        wgw_output_admit(&call->out, (size_t)PyBytes_Size(block)); /* counts a surplus */
        return 0;
    }
    size_t len = wgw_output_admit(&call->out, (size_t)PyBytes_Size(block));
    wgw_span_t span = { PyBytes_AsString(block), len };
    bool is_last = call->out.is_bodiless || wgw_output_is_full(&call->out);
    call->is_head_leaving = true;
    PyThreadState *tstate = wgw_py_op_begin(call);
    send_spans(call, &span, len ? 1 : 0, is_last);
    wgw_py_op_end(call, tstate);
    return 0;
}

int wgw_py_send_end(wgw_call_t *call)
{
    if (call->out.state == WGW_OUT_EMPTY) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the application returned without having called start_response()");
        return -1;
    }
    report_surplus(call);
    if (call->client || call->out.state == WGW_OUT_DONE)
        return 0;
    if (wgw_output_is_short(&call->out))
        report_short(call);
    call->is_head_leaving = true;
    PyThreadState *tstate = wgw_py_op_begin(call);
    wgw_call_send_final(call);
    wgw_py_op_end(call, tstate);
    return 0;
}

/* --- a list or tuple ------------------------------------------------------------------ */

/* Check every block before the first leaves. Returns: their bytes; -1 exception set. */
static Py_ssize_t measure(wgw_call_t *call, PyObject *blocks, Py_ssize_t count)
{
    Py_ssize_t total = 0;

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *block = PySequence_GetItem(blocks, i);
        int rc = block ? check_block(call, block) : -1;
        if (rc == 0)
            total += PyBytes_Size(block);
        Py_XDECREF(block);
        if (rc < 0)
            return -1;
    }
    return total;
}

static int copy_blocks(wgw_call_t *call, PyObject *blocks, Py_ssize_t count)
{
    wgw_buffer_t *body = &call->body;

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *block = PySequence_GetItem(blocks, i);
        if (!block)
            return -1;
        size_t len = wgw_output_admit(&call->out, (size_t)PyBytes_Size(block));
        wgw_buffer_append(body, PyBytes_AsString(block), len);
        Py_DECREF(block);
    }
    if (body->is_short) {
        PyErr_NoMemory();
        return -1;
    }
    call->is_final_pending = true;
    return 0;
}

/* Send blocks that are too large to copy. `held` is a tuple of our own, so that nothing
 * the application does to its list meanwhile matters. */
static int send_held(wgw_call_t *call, PyObject *held, Py_ssize_t count)
{
    wgw_span_t *spans = calloc((size_t)count, sizeof *spans);

    if (!spans) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *block = PyTuple_GetItem(held, i);
        spans[i].data = PyBytes_AsString(block);
        spans[i].len = wgw_output_admit(&call->out, (size_t)PyBytes_Size(block));
    }
    if (!call->client && call->out.state != WGW_OUT_DONE) {
        bool is_whole = !wgw_output_is_short(&call->out);
        call->is_head_leaving = true;
        PyThreadState *tstate = wgw_py_op_begin(call);
        send_spans(call, spans, (size_t)count, is_whole);
        wgw_py_op_end(call, tstate);
    }
    free(spans);
    return wgw_py_send_end(call);
}

int wgw_py_send_sequence(wgw_call_t *call, PyObject *blocks)
{
    PyObject *held = PySequence_Tuple(blocks);
    Py_ssize_t count = held ? PyTuple_Size(held) : 0;
    Py_ssize_t total = held ? measure(call, held, count) : -1;
    int rc = -1;

    if (total >= 0 && (total > COPIED_BYTES || call->out.state != WGW_OUT_HEAD_SET))
        rc = total > 0 ? send_held(call, held, count) : wgw_py_send_end(call);
    else if (total >= 0 && copy_blocks(call, held, count) == 0) {
        report_surplus(call);
        if (wgw_output_is_short(&call->out))
            report_short(call);
        rc = 0;
    }
    Py_XDECREF(held);
    return rc;
}
