/* Exceptions that end a request: into the log whole, and what the client is told. */
#include "bridge/call.h"

static int status_of(wgw_call_t *call, PyObject *type)
{
    static const int INPUT_STATUS[] = {
        [WGW_EABORTED] = 400, [WGW_ETIMEDOUT] = 408, [WGW_EPROTO] = 400,
        [WGW_ETOOLARGE] = 413, [WGW_EUNWANTED] = 500, [WGW_EFAILED] = 400,
    };

    if (PyErr_GivenExceptionMatches(type, call->state->request_timeout))
        return 504;
    if (call->input_fault && PyErr_GivenExceptionMatches(type, PyExc_OSError))
        return INPUT_STATUS[call->input_fault];
    return 500;
}

int wgw_py_fault(wgw_call_t *call, const char *what)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    int http_status = type ? status_of(call, type) : 500;
    PyObject *heading = PyUnicode_FromString(what);
    PyObject *done = heading && value
        ? wgw_py_helper(call->state, "_report", heading, value, traceback ? traceback : Py_None, NULL)
        : NULL;
    if (!done) {
        PyErr_Clear();
        wgw_py_log(call->state, call, WGW_LOG_ERR,
                   WGWNO(0008) "%s, and the traceback could not be made (out of memory?)", what);
    }
    Py_XDECREF(done);
    Py_XDECREF(heading);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return http_status;
}
