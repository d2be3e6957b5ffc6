/* The life of the interpreter in an httpd child: one thread starts and ends it.
 * Must not know httpd. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <unistd.h>

#include "wsgigw/embedded.h"

/* --- configuration of the interpreter ------------------------------------------------- */

static PyStatus set_path(PyConfig *py, wchar_t **field, const char *format, const char *path)
{
    char text[4096];

    snprintf(text, sizeof text, format, path);
    return PyConfig_SetBytesString(py, field, text);
}

static bool is_virtual_environment(const char *home)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/pyvenv.cfg", home);
    return access(path, R_OK) == 0;
}

/* A virtual environment is found by Python itself, from where its interpreter lies. */
static PyStatus set_home(PyConfig *py, const char *home)
{
    if (home && !is_virtual_environment(home))
        return set_path(py, &py->home, "%s", home);
    const char *format = home ? "%s/bin/python" : "%s";
    const char *path = home ? home : WGW_PYTHON_EXECUTABLE;
    PyStatus status = set_path(py, &py->program_name, format, path);
    return PyStatus_Exception(status) ? status : set_path(py, &py->executable, format, path);
}

static PyStatus set_warnings(PyConfig *py, const wgw_embedded_config_t *config)
{
    PyStatus status = PyStatus_Ok();

    for (size_t i = 0; i < config->warning_count && !PyStatus_Exception(status); i++) {
        wchar_t *text = Py_DecodeLocale(config->warnings[i], NULL);
        status = text ? PyWideStringList_Append(&py->warnoptions, text) : PyStatus_NoMemory();
        PyMem_RawFree(text);
    }
    return status;
}

static void set_options(PyConfig *py, const wgw_embedded_config_t *config)
{
    py->install_signal_handlers = 0; /* they are httpd's */
    py->parse_argv = 0;
    py->safe_path = 1; /* neither the working folder nor a script's goes into sys.path */
    py->user_site_directory = 0;
    py->optimization_level = config->optimize;
    py->write_bytecode = config->writes_bytecode;
    if (config->hash_seed != WGW_SEED_RANDOM) {
        py->use_hash_seed = 1;
        py->hash_seed = (unsigned long)config->hash_seed;
    }
}

#ifdef Py_GIL_DISABLED
static PyStatus set_gil(PyConfig *py, const wgw_embedded_config_t *config)
{
    if (config->is_free_threaded)
        return PyWideStringList_Append(&py->xoptions, L"" WGW_FREE_THREADING);
    py->enable_gil = 1;
    return PyStatus_Ok();
}
#else
static PyStatus set_gil(PyConfig *py, const wgw_embedded_config_t *config)
{
    (void)py, (void)config; /* this build always has one */
    return PyStatus_Ok();
}
#endif

static PyStatus initialise(const wgw_embedded_config_t *config)
{
    PyConfig py;

    PyConfig_InitPythonConfig(&py);
    set_options(&py, config);
    PyStatus status = set_home(&py, config->python_home);
    if (!PyStatus_Exception(status))
        status = set_warnings(&py, config);
    if (!PyStatus_Exception(status))
        status = set_gil(&py, config);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&py);
    PyConfig_Clear(&py);
    return status;
}

/* --- its life ------------------------------------------------------------------------- */

static wgw_bridge_t *start(const wgw_embedded_config_t *config)
{
    const wgw_log_sink_t *sink = &config->bridge.sink;

    if (wgw_bridge_register() < 0)
        return NULL;
    PyStatus status = initialise(config);
    if (PyStatus_Exception(status)) {
        wgw_log(sink, WGW_LOG_CRIT,
                WGWNO(0001) "Python %s could not be started%s%s: %s; requests get 500",
                WGW_PYTHON_VERSION, config->python_home ? " with WSGIPythonHome " : "",
                config->python_home ? config->python_home : "",
                status.err_msg ? status.err_msg : "it asked to exit");
        return NULL;
    }
    wgw_log(sink, WGW_LOG_INFO, WGWNO(0002) "Python %s started", WGW_PYTHON_VERSION);
    return wgw_bridge_create(&config->bridge);
}

static void preload(wgw_bridge_t *bridge, const wgw_embedded_config_t *config)
{
    for (size_t i = 0; i < config->preload_count; i++)
        wgw_bridge_preload(bridge, &config->preloads[i]);
}

/* Where a daemon thread of a sub-interpreter is left, or `keeps` says so, the interpreter is not
 * ended, but kept attached for ever: no other thread can run Python any more while the process exits. */
static bool stop(wgw_bridge_t *bridge, PyThreadState *tstate, bool keeps, wgw_deadline_t deadline)
{
    if (!wgw_bridge_drain(bridge, deadline))
        return false;
    PyEval_RestoreThread(tstate);
    if (keeps)
        wgw_bridge_seize_interpreters(bridge);
    else if (wgw_bridge_end_interpreters(bridge))
        Py_FinalizeEx();
    return true;
}

static bool run(const wgw_embedded_config_t *config)
{
    wgw_bridge_t *bridge = start(config);
    PyThreadState *tstate = Py_IsInitialized() ? PyEval_SaveThread() : NULL;

    config->on_ready(config->ctx, bridge);
    if (bridge)
        preload(bridge, config);
    wgw_deadline_t deadline = config->wait_for_stop(config->ctx);
    return bridge ? stop(bridge, tstate, config->keeps_interpreters, deadline) : true;
}

__attribute__((visibility("default"))) extern const wgw_embedded_api_t wgw_embedded_api;

const wgw_embedded_api_t wgw_embedded_api = {
    .abi = WGW_EMBEDDED_ABI,
    .run = run,
    .handle = wgw_bridge_handle,
    .is_inside = wgw_bridge_is_inside,
};
