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

/* --- checking and storing a head ------------------------------------------------------ */

static int store(wgw_stored_head_t *head, const char *text, size_t len)
{
    wgw_buffer_append(&head->text, text, len);
    if (wgw_buffer_append(&head->text, "", 1))
        return 0;
    PyErr_NoMemory();
    return -1;
}

static int set_status(wgw_stored_head_t *head, PyObject *status)
{
    PyObject *owner;
    const char *text, *reason;
    size_t len;

    if (wgw_py_latin1(status, "status", &text, &len, &owner) < 0)
        return -1;
    wgw_head_fault_t fault = wgw_head_check_status(text, len, &head->status, &reason);
    int rc = fault ? raise_head_fault(fault, status)
                   : store(head, reason, (size_t)(text + len - reason));
    Py_XDECREF(owner);
    return rc;
}

static int set_length(wgw_stored_head_t *head, const char *value, size_t len, PyObject *object)
{
    int64_t length;
    wgw_head_fault_t fault = wgw_head_parse_length(value, len, &length);

    if (fault || head->length_declared >= 0) /* a second one is wrong even if it is the same */
        return raise_head_fault(WGW_HEAD_LENGTH_FORM, object);
    head->length_declared = length;
    return 0;
}

static bool is_length(const char *name, size_t len)
{
    return len == 14 && strncasecmp(name, "Content-Length", 14) == 0;
}

static int store_field(wgw_call_t *call, wgw_stored_head_t *head, const char *name, size_t name_len,
                       const char *value, size_t value_len, PyObject *value_object)
{
    if (wgw_head_is_hop_by_hop(name, name_len)) {
        wgw_py_log(call->state, call, WGW_LOG_WARN,
                   WGWNO(0020) "response header '%.*s' is dropped: it concerns the connection, "
                   "which is the server's (PEP 3333)", (int)name_len, name);
        return 0;
    }
    if (is_length(name, name_len) && set_length(head, value, value_len, value_object) < 0)
        return -1;
    if (store(head, name, name_len) < 0 || store(head, value, value_len) < 0)
        return -1;
    head->field_count++;
    return 0;
}

static int check_field(wgw_head_fault_t name_fault, PyObject *name, wgw_head_fault_t value_fault,
                       PyObject *value)
{
    if (name_fault)
        return raise_head_fault(name_fault, name);
    return value_fault ? raise_head_fault(value_fault, value) : 0;
}

static int add_field(wgw_call_t *call, wgw_stored_head_t *head, PyObject *name_object,
                     PyObject *value_object)
{
    PyObject *name_owner = NULL, *value_owner = NULL;
    const char *name, *value;
    size_t name_len, value_len;
    int rc = -1;

    if (wgw_py_latin1(name_object, "header name", &name, &name_len, &name_owner) == 0 &&
        wgw_py_latin1(value_object, "header value", &value, &value_len, &value_owner) == 0 &&
        check_field(wgw_head_check_name(name, name_len), name_object,
                    wgw_head_check_value(value, value_len), value_object) == 0)
        rc = store_field(call, head, name, name_len, value, value_len, value_object);
    Py_XDECREF(name_owner);
    Py_XDECREF(value_owner);
    return rc;
}

static int set_fields(wgw_call_t *call, wgw_stored_head_t *head, PyObject *headers)
{
    for (Py_ssize_t i = 0; i < PyList_Size(headers); i++) {
        PyObject *item = Py_NewRef(PyList_GetItem(headers, i));
        int rc = -1;
        if (PyTuple_Check(item) && PyTuple_Size(item) == 2)
            rc = add_field(call, head, PyTuple_GetItem(item, 0), PyTuple_GetItem(item, 1));
        else
            PyErr_Format(PyExc_TypeError, "response header %R is not a tuple (name, value)", item);
        Py_DECREF(item);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Check a head, and let it take the place of the one that was set, if any, only when it is
 * right and nothing has begun to leave meanwhile (a check may detach to log). */
static int set_head(wgw_call_t *call, PyObject *status, PyObject *headers)
{
    wgw_stored_head_t head = { .length_declared = -1 };

    if (!PyList_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "response headers must be a list of tuples, not %S",
                     (PyObject *)Py_TYPE(headers));
        return -1;
    }
    if (call->out.state == WGW_OUT_EMPTY) { /* the memory of the thread's last head */
        head.text = call->head.text;
        call->head.text = (wgw_buffer_t){ 0 };
        wgw_buffer_clear(&head.text, head.text.size);
    }
    int rc = set_status(&head, status) < 0 || set_fields(call, &head, headers) < 0 ? -1 : 0;
    if (rc == 0 && call->is_head_leaving) {
        PyErr_SetString(PyExc_RuntimeError, "another thread has begun to send the response");
        rc = -1;
    }
    if (rc < 0) {
        wgw_buffer_deinit(&head.text);
        return -1;
    }
    wgw_buffer_deinit(&call->head.text);
    call->head = head;
    wgw_output_set_head(&call->out, head.status, head.length_declared);
    wgw_output_transit(&call->out, WGW_EV_HEAD);
    return 0;
}

bool wgw_py_head_add_length(wgw_call_t *call, int64_t length)
{
    char value[24];
    wgw_stored_head_t *head = &call->head;

    int len = PyOS_snprintf(value, sizeof value, "%lld", (long long)length);
    wgw_buffer_append(&head->text, "Content-Length", 15);
    if (!wgw_buffer_append(&head->text, value, (size_t)len + 1))
        return false;
    head->field_count++;
    head->length_declared = length;
    wgw_output_set_head(&call->out, head->status, length);
    return true;
}

/* --- write() -------------------------------------------------------------------------- */

static PyObject *call_write(PyObject *object, PyObject *block)
{
    wgw_call_t *call = ((start_response_t *)object)->call;

    if (!call) {
        PyErr_SetString(PyExc_RuntimeError, "write() was called after its request had ended");
        return NULL;
    }
    if (wgw_py_send_block(call, block) < 0)
        return NULL;
    if (call->client && call->client != WGW_EUNWANTED) {
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

/* --- start_response() ----------------------------------------------------------------- */

/* Raise what exc_info holds, which is whatever the application put there: outside of an
 * except block sys.exc_info() is (None, None, None). */
static int reraise(PyObject *exc_info)
{
    PyObject *value = PyTuple_GetItem(exc_info, 1);

    if (PyExceptionInstance_Check(value))
        PyErr_SetObject((PyObject *)Py_TYPE(value), value); /* it has its traceback with it */
    else
        PyErr_SetString(PyExc_RuntimeError, "start_response() was called with exc_info after the "
                                            "response had begun");
    return -1;
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
        return call->is_head_leaving ? reraise(exc_info) : 0;
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

PyTypeObject *wgw_py_start_response_type(PyObject *module)
{
    static PyType_Slot slots[] = {
        { Py_tp_doc, "start_response(status, response_headers, exc_info=None) -> write\n\n"
                     "Set status and header fields of the response (PEP 3333). Raises TypeError "
                     "and ValueError for what RFC 9110 does not allow, RuntimeError when it was "
                     "already called." },
        { Py_tp_dealloc, wgw_py_dealloc },
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
