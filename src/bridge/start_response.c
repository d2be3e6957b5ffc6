/* start_response() and write() (PEP 3333, "The start_response() Callable").
 * Checks a head and stores it; what leaves, and when, is send.c's. */
#include <string.h>
#include <strings.h>

#include "bridge/call.h"
#include "exchange/head.h"

typedef struct {
    PyObject_HEAD
    wgw_call_t *call; /* NULL after the request */
} start_response_t;

static int raise_head_fault(wgw_head_fault_t fault, PyObject *culprit)
{
    PyErr_Format(PyExc_ValueError, "%s: %R", wgw_head_fault_text(fault), culprit);
    return -1;
}

/* --- storing a head: "reason\0name\0value\0name\0value\0..." in thread->head -------------- */

static int store(wgw_call_t *call, const char *text, size_t len)
{
    wgw_buffer_t *head = &call->thread->head;

    wgw_buffer_append(head, text, len);
    if (wgw_buffer_append(head, "", 1))
        return 0;
    PyErr_NoMemory();
    return -1;
}

static int set_status(wgw_call_t *call, PyObject *status)
{
    PyObject *owner;
    const char *text, *reason;
    size_t len;

    if (wgw_py_latin1(status, "status", &text, &len, &owner) < 0)
        return -1;
    wgw_head_fault_t fault = wgw_head_check_status(text, len, &call->status, &reason);
    int rc = fault ? raise_head_fault(fault, status)
                   : store(call, reason, (size_t)(text + len - reason));
    Py_XDECREF(owner);
    return rc;
}

static int set_length(wgw_call_t *call, const char *value, size_t len, PyObject *object)
{
    int64_t length;
    wgw_head_fault_t fault = wgw_head_parse_length(value, len, &length);

    if (fault || call->length_declared >= 0) /* a second one is wrong even if it is the same */
        return raise_head_fault(WGW_HEAD_LENGTH_FORM, object);
    call->length_declared = length;
    return 0;
}

static bool is_length(const char *name, size_t len)
{
    return len == 14 && strncasecmp(name, "Content-Length", 14) == 0;
}

static int store_field(wgw_call_t *call, const char *name, size_t name_len, const char *value,
                       size_t value_len, PyObject *value_object)
{
    if (wgw_head_is_hop_by_hop(name, name_len)) {
        wgw_py_log(call->state, call, WGW_LOG_WARN,
                   WGWNO(0020) "response header '%.*s' is dropped: it concerns the connection, "
                   "which is the server's (PEP 3333)", (int)name_len, name);
        return 0;
    }
    if (is_length(name, name_len) && set_length(call, value, value_len, value_object) < 0)
        return -1;
    if (store(call, name, name_len) < 0 || store(call, value, value_len) < 0)
        return -1;
    call->field_count++;
    return 0;
}

static int check_field(wgw_head_fault_t name_fault, PyObject *name, wgw_head_fault_t value_fault,
                       PyObject *value)
{
    if (name_fault)
        return raise_head_fault(name_fault, name);
    return value_fault ? raise_head_fault(value_fault, value) : 0;
}

static int add_field(wgw_call_t *call, PyObject *name_object, PyObject *value_object)
{
    PyObject *name_owner = NULL, *value_owner = NULL;
    const char *name, *value;
    size_t name_len, value_len;
    int rc = -1;

    if (wgw_py_latin1(name_object, "header name", &name, &name_len, &name_owner) == 0 &&
        wgw_py_latin1(value_object, "header value", &value, &value_len, &value_owner) == 0 &&
        check_field(wgw_head_check_name(name, name_len), name_object,
                    wgw_head_check_value(value, value_len), value_object) == 0)
        rc = store_field(call, name, name_len, value, value_len, value_object);
    Py_XDECREF(name_owner);
    Py_XDECREF(value_owner);
    return rc;
}

static int set_fields(wgw_call_t *call, PyObject *headers)
{
    for (Py_ssize_t i = 0; i < PyList_Size(headers); i++) {
        PyObject *item = Py_NewRef(PyList_GetItem(headers, i));
        int rc = -1;
        if (PyTuple_Check(item) && PyTuple_Size(item) == 2)
            rc = add_field(call, PyTuple_GetItem(item, 0), PyTuple_GetItem(item, 1));
        else
            PyErr_Format(PyExc_TypeError, "response header %R is not a tuple (name, value)", item);
        Py_DECREF(item);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int set_head(wgw_call_t *call, PyObject *status, PyObject *headers)
{
    wgw_buffer_clear(&call->thread->head, 16 * 1024);
    call->field_count = 0;
    call->length_declared = -1;
    call->out.state = WGW_OUT_EMPTY; /* a head that fails its checks does not count as set */
    if (!PyList_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "response headers must be a list of tuples, not %S",
                     (PyObject *)Py_TYPE(headers));
        return -1;
    }
    if (set_status(call, status) < 0 || set_fields(call, headers) < 0)
        return -1;
    wgw_output_set_head(&call->out, call->status, call->length_declared);
    wgw_output_transit(&call->out, WGW_EV_HEAD);
    return 0;
}

bool wgw_py_head_add_length(wgw_call_t *call, int64_t length)
{
    char value[24];
    wgw_buffer_t *head = &call->thread->head;

    int len = PyOS_snprintf(value, sizeof value, "%lld", (long long)length);
    wgw_buffer_append(head, "Content-Length", 15);
    if (!wgw_buffer_append(head, value, (size_t)len + 1))
        return false;
    call->field_count++;
    call->length_declared = length;
    wgw_output_set_head(&call->out, call->status, length);
    return true;
}

/* --- write() ---------------------------------------------------------------------------------- */

static PyObject *call_write(PyObject *object, PyObject *block)
{
    wgw_call_t *call = ((start_response_t *)object)->call;

    if (!call) {
        PyErr_SetString(PyExc_RuntimeError, "write() was called after its request had ended");
        return NULL;
    }
    if (wgw_py_send_block(call, block) < 0)
        return NULL;
    if (call->client) {
        PyErr_SetString(PyExc_OSError, "the client has gone");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef write_method = {
    "write", call_write, METH_O,
    "write(block: bytes) -> None\n\nSend a block now (PEP 3333, \"The write() Callable\"). "
    "Raises OSError when the client has gone."
};

/* --- start_response() --------------------------------------------------------------------------- */

static PyObject *reraise(PyObject *exc_info)
{
    PyErr_Restore(Py_NewRef(PyTuple_GetItem(exc_info, 0)), Py_NewRef(PyTuple_GetItem(exc_info, 1)),
                  Py_NewRef(PyTuple_GetItem(exc_info, 2)));
    return NULL;
}

/* Whether a head may be set now. Returns: 0; -1 with an exception set. */
static int check_order(wgw_call_t *call, PyObject *exc_info)
{
    if (!call) {
        PyErr_SetString(PyExc_RuntimeError, "start_response() was called after its request had "
                                            "ended");
        return -1;
    }
    if (exc_info && exc_info != Py_None) {
        if (!PyTuple_Check(exc_info) || PyTuple_Size(exc_info) != 3) {
            PyErr_SetString(PyExc_TypeError, "exc_info must be a tuple as of sys.exc_info()");
            return -1;
        }
        if (call->out.state >= WGW_OUT_BODY)
            reraise(exc_info);
        return call->out.state >= WGW_OUT_BODY ? -1 : 0;
    }
    if (call->out.state == WGW_OUT_EMPTY)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "start_response() was called a second time without "
                                        "exc_info (PEP 3333)");
    return -1;
}

static PyObject *start_response_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "status", "response_headers", "exc_info", NULL };
    wgw_call_t *call = ((start_response_t *)object)->call;
    PyObject *status, *headers, *exc_info = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:start_response", names, &status,
                                     &headers, &exc_info) ||
        check_order(call, exc_info) < 0 || set_head(call, status, headers) < 0)
        return NULL;
    return PyCFunction_New(&write_method, object);
}

static void start_response_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject_Free(object);
    Py_DECREF(type);
}

PyTypeObject *wgw_py_start_response_type(PyObject *module)
{
    static PyType_Slot slots[] = {
        { Py_tp_doc, "start_response(status, response_headers, exc_info=None) -> write\n\n"
                     "Set status and header fields of the response (PEP 3333). Raises TypeError "
                     "and ValueError for what RFC 9110 does not allow, RuntimeError when it was "
                     "already called." },
        { Py_tp_dealloc, start_response_dealloc },
        { Py_tp_call, start_response_call },
        { 0, NULL }
    };
    static PyType_Spec spec = { "_wsgigw.StartResponse", sizeof(start_response_t), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

PyObject *wgw_py_start_response_new(wgw_call_t *call)
{
    start_response_t *self = PyObject_New(start_response_t, call->state->start_response_type);

    if (self)
        self->call = call;
    return (PyObject *)self;
}

void wgw_py_start_response_end(PyObject *start_response)
{
    ((start_response_t *)start_response)->call = NULL;
}
