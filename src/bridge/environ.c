/* The environ dict (PEP 3333, "environ Variables") of one request.
 * What is the same for every request comes from a prototype that is copied;
 * keys are interned; values that usually repeat are remembered per thread. */
#include <string.h>
#include <sys/time.h>

#include "bridge/call.h"

static const char *const TYPED_NAMES[WGW_TYPED_COUNT] = {
#define WGW_TYPED_ROW(symbol, name) [WGW_TYPED_##symbol] = name,
    WGW_TYPED_KEYS(WGW_TYPED_ROW)
#undef WGW_TYPED_ROW
};

/* --- what is made once ---------------------------------------------------------------- */

/* "mod_wsgi.x" -> "wsgigw.x" */
static PyObject *twin_of(const char *name)
{
    PyObject *twin = PyUnicode_FromFormat("wsgigw%s", strchr(name, '.'));

    if (twin)
        PyUnicode_InternInPlace(&twin);
    return twin;
}

static int intern_keys(wgw_py_state_t *state)
{
    for (int key = 1; key < WGW_KEY_COUNT; key++) {
        const wgw_key_info_t *info = wgw_key_info((wgw_key_t)key);
        if (!(state->keys[key] = PyUnicode_InternFromString(info->name)))
            return -1;
        if ((info->flags & WGW_KEY_TWIN) && !(state->twins[key] = twin_of(info->name)))
            return -1;
    }
    for (int key = 0; key < WGW_TYPED_COUNT; key++)
        if (!(state->typed[key] = PyUnicode_InternFromString(TYPED_NAMES[key])))
            return -1;
    return 0;
}

/* Owns: value (NULL: an exception is set). */
static int set_new(PyObject *dict, const char *name, PyObject *value)
{
    PyObject *key = value ? PyUnicode_InternFromString(name) : NULL;
    int rc = key ? PyDict_SetItem(dict, key, value) : -1;

    Py_XDECREF(key);
    Py_XDECREF(value);
    return rc;
}

static PyObject *version_tuple(const int version[3])
{
    return Py_BuildValue("(iii)", version[0], version[1], version[2]);
}

int wgw_py_environ_init(wgw_py_state_t *state)
{
    static const int own[3] = WGW_VERSION, compat[3] = WGW_COMPAT_VERSION;
    PyObject *dict = state->prototype = PyDict_New();

    if (!dict || intern_keys(state) < 0)
        return -1;
    return set_new(dict, "wsgi.version", Py_BuildValue("(ii)", 1, 0)) < 0 ||
                   set_new(dict, "wsgi.run_once", PyBool_FromLong(0)) < 0 ||
                   set_new(dict, "wsgi.input_terminated", PyBool_FromLong(1)) < 0 ||
                   set_new(dict, "wsgi.file_wrapper",
                           Py_NewRef((PyObject *)state->file_wrapper_type)) < 0 ||
                   set_new(dict, "apache.version",
                           version_tuple(state->bridge->config->server_version)) < 0 ||
                   set_new(dict, "mod_wsgi.version", version_tuple(compat)) < 0 ||
                   set_new(dict, "wsgigw.version", version_tuple(own)) < 0 ||
                   set_new(dict, "mod_wsgi.queue_start", PyFloat_FromDouble(0)) < 0 ||
                   set_new(dict, "mod_wsgi.daemon_start", PyFloat_FromDouble(0)) < 0 ||
                   set_new(dict, "wsgigw.queue_start", PyFloat_FromDouble(0)) < 0 ||
                   set_new(dict, "wsgigw.daemon_start", PyFloat_FromDouble(0)) < 0
               ? -1
               : 0;
}

/* --- str entries ---------------------------------------------------------------------- */

/* The remembered value if it has the same bytes. Only ASCII is remembered, whose
 * UTF-8 form is at hand. */
static PyObject *recall(PyObject *value, const wgw_var_t *var)
{
    Py_ssize_t len;
    const char *text = value ? PyUnicode_AsUTF8AndSize(value, &len) : NULL;

    if (text && (size_t)len == var->value_len && memcmp(text, var->value, var->value_len) == 0)
        return Py_NewRef(value);
    return NULL;
}

static bool is_ascii(const char *text, size_t len)
{
    unsigned char seen = 0;

    for (size_t i = 0; i < len; i++)
        seen |= (unsigned char)text[i];
    return seen < 0x80;
}

static PyObject *decode(const wgw_var_t *var)
{
    if (wgw_key_info(var->key)->flags & WGW_KEY_PATH)
        return PyUnicode_DecodeFSDefaultAndSize(var->value, (Py_ssize_t)var->value_len);
    return PyUnicode_DecodeLatin1(var->value, (Py_ssize_t)var->value_len, NULL);
}

static PyObject *value_of(wgw_thread_t *thread, const wgw_var_t *var)
{
    enum { LONGEST_MEMO = 256 };
    PyObject **memo = &thread->memo[var->key];
    bool is_memo = wgw_key_info(var->key)->flags & WGW_KEY_MEMO && var->value_len <= LONGEST_MEMO;
    PyObject *value = is_memo ? recall(*memo, var) : NULL;

    if (value)
        return value;
    value = decode(var);
    if (value && is_memo && is_ascii(var->value, var->value_len)) {
        Py_XDECREF(*memo);
        *memo = Py_NewRef(value);
    }
    return value;
}

static int set_known(wgw_call_t *call, PyObject *dict, const wgw_var_t *var)
{
    PyObject *value = value_of(call->thread, var);
    PyObject *twin = call->state->twins[var->key];
    int rc = value ? PyDict_SetItem(dict, call->state->keys[var->key], value) : -1;

    if (rc == 0 && twin)
        rc = PyDict_SetItem(dict, twin, value);
    Py_XDECREF(value);
    return rc;
}

static int set_other(PyObject *dict, const wgw_var_t *var)
{
    PyObject *key = PyUnicode_DecodeLatin1(var->name, (Py_ssize_t)var->name_len, NULL);
    PyObject *value = PyUnicode_DecodeLatin1(var->value, (Py_ssize_t)var->value_len, NULL);
    int rc = key && value ? PyDict_SetItem(dict, key, value) : -1;

    Py_XDECREF(key);
    Py_XDECREF(value);
    return rc;
}

/* --- entries of other types ----------------------------------------------------------- */

static double now_seconds(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

/* Set one object under two keys. Owns: value (NULL: an exception is set). */
static int set_typed(wgw_call_t *call, PyObject *dict, wgw_typed_key_t mod_wsgi,
                     wgw_typed_key_t wsgigw, PyObject *value)
{
    int rc = value ? PyDict_SetItem(dict, call->state->typed[mod_wsgi], value) : -1;

    if (rc == 0)
        rc = PyDict_SetItem(dict, call->state->typed[wsgigw], value);
    Py_XDECREF(value);
    return rc;
}

/* When a request was queued and taken, in daemon mode; in embedded mode the prototype says 0. */
static int set_queue_times(wgw_call_t *call, PyObject *dict)
{
    const wgw_request_t *req = call->req;

    if (req->queue_start == 0 && req->daemon_start == 0)
        return 0;
    return set_typed(call, dict, WGW_TYPED_MW_QUEUE_START, WGW_TYPED_WG_QUEUE_START,
                     PyFloat_FromDouble(req->queue_start)) < 0
               ? -1
               : set_typed(call, dict, WGW_TYPED_MW_DAEMON_START, WGW_TYPED_WG_DAEMON_START,
                           PyFloat_FromDouble(req->daemon_start));
}

static int set_flag(wgw_call_t *call, PyObject *dict, wgw_typed_key_t key, bool is_true)
{
    return PyDict_SetItem(dict, call->state->typed[key], is_true ? Py_True : Py_False);
}

static int set_typed_entries(wgw_call_t *call, PyObject *dict)
{
    PyObject **typed = call->state->typed;

    return (call->input && PyDict_SetItem(dict, typed[WGW_TYPED_WSGI_INPUT], call->input) < 0) ||
                   PyDict_SetItem(dict, typed[WGW_TYPED_WSGI_ERRORS], call->errors) < 0 ||
                   set_flag(call, dict, WGW_TYPED_WSGI_MULTITHREAD,
                            call->req->is_multithread) < 0 ||
                   set_flag(call, dict, WGW_TYPED_WSGI_MULTIPROCESS,
                            call->req->is_multiprocess) < 0 ||
                   set_typed(call, dict, WGW_TYPED_MW_THREAD_ID, WGW_TYPED_WG_THREAD_ID,
                             PyLong_FromLong(call->thread->number)) < 0 ||
                   set_typed(call, dict, WGW_TYPED_MW_REQUEST_START,
                             WGW_TYPED_WG_REQUEST_START,
                             PyFloat_FromDouble(call->req->request_start)) < 0 ||
                   set_queue_times(call, dict) < 0 ||
                   set_typed(call, dict, WGW_TYPED_MW_APPLICATION_START,
                             WGW_TYPED_WG_APPLICATION_START,
                             PyFloat_FromDouble(now_seconds())) < 0
               ? -1
               : 0;
}

PyObject *wgw_py_environ_new(wgw_call_t *call)
{
    PyObject *dict = PyDict_Copy(call->state->prototype);

    if (!dict)
        return NULL;
    for (size_t i = 0; i < call->req->var_count; i++) {
        const wgw_var_t *var = &call->req->vars[i];
        int rc = var->key ? set_known(call, dict, var) : set_other(dict, var);
        if (rc < 0)
            goto fail;
    }
    /* Last, so that no variable of the configuration takes the place of wsgi.* (PEP 3333). */
    if (set_typed_entries(call, dict) < 0)
        goto fail;
    return dict;
fail:
    Py_DECREF(dict);
    return NULL;
}
