/* wsgi.errors, sys.stdout and sys.stderr: text that becomes lines of the log.
 * A line belongs to the request of the thread that writes it; wsgi.errors
 * belongs to its own. Must not know where the log is. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bridge/call.h"

typedef struct {
    PyObject_HEAD
    wgw_py_state_t *state;
    wgw_call_t *call; /* of wsgi.errors; NULL when that has ended, or for a stream of sys */
    bool is_bound;    /* wsgi.errors */
    int level;
} log_stream_t;

/* What the calling OS thread has written to sys.stdout or sys.stderr without a line end. */
static __thread wgw_buffer_t line_here;
static pthread_key_t line_key;
static pthread_once_t line_key_once = PTHREAD_ONCE_INIT;

/* Where its lines go outside of a request; NULL: the process's log. */
static __thread const wgw_log_sink_t *sink_here;

void wgw_log_stream_set_sink(const wgw_log_sink_t *sink)
{
    sink_here = sink;
}

/* --- writing -------------------------------------------------------------------------- */

/* Hand one line, which may hold NUL, to a sink, which takes text without. */
static void write_text(wgw_log_fn *write, void *ctx, wgw_level_t level, const char *text,
                       size_t len)
{
    wgw_buffer_t escaped = { 0 };
    const char *end = text + len, *nul;

    if (!memchr(text, '\0', len)) {
        write(ctx, level, text, len);
        return;
    }
    for (; (nul = memchr(text, '\0', (size_t)(end - text))); text = nul + 1) {
        wgw_buffer_append(&escaped, text, (size_t)(nul - text));
        wgw_buffer_append(&escaped, "\\x00", 4);
    }
    wgw_buffer_append(&escaped, text, (size_t)(end - text));
    write(ctx, level, escaped.data, escaped.len);
    wgw_buffer_deinit(&escaped);
}

/* Context: detached. */
static void write_line(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level,
                       const char *text, size_t len)
{
    if (len && text[len - 1] == '\r')
        len--;
    const wgw_log_sink_t *sink = sink_here ? sink_here : &state->bridge->config->sink;

    if (call)
        write_text(call->x->ops->log, call->x, level, text, len);
    else
        write_text(sink->write, sink->ctx, level, text, len);
}

void wgw_py_log_text(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level, const char *text,
                     size_t len)
{
    const char *end = text + len;

    if (call)
        call->op_count++; /* it may be another thread's: that one waits for us */
    PyThreadState *tstate = PyEval_SaveThread();

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop)
            stop = end;
        write_line(state, call, level, text, (size_t)(stop - text));
        text = stop + 1;
    }
    PyEval_RestoreThread(tstate);
    if (call)
        call->op_count--;
}

void wgw_py_log(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level, const char *format,
                ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    wgw_py_log_text(state, call, level, line, strlen(line));
}

/* --- lines that are not complete ------------------------------------------------------ */

static void free_line(void *line)
{
    wgw_buffer_deinit(line);
}

static void make_line_key(void)
{
    pthread_key_create(&line_key, free_line);
}

static wgw_buffer_t *line_of(log_stream_t *self)
{
    if (self->is_bound)
        return &self->call->line;
    pthread_once(&line_key_once, make_line_key);
    pthread_setspecific(line_key, &line_here);
    return &line_here;
}

static wgw_call_t *call_of(log_stream_t *self)
{
    return self->is_bound ? self->call : wgw_call_current();
}

/* Write out a prefix of `line`. The bytes leave the buffer first, because
 * another thread may append while this one is detached. */
static void write_out(wgw_py_state_t *state, wgw_call_t *call, int level, wgw_buffer_t *line,
                      size_t len)
{
    wgw_buffer_t text = { 0 };

    wgw_buffer_append(&text, line->data, len);
    wgw_buffer_consume(line, len);
    wgw_py_log_text(state, call, (wgw_level_t)level, text.data, text.len);
    wgw_buffer_deinit(&text);
}

static void take_text(log_stream_t *self, const char *text, size_t len)
{
    enum { LONGEST_LINE = 64 * 1024 };
    wgw_buffer_t *line = line_of(self);

    wgw_buffer_append(line, text, len);
    if (line->len == 0)
        return;
    const char *last = memrchr(line->data, '\n', line->len);
    if (last)
        write_out(self->state, call_of(self), self->level, line,
                  (size_t)(last - line->data) + 1);
    else if (line->len > LONGEST_LINE || line->is_short)
        write_out(self->state, call_of(self), self->level, line, line->len);
    if (line->is_short)
        wgw_buffer_clear(line, 0);
}

static void flush_line(wgw_py_state_t *state, wgw_call_t *call, int level, wgw_buffer_t *line)
{
    if (line->len)
        write_out(state, call, level, line, line->len);
}

/* --- methods -------------------------------------------------------------------------- */

static int check_open(log_stream_t *self)
{
    if (!self->is_bound || self->call)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "wsgi.errors was used after its request had ended");
    return -1;
}

/* Encode for the log: UTF-8, lone surrogates as escapes. */
static PyObject *encode(PyObject *text)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "write() argument must be str, not %S",
                     (PyObject *)Py_TYPE(text));
        return NULL;
    }
    return PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
}

static PyObject *stream_write(PyObject *object, PyObject *text)
{
    log_stream_t *self = (log_stream_t *)object;
    PyObject *bytes = encode(text);

    if (!bytes || check_open(self) < 0) {
        Py_XDECREF(bytes);
        return NULL;
    }
    take_text(self, PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes));
    Py_DECREF(bytes);
    return PyLong_FromSsize_t(PyUnicode_GetLength(text));
}

static PyObject *stream_writelines(PyObject *object, PyObject *lines)
{
    PyObject *iterator = PyObject_GetIter(lines);
    PyObject *line;

    if (!iterator)
        return NULL;
    while ((line = PyIter_Next(iterator))) {
        PyObject *count = stream_write(object, line);
        Py_DECREF(line);
        if (!count)
            break;
        Py_DECREF(count);
    }
    Py_DECREF(iterator);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *stream_flush(PyObject *object, PyObject *unused)
{
    log_stream_t *self = (log_stream_t *)object;

    (void)unused;
    if (check_open(self) < 0)
        return NULL;
    flush_line(self->state, call_of(self), self->level, line_of(self));
    Py_RETURN_NONE;
}

static PyObject *return_true(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_TRUE;
}

static PyObject *return_false(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_FALSE;
}

static PyObject *stream_close(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused; /* the log stays open, whatever an application does to it */
    Py_RETURN_NONE;
}

static PyObject *get_text(PyObject *self, void *text)
{
    (void)self;
    return PyUnicode_FromString(text);
}

static PyObject *get_closed(PyObject *object, void *unused)
{
    log_stream_t *self = (log_stream_t *)object;

    (void)unused;
    return PyBool_FromLong(self->is_bound && !self->call);
}

static PyMethodDef stream_methods[] = {
    { "write", stream_write, METH_O,
      "write(text: str) -> int\n\nAppend text to the error log; a record ends with each line." },
    { "writelines", stream_writelines, METH_O,
      "writelines(lines) -> None\n\nwrite() each str of an iterable." },
    { "flush", stream_flush, METH_NOARGS,
      "flush() -> None\n\nEnd the record that is not complete." },
    { "close", stream_close, METH_NOARGS, "close() -> None\n\nDoes nothing: the log stays open." },
    { "isatty", return_false, METH_NOARGS, "isatty() -> bool\n\nAlways False." },
    { "readable", return_false, METH_NOARGS, "readable() -> bool\n\nAlways False." },
    { "seekable", return_false, METH_NOARGS, "seekable() -> bool\n\nAlways False." },
    { "writable", return_true, METH_NOARGS, "writable() -> bool\n\nAlways True." },
    { 0 }
};

static PyGetSetDef stream_attributes[] = {
    { "encoding", get_text, NULL, "How text is encoded in the log.", "utf-8" },
    { "errors", get_text, NULL, "What becomes of lone surrogates.", "backslashreplace" },
    { "mode", get_text, NULL, "As of a file opened for writing.", "w" },
    { "name", get_text, NULL, "What the stream is called in messages.", "<error log>" },
    { "closed", get_closed, NULL, "Whether the request of wsgi.errors has ended.", NULL },
    { 0 }
};

PyTypeObject *wgw_py_log_stream_type(PyObject *module)
{
    static PyType_Slot slots[] = {
        { Py_tp_doc, "Text stream into httpd's error log (PEP 3333, wsgi.errors)." },
        { Py_tp_dealloc, wgw_py_dealloc },
        { Py_tp_methods, stream_methods },
        { Py_tp_getset, stream_attributes },
        { 0, NULL }
    };
    static PyType_Spec spec = { "_wsgigw.LogStream", sizeof(log_stream_t), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots };

    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

/* --- making and ending ---------------------------------------------------------------- */

PyObject *wgw_py_log_stream_new(wgw_py_state_t *state, wgw_call_t *call, wgw_level_t level)
{
    log_stream_t *self = PyObject_New(log_stream_t, state->log_stream_type);

    if (!self)
        return NULL;
    self->state = state;
    self->call = call;
    self->is_bound = call != NULL;
    self->level = level;
    return (PyObject *)self;
}

PyObject *wgw_py_errors_new(wgw_call_t *call)
{
    return wgw_py_log_stream_new(call->state, call, WGW_LOG_ERR);
}

void wgw_py_errors_end(wgw_call_t *call)
{
    if (call->errors)
        ((log_stream_t *)call->errors)->call = NULL; /* from here on no other thread appends */
    flush_line(call->state, call, WGW_LOG_ERR, &call->line);
    flush_line(call->state, call, WGW_LOG_ERR, &line_here);
    wgw_buffer_deinit(&call->line);
}
