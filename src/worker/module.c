/* The entry points of _wsgigw.abi3.so, which hold two modules: `_wsgigw`, of the
 * bridge, and `_wsgigw_worker`, which the supervisor's command line imports. */
#include "bridge/state.h"
#include "worker/serve.h"

static PyObject *module_serve(PyObject *module, PyObject *extension)
{
    PyObject *path;

    (void)module;
    if (!PyUnicode_FSConverter(extension, &path))
        return NULL;
    int code = wgw_py_serve(PyBytes_AsString(path));
    Py_DECREF(path);
    return PyErr_Occurred() ? NULL : PyLong_FromLong(code);
}

static PyMethodDef methods[] = {
    { "serve", module_serve, METH_O,
      "serve(extension: path) -> int: be a daemon process of mod_wsgigw; returns its exit code" },
    { 0 }
};

static PyModuleDef_Slot slots[] = { WGW_PY_PROMISES, { 0, NULL } };

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_wsgigw_worker",
    .m_doc = "The daemon process of mod_wsgigw.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__wsgigw(void);
PyMODINIT_FUNC PyInit__wsgigw_worker(void);

PyMODINIT_FUNC PyInit__wsgigw(void)
{
    return wgw_py_module_init();
}

PyMODINIT_FUNC PyInit__wsgigw_worker(void)
{
    wgw_py_promise(slots, Py_Version, wgw_py_is_free_threading_wanted());
    return PyModuleDef_Init(&definition);
}
