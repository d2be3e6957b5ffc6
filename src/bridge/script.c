/* From a target to the application that is called: what is loaded already is
 * found here; loading, and remembering what failed, is in wsgigw.py. */
#include <string.h>

#include "bridge/call.h"

/* A script or module of one interpreter. wsgigw.py writes its fields. */
typedef struct {
    PyObject_HEAD
    PyObject *namespace; /* its __dict__; NULL until it was loaded once */
    PyObject *lock;      /* threading.Lock, held while it is loaded */
    PyObject *failure;   /* what wsgigw.py remembers of the last failure, or None */
    PyObject *key;       /* path, or "module:NAME" */
    int told;            /* 1: that it has been loaded; 2: that it has the callable of a request */
    unsigned long long dev, ino; /* of the file that was loaded */
    long long mtime_us, size;
} script_t;

static bool is_same_file(const script_t *script, const wgw_file_id_t *file)
{
    return script->ino == file->ino && script->dev == file->dev &&
           script->mtime_us == file->mtime_us && script->size == file->size;
}

static bool is_current(const script_t *script, const wgw_target_t *target)
{
    return script->namespace &&
           (!target->script || !target->is_reloading || is_same_file(script, &target->file));
}

/* --- the type ------------------------------------------------------------------------- */

static int script_traverse(PyObject *object, visitproc visit, void *arg)
{
    script_t *self = (script_t *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->namespace);
    Py_VISIT(self->lock);
    Py_VISIT(self->failure);
    Py_VISIT(self->key);
    return 0;
}

static int script_clear(PyObject *object)
{
    script_t *self = (script_t *)object;

    Py_CLEAR(self->namespace);
    Py_CLEAR(self->lock);
    Py_CLEAR(self->failure);
    Py_CLEAR(self->key);
    return 0;
}

static void script_dealloc(PyObject *object)
{
    wgw_py_dealloc_collected(object, script_clear);
}

PyTypeObject *wgw_py_script_type(PyObject *module)
{
    static PyMemberDef members[] = {
        { "namespace", T_OBJECT, offsetof(script_t, namespace), 0, NULL },
        { "lock", T_OBJECT, offsetof(script_t, lock), 0, NULL },
        { "failure", T_OBJECT, offsetof(script_t, failure), 0, NULL },
        { "key", T_OBJECT, offsetof(script_t, key), 0, NULL },
        { "dev", T_ULONGLONG, offsetof(script_t, dev), 0, NULL },
        { "ino", T_ULONGLONG, offsetof(script_t, ino), 0, NULL },
        { "mtime_us", T_LONGLONG, offsetof(script_t, mtime_us), 0, NULL },
        { "size", T_LONGLONG, offsetof(script_t, size), 0, NULL },
        { 0 }
    };
    static PyType_Slot slots[] = {
        { Py_tp_doc, "A script or module that holds applications." },
        { Py_tp_traverse, script_traverse },
        { Py_tp_clear, script_clear },
        { Py_tp_dealloc, script_dealloc },
        { Py_tp_members, members },
        { 0, NULL }
    };
    static PyType_Spec spec = { "_wsgigw.Script", sizeof(script_t), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots };

    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

/* --- finding -------------------------------------------------------------------------- */

static PyObject *key_of(const wgw_target_t *target)
{
    return target->script ? PyUnicode_DecodeFSDefault(target->script)
                          : PyUnicode_FromFormat("module:%s", target->module);
}

/* Returns: borrowed from state->scripts; NULL with an exception set. */
static script_t *find_script(wgw_py_state_t *state, PyObject *key)
{
    script_t *script = (script_t *)PyDict_GetItemWithError(state->scripts, key);

    if (script || PyErr_Occurred())
        return script;
    PyObject *made = wgw_py_helper(state, "_new_script", key, NULL);
    /* Another thread may have made one while this one ran Python. */
    script = made ? (script_t *)PyObject_CallMethod(state->scripts, "setdefault", "OO", key, made)
                  : NULL;
    Py_XDECREF(made);
    Py_XDECREF((PyObject *)script); /* the dict holds it, for good */
    return script;
}

static int load(wgw_py_state_t *state, script_t *script, const wgw_target_t *target,
                wgw_deadline_t deadline)
{
    const wgw_file_id_t *file = &target->file;
    PyObject *seen = target->script && target->is_reloading
        ? Py_BuildValue("(KKLL)", (unsigned long long)file->dev, (unsigned long long)file->ino,
                        (long long)file->mtime_us, (long long)file->size)
        : Py_NewRef(Py_None);
    PyObject *wait = PyFloat_FromDouble((double)wgw_deadline_left_us(deadline) / 1e6);
    PyObject *keeps = state->bridge->config->keeps_code ? Py_True : Py_False;

    if (!script->namespace)
        wgw_call_enter(wgw_call_current());
    PyObject *done = seen && wait
        ? wgw_py_helper(state, "_load", (PyObject *)script, seen, wait, keeps, NULL) : NULL;

    Py_XDECREF(seen);
    Py_XDECREF(wait);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Returns: new reference; None where there need be none; NULL with an exception set. */
static PyObject *find_callable(wgw_py_state_t *state, script_t *script, const char *name,
                               bool is_optional)
{
    PyObject *key = PyUnicode_DecodeFSDefault(name);
    PyObject *found = key ? PyDict_GetItemWithError(script->namespace, key) : NULL;

    if (found && PyCallable_Check(found))
        Py_INCREF(found);
    else if (key && !found && is_optional && !PyErr_Occurred())
        found = Py_NewRef(Py_None);
    else if (key && !PyErr_Occurred())
        found = wgw_py_helper(state, "_find_callable", (PyObject *)script, key, NULL);
    Py_XDECREF(key);
    return found;
}

/* The status that a _Refused exception carries; anything else is a fault of ours. */
static int status_of_exception(wgw_py_state_t *state)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *status = value ? PyObject_GetAttrString(value, "http_status") : NULL;
    long number = status ? PyLong_AsLong(status) : -1;
    if (number < 0) {
        PyErr_Clear();
        wgw_py_log(state, wgw_call_current(), WGW_LOG_CRIT,
                   WGWNO(0007) "loading a script failed inside mod_wsgigw; please report this");
        PyErr_Restore(Py_XNewRef(type), Py_XNewRef(value), Py_XNewRef(traceback));
        PyErr_WriteUnraisable(NULL);
        number = 500;
    }
    Py_XDECREF(status);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return (int)number;
}

static void tell_loaded(const wgw_py_state_t *state, script_t *script, const wgw_target_t *target)
{
    wgw_target_t needed = *target;

    if (target->is_optional)
        needed.callable = NULL; /* new code need not have it, either */
    int fact = needed.callable ? 2 : 1;
    if (script->told >= fact)
        return;
    script->told = fact;
    if (state->bridge->config->on_loaded)
        state->bridge->config->on_loaded(&needed);
}

PyObject *wgw_py_script_find(wgw_py_state_t *state, const wgw_target_t *target,
                             wgw_deadline_t deadline, int *http_status_out)
{
    PyObject *key = key_of(target);
    script_t *script = key ? find_script(state, key) : NULL;
    PyObject *application = NULL;

    if (script && (is_current(script, target) || load(state, script, target, deadline) == 0))
        application = target->callable ? find_callable(state, script, target->callable,
                                                     target->is_optional)
                                       : Py_NewRef(Py_None);
    if (!application)
        *http_status_out = status_of_exception(state);
    else
        tell_loaded(state, script, target);
    if (!application && *http_status_out != WGW_BRIDGE_STALE && state->bridge->config->on_unloaded)
        state->bridge->config->on_unloaded();
    Py_XDECREF(key);
    return application;
}

bool wgw_bridge_preload(wgw_bridge_t *bridge, const wgw_preload_t *preload)
{
    const wgw_target_t *target = &preload->target;
    wgw_deadline_t deadline = wgw_deadline_in_us(60 * 1000000);
    wgw_thread_t *thread;
    int http_status;

    if (wgw_bridge_enter(bridge, target->group, deadline, &thread) != 0)
        return false;
    wgw_log_stream_set_sink(&preload->sink);
    PyObject *found = wgw_py_script_find(thread->interp->state, target, deadline, &http_status);
    bool is_loaded = found != NULL;
    Py_XDECREF(found);
    wgw_log_stream_set_sink(NULL);
    PyEval_SaveThread();
    wgw_bridge_exit(thread);
    return is_loaded;
}
