/* wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"):
 * a plain file leaves as a descriptor, from its current position; everything
 * else is read block by block. */
#include <fcntl.h>
#include <stdio.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bridge/call.h"

typedef struct {
    PyObject_HEAD
    PyObject *filelike;
    PyObject *blksize;
} file_wrapper_t;

/* --- the type ------------------------------------------------------------------------- */

static int wrapper_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "filelike", "blksize", NULL };
    file_wrapper_t *self = (file_wrapper_t *)object;
    PyObject *filelike, *blksize = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:FileWrapper", names, &filelike, &blksize))
        return -1;
    blksize = blksize ? Py_NewRef(blksize) : PyLong_FromLong(8192);
    if (!blksize)
        return -1;
    Py_INCREF(filelike);
    Py_XDECREF(self->filelike);
    Py_XDECREF(self->blksize);
    self->filelike = filelike;
    self->blksize = blksize;
    return 0;
}

static int check_filelike(file_wrapper_t *self)
{
    if (self->filelike)
        return 0;
    PyErr_SetString(PyExc_ValueError, "FileWrapper.__init__() was not called");
    return -1;
}

static PyObject *wrapper_next(PyObject *object)
{
    file_wrapper_t *self = (file_wrapper_t *)object;

    if (check_filelike(self) < 0)
        return NULL;
    PyObject *block = PyObject_CallMethod(self->filelike, "read", "O", self->blksize);
    if (block && PyObject_IsTrue(block) == 0)
        Py_CLEAR(block); /* the end: NULL without an exception */
    return block;
}

static PyObject *wrapper_close(PyObject *object, PyObject *unused)
{
    file_wrapper_t *self = (file_wrapper_t *)object;

    (void)unused;
    if (check_filelike(self) < 0)
        return NULL;
    PyObject *close = PyObject_GetAttrString(self->filelike, "close");
    if (!close) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    PyObject *result = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    return result;
}

static int wrapper_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((file_wrapper_t *)object)->filelike);
    Py_VISIT(((file_wrapper_t *)object)->blksize);
    return 0;
}

static int wrapper_clear(PyObject *object)
{
    Py_CLEAR(((file_wrapper_t *)object)->filelike);
    Py_CLEAR(((file_wrapper_t *)object)->blksize);
    return 0;
}

static void wrapper_dealloc(PyObject *object)
{
    wgw_py_dealloc_collected(object, wrapper_clear);
}

PyTypeObject *wgw_py_file_wrapper_type(PyObject *module)
{
    static PyMethodDef methods[] = {
        { "close", wrapper_close, METH_NOARGS,
          "close() -> None\n\nClose the file, if it can be closed." },
        { 0 }
    };
    static PyMemberDef members[] = {
        { "filelike", T_OBJECT, offsetof(file_wrapper_t, filelike), 0, "The file to send." },
        { "blksize", T_OBJECT, offsetof(file_wrapper_t, blksize), 0,
          "Bytes to read at a time, where the file is not sent as a descriptor." },
        { 0 }
    };
    static PyType_Slot slots[] = {
        { Py_tp_doc, "FileWrapper(filelike, blksize=8192)\n\nResponse that is the rest of a file, "
                     "from its current position (PEP 3333, wsgi.file_wrapper)." },
        { Py_tp_init, wrapper_init },
        { Py_tp_traverse, wrapper_traverse },
        { Py_tp_clear, wrapper_clear },
        { Py_tp_dealloc, wrapper_dealloc },
        { Py_tp_iter, PyObject_SelfIter },
        { Py_tp_iternext, wrapper_next },
        { Py_tp_methods, methods },
        { Py_tp_members, members },
        { 0, NULL }
    };
    static PyType_Spec spec = { "wsgigw.FileWrapper", sizeof(file_wrapper_t), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                                slots };

    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

/* --- sending as a descriptor ---------------------------------------------------------- */

/* Open `path` if it is the file that `st` describes. Returns: descriptor; -1 it is not. */
static int open_same(const char *path, const struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat own;

    if (fd < 0)
        return -1;
    if (fstat(fd, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino)
        return fd;
    close(fd);
    return -1;
}

/* Whether a file's content is made when it is read, so that its size says nothing. */
static bool is_generated(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
}

/* Open the file of a descriptor anew, so that its offset is shared with nobody, and see
 * that it is a regular one. By its name, or by /proc, which a process that has changed its
 * user may not read. Returns: descriptor; -1 it has to be read instead. */
static int reopen_regular(int fd, const char *path, int64_t *size_out)
{
    char link[32];
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    if (st.st_size == 0 || is_generated(fd))
        return -1;
    *size_out = st.st_size;
    int own = path ? open_same(path, &st) : -1;
    if (own >= 0)
        return own;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return open_same(link, &st);
}

/* Open the file of a wrapper, if it is a plain one.
 * Returns: 1; 0 it is not; -1 with an exception set. */
static int open_plain(wgw_call_t *call, PyObject *result, int *fd_out, int64_t *offset_out,
                      int64_t *size_out)
{
    PyObject *found = wgw_py_helper(call->state, "_plain_file", result, NULL);
    PyObject *path;
    long long offset;
    int fd, rc = -1;

    if (found == Py_None)
        rc = 0;
    else if (found && PyArg_ParseTuple(found, "iLO", &fd, &offset, &path)) {
        *fd_out = reopen_regular(fd, PyBytes_Check(path) ? PyBytes_AsString(path) : NULL, size_out);
        *offset_out = offset;
        rc = *fd_out >= 0;
    }
    Py_XDECREF(found);
    return rc;
}

/* Owns: fd. Context: attached; out.state is WGW_OUT_HEAD_SET. */
static int send_descriptor(wgw_call_t *call, int fd, int64_t offset, int64_t available)
{
    if (call->head.length_declared < 0 && !wgw_py_head_add_length(call, available)) {
        close(fd);
        PyErr_NoMemory();
        return -1;
    }
    int64_t declared = call->head.length_declared;
    int64_t length = declared < available ? declared : available;
    length = (int64_t)wgw_output_admit(&call->out, (size_t)length);
    bool is_whole = !wgw_output_is_short(&call->out);
    call->is_head_leaving = true;
    PyThreadState *tstate = wgw_py_op_begin(call);
    wgw_status_t status = wgw_call_send_head(call);
    if (status)
        close(fd);
    else /* also for HEAD, with no byte of it: conditions hold for it as for GET */
        status = call->x->ops->send_file(call->x, fd, offset, length, is_whole);
    if (status)
        call->client = status;
    else if (is_whole)
        wgw_output_transit(&call->out, WGW_EV_END);
    wgw_py_op_end(call, tstate);
    return wgw_py_send_end(call);
}

int wgw_py_send_file(wgw_call_t *call, PyObject *result)
{
    int64_t offset, size;
    int fd;

    if (call->out.state != WGW_OUT_HEAD_SET ||
        !PyObject_TypeCheck(result, call->state->file_wrapper_type))
        return 0;
    int rc = open_plain(call, result, &fd, &offset, &size);
    if (rc <= 0)
        return rc;
    rc = send_descriptor(call, fd, offset, size > offset ? size - offset : 0);
    return rc < 0 ? -1 : 1;
}
