/* wsgi.input (PEP 3333, "Input and Error Streams"): the request body as a
 * stream that ends by itself. Must not know how the body arrives. */
#include <string.h>

#include "bridge/call.h"

/* Memory for up to BELIEVED_BYTES is taken on a client's word; it costs nothing until it is
 * written to. */
enum { CHUNK_BYTES = 64 * 1024, BELIEVED_BYTES = 16 * 1024 * 1024 };

typedef struct {
    PyObject_HEAD
    wgw_call_t *call;   /* NULL after the request */
    wgw_buffer_t ahead; /* read from the exchange, not yet by the application */
    size_t ahead_pos;
    int64_t received;   /* bytes read from the exchange so far */
    bool is_at_end;
    bool is_reading;    /* a thread is detached in a read; the state is that one's */
    wgw_status_t fault; /* sticky */
} input_t;

/* --- reading from the exchange -------------------------------------------------------- */

static int raise_fault(wgw_status_t fault)
{
    static const char *const TEXTS[] = {
        [WGW_EABORTED] = "the client has gone before the end of the request body",
        [WGW_ETIMEDOUT] = "the client has stopped sending the request body",
        [WGW_EPROTO] = "the request body is malformed",
        [WGW_ETOOLARGE] = "the request body is larger than the server's limit",
        [WGW_EUNWANTED] = "the request body was dropped when the response was complete",
        [WGW_EFAILED] = "the request body could not be read",
    };

    PyErr_SetString(PyExc_OSError, TEXTS[fault]);
    return -1;
}

static int check_open(input_t *self)
{
    if (self->call && !self->is_reading)
        return 0;
    PyErr_SetString(PyExc_RuntimeError,
                    self->call ? "wsgi.input is being read by another thread"
                               : "wsgi.input was used after its request had ended");
    return -1;
}

/* Read once, at least a byte unless at the end. Returns: 0; -1 with an exception set. */
static int read_some(input_t *self, char *buf, size_t size, size_t *len_out)
{
    *len_out = 0;
    if (check_open(self) < 0)
        return -1;
    if (self->fault)
        return raise_fault(self->fault);
    if (self->is_at_end || size == 0)
        return 0;
    wgw_call_t *call = self->call;
    self->is_reading = true;
    PyThreadState *tstate = wgw_py_op_begin(call);
    wgw_status_t status = call->x->ops->read_body(call->x, buf, size, len_out);
    wgw_py_op_end(call, tstate);
    self->is_reading = false;
    if (status) {
        self->fault = call->input_fault = status;
        return raise_fault(status);
    }
    self->is_at_end = *len_out == 0;
    self->received += (int64_t)*len_out;
    return 0;
}

static size_t ahead_len(const input_t *self)
{
    return self->ahead.len - self->ahead_pos;
}

static const char *ahead_data(const input_t *self)
{
    return self->ahead.data + self->ahead_pos;
}

static size_t take_ahead(input_t *self, char *buf, size_t size)
{
    size_t len = ahead_len(self) < size ? ahead_len(self) : size;

    if (len)
        memcpy(buf, ahead_data(self), len);
    self->ahead_pos += len;
    return len;
}

/* Read one more piece into the buffer. Returns: its size (0 at the end); -1 exception set. */
static Py_ssize_t fill_ahead(input_t *self)
{
    char chunk[8192];
    size_t len;

    wgw_buffer_consume(&self->ahead, self->ahead_pos);
    self->ahead_pos = 0;
    if (read_some(self, chunk, sizeof chunk, &len) < 0)
        return -1;
    if (wgw_buffer_append(&self->ahead, chunk, len))
        return (Py_ssize_t)len;
    PyErr_NoMemory();
    return -1;
}

/* Fill `size` bytes unless the end comes first. */
static int read_full(input_t *self, char *buf, size_t size, size_t *len_out)
{
    size_t len;

    *len_out = take_ahead(self, buf, size);
    while (*len_out < size) {
        size_t room = size - *len_out;
        if (read_some(self, buf + *len_out, room < CHUNK_BYTES ? room : CHUNK_BYTES, &len) < 0)
            return -1;
        if (len == 0)
            break;
        *len_out += len;
    }
    return 0;
}

/* --- read() --------------------------------------------------------------------------- */

static PyObject *read_sized(input_t *self, Py_ssize_t size)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    size_t len;

    if (bytes && read_full(self, PyBytes_AsString(bytes), (size_t)size, &len) < 0)
        Py_CLEAR(bytes);
    if (bytes && (Py_ssize_t)len < size) {
        PyObject *whole = PyBytes_FromStringAndSize(PyBytes_AsString(bytes), (Py_ssize_t)len);
        Py_DECREF(bytes);
        bytes = whole;
    }
    return bytes;
}

/* Read to the end, at most `limit` bytes, in memory that grows with what really comes:
 * neither the application's size nor the client's Content-Length is believed. */
static PyObject *read_growing(input_t *self, size_t limit)
{
    wgw_buffer_t body = { 0 };
    PyObject *bytes = NULL;
    size_t len = 1;

    while (len && body.len < limit) {
        size_t room = limit - body.len < CHUNK_BYTES ? limit - body.len : CHUNK_BYTES;
        if (!wgw_buffer_reserve(&body, room)) {
            PyErr_NoMemory();
            goto cleanup;
        }
        if (read_full(self, body.data + body.len, room, &len) < 0)
            goto cleanup;
        body.len += len;
    }
    bytes = PyBytes_FromStringAndSize(body.data, (Py_ssize_t)body.len);
cleanup:
    wgw_buffer_deinit(&body);
    return bytes;
}

/* Read to the end. What Content-Length announced goes to its place in one piece; an input
 * filter may make more of it, or less. */
static PyObject *read_all(input_t *self)
{
    int64_t announced = self->call->req->content_length - self->received;

    if (announced < 0 || announced > BELIEVED_BYTES)
        return read_growing(self, PY_SSIZE_T_MAX);
    PyObject *bytes = read_sized(self, (Py_ssize_t)announced + (Py_ssize_t)ahead_len(self));
    PyObject *rest = bytes ? read_growing(self, PY_SSIZE_T_MAX) : NULL;
    if (rest && PyBytes_Size(rest) > 0)
        PyBytes_Concat(&bytes, rest);
    else if (bytes && !rest)
        Py_CLEAR(bytes);
    Py_XDECREF(rest);
    return bytes;
}

/* Parse the optional size of read, readline and readlines: None and negative mean "all". */
static int parse_size(PyObject *args, Py_ssize_t *size_out)
{
    PyObject *size = NULL;

    *size_out = -1;
    if (!PyArg_ParseTuple(args, "|O", &size))
        return -1;
    if (!size || size == Py_None)
        return 0;
    *size_out = PyNumber_AsSsize_t(size, PyExc_OverflowError);
    return *size_out == -1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *input_read(PyObject *object, PyObject *args)
{
    input_t *self = (input_t *)object;
    Py_ssize_t size;

    if (parse_size(args, &size) < 0 || check_open(self) < 0)
        return NULL;
    if (size < 0)
        return read_all(self);
    return size > BELIEVED_BYTES ? read_growing(self, (size_t)size) : read_sized(self, size);
}

static PyObject *input_readinto(PyObject *object, PyObject *target)
{
    input_t *self = (input_t *)object;
    Py_buffer view;
    size_t len = 0;

    if (check_open(self) < 0 || PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0)
        return NULL;
    int rc = read_full(self, view.buf, (size_t)view.len, &len);
    PyBuffer_Release(&view);
    return rc < 0 ? NULL : PyLong_FromSize_t(len);
}

/* --- readline() and readlines() ------------------------------------------------------- */

static PyObject *read_line(input_t *self, Py_ssize_t size)
{
    size_t searched = 0, limit = size < 0 ? (size_t)-1 : (size_t)size, len;

    for (;;) {
        len = ahead_len(self) < limit ? ahead_len(self) : limit;
        const char *end = len > searched
            ? memchr(ahead_data(self) + searched, '\n', len - searched) : NULL;
        if (end)
            len = (size_t)(end - ahead_data(self)) + 1;
        if (end || len == limit)
            break;
        searched = len;
        Py_ssize_t more = fill_ahead(self);
        if (more < 0)
            return NULL;
        if (more == 0)
            break;
    }
    PyObject *line = PyBytes_FromStringAndSize(len ? ahead_data(self) : "", (Py_ssize_t)len);
    if (line)
        self->ahead_pos += len;
    return line;
}

static PyObject *input_readline(PyObject *object, PyObject *args)
{
    input_t *self = (input_t *)object;
    Py_ssize_t size;

    if (parse_size(args, &size) < 0 || check_open(self) < 0)
        return NULL;
    return read_line(self, size);
}

static PyObject *input_readlines(PyObject *object, PyObject *args)
{
    input_t *self = (input_t *)object;
    Py_ssize_t hint, total = 0;
    PyObject *lines, *line = NULL;

    if (parse_size(args, &hint) < 0 || check_open(self) < 0 || !(lines = PyList_New(0)))
        return NULL;
    while ((hint <= 0 || total < hint) && (line = read_line(self, -1))) {
        Py_ssize_t len = PyBytes_Size(line);
        int rc = len ? PyList_Append(lines, line) : 0;
        Py_DECREF(line);
        if (rc < 0 || len == 0)
            break;
        total += len;
    }
    if (PyErr_Occurred())
        Py_CLEAR(lines);
    return lines;
}

static PyObject *input_next(PyObject *object)
{
    PyObject *line = check_open((input_t *)object) < 0 ? NULL : read_line((input_t *)object, -1);

    if (line && PyBytes_Size(line) == 0)
        Py_CLEAR(line); /* NULL without an exception: the iteration ends */
    return line;
}

/* --- the type ------------------------------------------------------------------------- */

static PyObject *input_close(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused; /* PEP 3333: the application must not close it */
    Py_RETURN_NONE;
}

static void input_dealloc(PyObject *object)
{
    wgw_buffer_deinit(&((input_t *)object)->ahead);
    wgw_py_dealloc(object);
}

static PyMethodDef input_methods[] = {
    { "read", input_read, METH_VARARGS,
      "read(size=-1) -> bytes\n\nRead size bytes, fewer only at the end of the body; all of it "
      "when size is negative or None. Raises OSError when the body ends early." },
    { "readline", input_readline, METH_VARARGS,
      "readline(size=-1) -> bytes\n\nRead a line with its line feed, at most size bytes." },
    { "readlines", input_readlines, METH_VARARGS,
      "readlines(hint=-1) -> list[bytes]\n\nRead lines until hint bytes were read, or all." },
    { "readinto", input_readinto, METH_O,
      "readinto(buffer) -> int\n\nFill a writable buffer; the number of bytes read." },
    { "close", input_close, METH_NOARGS, "close() -> None\n\nDoes nothing." },
    { 0 }
};

PyTypeObject *wgw_py_input_type(PyObject *module)
{
    static PyType_Slot slots[] = {
        { Py_tp_doc, "The request body (PEP 3333, wsgi.input)." },
        { Py_tp_dealloc, input_dealloc },
        { Py_tp_methods, input_methods },
        { Py_tp_iter, PyObject_SelfIter },
        { Py_tp_iternext, input_next },
        { 0, NULL }
    };
    static PyType_Spec spec = { "_wsgigw.Input", sizeof(input_t), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

PyObject *wgw_py_input_new(wgw_call_t *call)
{
    input_t *self = PyObject_New(input_t, call->state->input_type);

    if (!self)
        return NULL;
    self->call = call;
    self->ahead = (wgw_buffer_t){ 0 };
    self->ahead_pos = 0;
    self->received = 0;
    self->is_at_end = call->req->content_length == 0;
    self->is_reading = false;
    self->fault = WGW_OK;
    return (PyObject *)self;
}

void wgw_py_input_end(PyObject *input)
{
    ((input_t *)input)->call = NULL;
}
