/* A question to a script: which function of it is called, with what, and what that may answer.
 * Whatever is not a clear answer is a failure; nothing here grants by itself. */
#include <string.h>

#include "bridge/call.h"
#include "exchange/answer.h"

/* --- mod_ssl in environ --------------------------------------------------------------- */

/* mod_ssl.is_https: `self` is the answer. */
static PyObject *is_https(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

static PyObject *name_bytes(PyObject *name)
{
    if (PyBytes_Check(name))
        return Py_NewRef(name);
    if (PyUnicode_Check(name))
        return PyUnicode_AsUTF8String(name);
    PyErr_SetString(PyExc_TypeError, "the name of a variable of mod_ssl is a str or bytes");
    return NULL;
}

/* mod_ssl.var_lookup: `self` is a capsule whose context is the call, until that ends. What it looks
 * into is httpd's, and belongs to the thread of the request. */
static PyObject *var_lookup(PyObject *self, PyObject *name)
{
    wgw_call_t *call = PyCapsule_GetContext(self);
    PyObject *bytes = name_bytes(name), *result = NULL;

    if (bytes && (!call || call != wgw_call_current())) {
        PyErr_SetString(PyExc_RuntimeError, "mod_ssl.var_lookup() can be called only in the thread "
                                            "and for the duration of its request");
    } else if (bytes) {
        PyThreadState *tstate = wgw_py_op_begin(call);
        const char *value = call->x->ops->tls_variable(call->x, PyBytes_AsString(bytes));
        wgw_py_op_end(call, tstate);
        result = value ? PyUnicode_DecodeLatin1(value, (Py_ssize_t)strlen(value), NULL)
                       : Py_NewRef(Py_None);
    }
    Py_XDECREF(bytes);
    return result;
}

static PyMethodDef is_https_method = {
    "is_https", is_https, METH_NOARGS,
    "is_https() -> bool\n\nTell whether the client's connection is encrypted by mod_ssl."
};
static PyMethodDef var_lookup_method = {
    "var_lookup", var_lookup, METH_O,
    "var_lookup(name: str | bytes) -> str | None\n\nLook up a variable of mod_ssl, as SSL_CLIENT_S_DN."
};

/* Owns: value (NULL: an exception is set). */
static int set_entry(PyObject *dict, const char *name, PyObject *value)
{
    int rc = value ? PyDict_SetItemString(dict, name, value) : -1;

    Py_XDECREF(value);
    return rc;
}

static int add_tls(wgw_call_t *call, PyObject *dict, PyObject *capsule)
{
    PyObject *answer = call->req->is_https ? Py_True : Py_False;
    PyObject *lookup = call->x->ops->tls_variable
        ? PyCFunction_NewEx(&var_lookup_method, capsule, NULL) : Py_NewRef(Py_None);

    if (set_entry(dict, "mod_ssl.is_https", PyCFunction_NewEx(&is_https_method, answer, NULL)) < 0) {
        Py_XDECREF(lookup);
        return -1;
    }
    return set_entry(dict, "mod_ssl.var_lookup", lookup);
}

/* The environ of a request, without what is for responses and bodies only. */
static PyObject *new_environ(wgw_call_t *call, PyObject *capsule)
{
    PyObject *dict = wgw_py_environ_new(call);

    if (dict && PyDict_DelItemString(dict, "wsgi.file_wrapper") == 0 &&
        PyDict_DelItemString(dict, "wsgi.input_terminated") == 0 && add_tls(call, dict, capsule) == 0)
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

/* --- calling -------------------------------------------------------------------------- */

/* What a browser sends is UTF-8 (RFC 7617, 2.1), or of its own choice. */
static PyObject *decode(wgw_span_t text)
{
    const char *data = text.data ? text.data : "";
    PyObject *decoded = PyUnicode_DecodeUTF8(data, (Py_ssize_t)text.len, "strict");

    if (decoded || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return decoded;
    PyErr_Clear();
    return PyUnicode_DecodeLatin1(data, (Py_ssize_t)text.len, NULL);
}

static Py_ssize_t argument_count(wgw_question_t question)
{
    switch (question) {
    case WGW_ASK_PASSWORD:
    case WGW_ASK_REALM_HASH:
        return 2;
    case WGW_ASK_GROUPS: /* the other one is what its result is compared with */
    case WGW_ASK_ACCESS:
        return 1;
    default:
        return 0;
    }
}

/* Returns: new reference; NULL with an exception set. Owns: environ (NULL: an exception is set). */
static PyObject *call_function(wgw_call_t *call, PyObject *function, PyObject *environ_dict)
{
    Py_ssize_t count = argument_count(call->req->question);
    PyObject *arguments = environ_dict ? PyTuple_New(1 + count) : NULL, *result = NULL;

    if (!arguments) {
        Py_XDECREF(environ_dict);
        return NULL;
    }
    PyTuple_SetItem(arguments, 0, environ_dict);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *text = decode(call->req->arguments[i]);
        if (!text)
            goto cleanup;
        PyTuple_SetItem(arguments, 1 + i, text);
    }
    result = PyObject_CallObject(function, arguments);
cleanup:
    Py_DECREF(arguments);
    return result;
}

/* --- what it has answered ------------------------------------------------------------- */

static int refuse_result(const wgw_call_t *call, PyObject *result)
{
    PyErr_Format(PyExc_TypeError, "%s() returned %S, which is no answer",
                 wgw_question_function(call->req->question), (PyObject *)Py_TYPE(result));
    return -1;
}

static void answer(wgw_call_t *call, wgw_verdict_t verdict)
{
    call->verdict = verdict;
    call->has_answer = true;
}

/* Returns: new bytes; NULL with an exception set. */
static PyObject *encode(const wgw_call_t *call, PyObject *text)
{
    if (PyUnicode_Check(text))
        return PyUnicode_AsUTF8String(text);
    if (PyBytes_Check(text))
        return Py_NewRef(text);
    refuse_result(call, text);
    return NULL;
}

static int take_text(wgw_call_t *call, PyObject *result)
{
    wgw_question_t question = call->req->question;
    PyObject *bytes = encode(call, result);

    if (!bytes)
        return -1;
    wgw_span_t text = { PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes) };
    const char *wrong = wgw_answer_check(question, WGW_VERDICT_TEXT, text);
    bool is_kept = !wrong && wgw_buffer_append(&call->body, text.data, text.len);
    Py_DECREF(bytes);
    if (is_kept)
        answer(call, WGW_VERDICT_TEXT);
    else
        PyErr_Format(PyExc_ValueError, "what %s() returned cannot be used: %s",
                     wgw_question_function(question), wrong ? wrong : "no memory is left");
    return is_kept ? 0 : -1;
}

/* True, False and None are exactly these: 1, "yes" and [] are nobody's permission. */
static int take_verdict(wgw_call_t *call, PyObject *result)
{
    wgw_verdict_t verdict = result == Py_True    ? WGW_VERDICT_YES
                            : result == Py_False ? WGW_VERDICT_NO
                                                 : WGW_VERDICT_NONE;

    if ((verdict == WGW_VERDICT_NONE && result != Py_None) ||
        wgw_answer_check(call->req->question, verdict, (wgw_span_t){ NULL, 0 }))
        return PyUnicode_Check(result) ||
                       (PyBytes_Check(result) && call->req->question != WGW_ASK_PASSWORD)
                   ? take_text(call, result)
                   : refuse_result(call, result);
    answer(call, verdict);
    return 0;
}

/* Whether a name is among those that are wanted, each with a NUL behind it. */
static bool is_wanted(wgw_span_t wanted, const char *name, size_t len)
{
    for (size_t at = 0; at < wanted.len;) {
        size_t this_len = strnlen(wanted.data + at, wanted.len - at);
        if (this_len == len && memcmp(wanted.data + at, name, len) == 0)
            return true;
        at += this_len + 1;
    }
    return false;
}

/* Returns: 1 the group is wanted; 0 not; -1 with an exception set. */
static int look_at_group(const wgw_call_t *call, PyObject *group)
{
    PyObject *bytes = encode(call, group);

    if (!bytes)
        return -1;
    bool is_found = is_wanted(call->req->arguments[1], PyBytes_AsString(bytes),
                              (size_t)PyBytes_Size(bytes));
    Py_DECREF(bytes);
    return is_found;
}

/* The groups of the user, as far as the first that is wanted. The characters of a str are no groups. */
static int take_groups(wgw_call_t *call, PyObject *result)
{
    bool is_text = PyUnicode_Check(result) || PyBytes_Check(result);
    PyObject *iterator = is_text ? NULL : PyObject_GetIter(result), *group;
    int found = 0;

    if (!iterator)
        return is_text ? refuse_result(call, result) : -1;
    while (found == 0 && (group = PyIter_Next(iterator))) {
        found = look_at_group(call, group);
        Py_DECREF(group);
    }
    Py_DECREF(iterator);
    if (found < 0 || PyErr_Occurred())
        return -1;
    answer(call, found ? WGW_VERDICT_YES : WGW_VERDICT_NO);
    return 0;
}

/* --- all of it ------------------------------------------------------------------------ */

static const char CAPSULE_NAME[] = "wsgigw.call";

static int ask(wgw_call_t *call, PyObject *function, PyObject *capsule)
{
    PyObject *result = call_function(call, function, new_environ(call, capsule));
    int rc = -1;

    if (result)
        rc = call->req->question == WGW_ASK_GROUPS ? take_groups(call, result)
                                                   : take_verdict(call, result);
    Py_XDECREF(result);
    return rc;
}

void wgw_py_ask(wgw_call_t *call)
{
    wgw_target_t target = call->req->target;

    target.callable = wgw_question_function(call->req->question);
    target.is_optional = wgw_question_is_optional(call->req->question);
    PyObject *function = wgw_py_script_find(call->state, &target, call->req->deadline,
                                            &call->http_status);
    if (!function)
        return;
    wgw_call_enter(call);
    PyObject *capsule = PyCapsule_New(call->state, CAPSULE_NAME, NULL);
    if (capsule && PyCapsule_SetContext(capsule, call) == 0 && function == Py_None)
        answer(call, WGW_VERDICT_NONE);
    else if (!capsule || ask(call, function, capsule) < 0) {
        call->has_answer = false;
        call->http_status = wgw_py_fault(call, WGWNO(0190) "a script of authentication, access or "
                                         "dispatch could not answer");
    }
    if (capsule)
        PyCapsule_SetContext(capsule, NULL);
    Py_XDECREF(capsule);
    Py_DECREF(function);
}
