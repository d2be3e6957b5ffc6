/* The extension module `_wsgigw` and the module `wsgigw` that is made from
 * wsgigw.py: the state of one interpreter. */
#include <stdarg.h>
#include <string.h>

#include "bridge/call.h"
#include "bridge/wsgigw_py.h"

/* --- what C offers to wsgigw.py ------------------------------------------------------- */

static PyObject *module_log(PyObject *module, PyObject *args)
{
    wgw_py_state_t *state = PyModule_GetState(module);
    const char *text;
    Py_ssize_t len;
    int level;

    if (!PyArg_ParseTuple(args, "iy#", &level, &text, &len))
        return NULL;
    wgw_py_log_text(state, wgw_call_current(), (wgw_level_t)level, text, (size_t)len);
    Py_RETURN_NONE;
}

static PyObject *module_log_stream(PyObject *module, PyObject *level)
{
    long number = PyLong_AsLong(level);

    if (number == -1 && PyErr_Occurred())
        return NULL;
    return wgw_py_log_stream_new(PyModule_GetState(module), NULL, (wgw_level_t)number);
}

static PyMethodDef module_methods[] = {
    { "log", module_log, METH_VARARGS, "log(level: int, text: bytes): level as of syslog(3)" },
    { "log_stream", module_log_stream, METH_O, "log_stream(level: int) -> LogStream" },
    { 0 }
};

/* --- state ---------------------------------------------------------------------------- */

static int add_types(PyObject *module, wgw_py_state_t *state)
{
    state->input_type = wgw_py_input_type(module);
    state->start_response_type = wgw_py_start_response_type(module);
    state->log_stream_type = wgw_py_log_stream_type(module);
    state->file_wrapper_type = wgw_py_file_wrapper_type(module);
    state->script_type = wgw_py_script_type(module);
    state->request_timeout = PyErr_NewExceptionWithDoc(
        "wsgigw.RequestTimeout",
        "Raised in an application whose request has run out of time.\n\n"
        "A BaseException, so that `except Exception` does not catch it.",
        PyExc_BaseException, NULL);
    if (!state->input_type || !state->start_response_type || !state->log_stream_type ||
        !state->file_wrapper_type || !state->script_type || !state->request_timeout)
        return -1;
    return PyModule_AddType(module, state->file_wrapper_type) < 0 ||
                   PyModule_AddType(module, state->script_type) < 0 ||
                   PyModule_AddObjectRef(module, "RequestTimeout", state->request_timeout) < 0
               ? -1
               : 0;
}

static int module_exec(PyObject *module)
{
    wgw_py_state_t *state = PyModule_GetState(module);

    state->scripts = PyDict_New();
    return state->scripts ? add_types(module, state) : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    wgw_py_state_t *state = PyModule_GetState(module);

    Py_VISIT(state->input_type);
    Py_VISIT(state->start_response_type);
    Py_VISIT(state->log_stream_type);
    Py_VISIT(state->file_wrapper_type);
    Py_VISIT(state->script_type);
    Py_VISIT(state->request_timeout);
    Py_VISIT(state->prototype);
    Py_VISIT(state->scripts);
    Py_VISIT(state->helpers);
    return 0;
}

static int module_clear(PyObject *module)
{
    wgw_py_state_t *state = PyModule_GetState(module);

    for (int key = 0; key < WGW_KEY_COUNT; key++) {
        Py_CLEAR(state->keys[key]);
        Py_CLEAR(state->twins[key]);
    }
    for (int key = 0; key < WGW_TYPED_COUNT; key++)
        Py_CLEAR(state->typed[key]);
    Py_CLEAR(state->prototype);
    Py_CLEAR(state->scripts);
    Py_CLEAR(state->helpers);
    Py_CLEAR(state->request_timeout);
    Py_CLEAR(state->input_type);
    Py_CLEAR(state->start_response_type);
    Py_CLEAR(state->log_stream_type);
    Py_CLEAR(state->file_wrapper_type);
    Py_CLEAR(state->script_type);
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

/* What it does and what it promises; an older Python refuses slots that it does not know. */
static PyModuleDef_Slot module_slots[] = {
    { Py_mod_exec, module_exec },
    WGW_PY_PROMISES,
    { 0, NULL }
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_wsgigw",
    .m_doc = "The part of mod_wsgigw that is written in C; applications use `wsgigw`.",
    .m_size = sizeof(wgw_py_state_t),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

void wgw_py_promise(PyModuleDef_Slot *slots, unsigned long version, bool is_without_gil)
{
    while (slots->slot && slots->slot != WGW_PY_MULTIPLE_INTERPRETERS)
        slots++;
    if (slots->slot && version < 0x030c0000)
        slots[0].slot = 0;
    else if (slots->slot && version < 0x030d0000)
        slots[1].slot = 0;
    else if (slots->slot)
        slots[1].value = (void *)(uintptr_t)is_without_gil;
}

/* Where a free-threaded build is not asked to do without, the module says that it needs the GIL, and
 * Python turns it on. */
bool wgw_py_is_free_threading_wanted(void)
{
    PyObject *options = PySys_GetObject("_xoptions"); /* borrowed */

    return options && PyDict_GetItemString(options, WGW_FREE_THREADING);
}

PyObject *wgw_py_module_init(void)
{
    wgw_py_promise(module_slots, Py_Version, wgw_py_is_free_threading_wanted());
    return PyModuleDef_Init(&module_def);
}

int wgw_bridge_register(void)
{
    return PyImport_AppendInittab("_wsgigw", wgw_py_module_init);
}

/* --- the module `wsgigw` -------------------------------------------------------------- */

static int run_source(PyObject *namespace)
{
    PyObject *code = Py_CompileString(WSGIGW_PY_SOURCE, "<wsgigw>", Py_file_input);
    PyObject *done = code ? PyEval_EvalCode(code, namespace, namespace) : NULL;

    Py_XDECREF(code);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int make_public_module(wgw_py_state_t *state)
{
    PyObject *module = PyImport_AddModule("wsgigw"); /* borrowed from sys.modules */

    if (!module)
        return -1;
    state->helpers = Py_NewRef(PyModule_GetDict(module));
    PyObject *builtins = PyImport_ImportModule("builtins");
    int rc = builtins ? PyDict_SetItemString(state->helpers, "__builtins__", builtins) : -1;
    Py_XDECREF(builtins);
    return rc < 0 ? -1 : run_source(state->helpers);
}

/* Import `_wsgigw`, which in daemon mode is a file that is not on sys.path. A sub-interpreter
 * has it in no sys.modules yet, and each gets a module of its own. */
static PyObject *import_own(const char *extension)
{
    static const char SOURCE[] =
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('_wsgigw', path)\n"
        "sys.modules['_wsgigw'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(sys.modules['_wsgigw'])\n";
    PyObject *scope = extension ? Py_BuildValue("{s:N}", "path", PyUnicode_DecodeFSDefault(extension))
                                : PyDict_New();
    PyObject *code = scope && extension ? Py_CompileString(SOURCE, "<wsgigw>", Py_file_input) : NULL;
    PyObject *done = code ? PyEval_EvalCode(code, scope, scope) : NULL;

    Py_XDECREF(scope);
    Py_XDECREF(code);
    Py_XDECREF(done);
    return PyErr_Occurred() ? NULL : PyImport_ImportModule("_wsgigw");
}

wgw_py_state_t *wgw_py_state_import(wgw_bridge_t *bridge)
{
    PyObject *module = import_own(bridge->config->extension);
    wgw_py_state_t *state = module ? PyModule_GetState(module) : NULL;

    Py_XDECREF(module); /* sys.modules, and the types, keep it */
    if (!state)
        return NULL;
    state->bridge = bridge;
    if (wgw_py_environ_init(state) < 0 || make_public_module(state) < 0)
        return NULL;
    return state;
}

/* --- helpers -------------------------------------------------------------------------- */

/* Collect arguments that end in NULL. Returns: new tuple; NULL with an exception set. */
static PyObject *collect(va_list list)
{
    PyObject *collected = PyList_New(0), *arg, *args;

    while (collected && (arg = va_arg(list, PyObject *)))
        if (PyList_Append(collected, arg) < 0)
            Py_CLEAR(collected);
    args = collected ? PyList_AsTuple(collected) : NULL;
    Py_XDECREF(collected);
    return args;
}

PyObject *wgw_py_helper(wgw_py_state_t *state, const char *name, ...)
{
    PyObject *function = PyDict_GetItemString(state->helpers, name);
    va_list list;

    if (!function)
        return PyErr_Format(PyExc_RuntimeError, "wsgigw.py has no function %s", name);
    va_start(list, name);
    PyObject *args = collect(list);
    va_end(list);
    PyObject *result = args ? PyObject_CallObject(function, args) : NULL;
    Py_XDECREF(args);
    return result;
}

void wgw_py_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject_Free(object);
    Py_DECREF(type);
}

void wgw_py_dealloc_collected(PyObject *object, inquiry clear)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    clear(object);
    freefunc type_free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    type_free(object);
    Py_DECREF(type);
}

int wgw_py_latin1(PyObject *text, const char *what, const char **data_out, size_t *len_out,
                  PyObject **owner_out)
{
    Py_ssize_t len;

    *owner_out = NULL;
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %S (PEP 3333)", what,
                     (PyObject *)Py_TYPE(text));
        return -1;
    }
    *data_out = PyUnicode_AsUTF8AndSize(text, &len);
    if (*data_out && len == PyUnicode_GetLength(text)) { /* ASCII: the bytes are the same */
        *len_out = (size_t)len;
        return 0;
    }
    PyErr_Clear();
    *owner_out = PyUnicode_AsLatin1String(text);
    if (!*owner_out)
        return -1;
    *data_out = PyBytes_AsString(*owner_out);
    *len_out = (size_t)PyBytes_Size(*owner_out);
    return 0;
}
