/* Application groups: one interpreter each, the main one for "" and for the
 * group that the configuration singles out (DESIGN section 8). Their number is
 * bounded, because a client's Host header may name them. */
#include "bridge/interp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static wgw_interp_t *lookup(wgw_bridge_t *bridge, const char *group)
{
    const char *main_group = bridge->config->main_group;

    if (main_group && strcmp(group, main_group) == 0)
        group = "";
    for (wgw_interp_t *i = atomic_load(&bridge->interps); i; i = i->next)
        if (strcmp(i->group, group) == 0)
            return i;
    return NULL;
}

wgw_interp_t *wgw_interp_main(wgw_bridge_t *bridge)
{
    return lookup(bridge, "");
}

/* The list grows at its front, and the main one was its first. */
wgw_interp_t *wgw_bridge_first(wgw_bridge_t *bridge)
{
    return wgw_interp_main(bridge);
}

wgw_interp_t *wgw_bridge_next(const wgw_interp_t *interp)
{
    wgw_interp_t *i = atomic_load(&interp->bridge->interps);

    if (i == interp)
        return NULL;
    while (i->next != interp)
        i = i->next;
    return i;
}

const char *wgw_bridge_group(const wgw_interp_t *interp)
{
    return interp->group;
}

static wgw_interp_t *interp_new(wgw_bridge_t *bridge, const char *group)
{
    wgw_interp_t *interp = calloc(1, sizeof *interp);

    if (!interp)
        return NULL;
    interp->bridge = bridge;
    interp->group = strdup(group);
    if (!interp->group) {
        free(interp);
        return NULL;
    }
    return interp;
}

static void interp_free(wgw_interp_t *interp)
{
    if (interp)
        free(interp->group);
    free(interp);
}

static void publish(wgw_bridge_t *bridge, wgw_interp_t *interp)
{
    interp->next = atomic_load(&bridge->interps);
    atomic_store(&bridge->interps, interp);
    bridge->interp_count++;
}

/* The folders of config->python_path. Returns: new list; NULL with an exception set. */
static PyObject *python_path(const wgw_bridge_config_t *config)
{
    PyObject *folders = PyList_New(0);

    for (size_t i = 0; folders && i < config->python_path_count; i++) {
        PyObject *folder = PyUnicode_DecodeFSDefault(config->python_path[i]);
        if (!folder || PyList_Append(folders, folder) < 0)
            Py_CLEAR(folders);
        Py_XDECREF(folder);
    }
    return folders;
}

static bool call_set_up(wgw_interp_t *interp)
{
    const wgw_bridge_config_t *config = interp->bridge->config;
    bool is_single = !*interp->group && config->main_group;
    PyObject *process = PyUnicode_FromString(config->process_group);
    PyObject *group = PyUnicode_DecodeFSDefault(is_single ? config->main_group : interp->group);
    PyObject *folders = python_path(config);
    PyObject *done = process && group && folders
        ? wgw_py_helper(interp->state, "_set_up", process, group, folders, NULL) : NULL;

    Py_XDECREF(process);
    Py_XDECREF(group);
    Py_XDECREF(folders);
    Py_XDECREF(done);
    return done != NULL;
}

/* Make `wsgigw` and sys.path ready in the attached interpreter. */
static bool set_up(wgw_interp_t *interp)
{
    interp->maker = pthread_self();
    interp->istate = PyInterpreterState_Get();
    interp->state = wgw_py_state_import(interp->bridge);
    if (interp->state && call_set_up(interp))
        return true;
    PyErr_WriteUnraisable(NULL); /* our own log stream may not exist yet */
    return false;
}

/* Context: detached, wgw_bridge_t.making held. */
static wgw_interp_t *make(wgw_bridge_t *bridge, const char *group)
{
    wgw_interp_t *interp = interp_new(bridge, group);
    wgw_thread_t *main_thread = wgw_thread_here(wgw_interp_main(bridge));

    if (!interp || !main_thread) {
        interp_free(interp);
        return NULL;
    }
    PyEval_RestoreThread(main_thread->tstate);
    interp->keeper = Py_NewInterpreter();
    bool is_ready = interp->keeper && set_up(interp);
    PyEval_SaveThread();
    if (!interp->keeper) {
        interp_free(interp);
        return NULL;
    }
    if (!is_ready)
        interp->state = NULL; /* published all the same, so that it is not made again and again */
    publish(bridge, interp);
    return interp;
}

static wgw_interp_t *find_or_make(wgw_bridge_t *bridge, const char *group)
{
    const wgw_log_sink_t *sink = &bridge->config->sink;
    wgw_interp_t *interp = lookup(bridge, group);

    if (interp)
        return interp;
    if (bridge->interp_count >= bridge->config->interpreter_limit) {
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0003) "application group '%s' is refused with 503: this process has %u "
                "interpreters, as many as WSGIApplicationGroupLimit allows",
                group, bridge->interp_count);
        return NULL;
    }
    interp = make(bridge, group);
    if (interp)
        wgw_log(sink, interp->state ? WGW_LOG_INFO : WGW_LOG_ERR,
                WGWNO(0004) "interpreter for application group '%s' %s", group,
                interp->state ? "started" : "could not be set up, see the lines before; its "
                                            "requests get 500");
    else
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0005) "no interpreter could be made for application group '%s' "
                "(out of memory?)", group);
    return interp;
}

wgw_interp_t *wgw_interp_find(wgw_bridge_t *bridge, const char *group, wgw_deadline_t deadline,
                              int *http_status_out)
{
    struct timespec until = wgw_deadline_timespec(deadline);
    wgw_interp_t *interp = lookup(bridge, group);

    if (!interp) {
        if (pthread_mutex_clocklock(&bridge->making, CLOCK_MONOTONIC, &until) != 0) {
            wgw_log(&bridge->config->sink, WGW_LOG_ERR,
                    WGWNO(0017) "application group '%s' gets 503: another interpreter is being "
                    "made, for longer than Timeout", group);
            *http_status_out = 503;
            return NULL;
        }
        interp = find_or_make(bridge, group);
        pthread_mutex_unlock(&bridge->making);
    }
    if (interp && interp->state)
        return interp;
    *http_status_out = interp ? 500 : 503;
    return NULL;
}

/* --- beginning and end ---------------------------------------------------------------- */

static wgw_bridge_t *serving; /* the one bridge of this process */

static void note_fork(void)
{
    serving->is_forked = true;
}

wgw_bridge_t *wgw_bridge_create(const wgw_bridge_config_t *config)
{
    wgw_bridge_t *bridge = calloc(1, sizeof *bridge);

    if (!bridge)
        return NULL;
    bridge->config = config;
    serving = bridge;
    pthread_atfork(NULL, NULL, note_fork);
    pthread_mutex_init(&bridge->making, NULL);
    pthread_mutex_init(&bridge->lock, NULL);
    pthread_cond_init(&bridge->idle, NULL);
    wgw_interp_t *interp = interp_new(bridge, "");
    if (!interp) {
        free(bridge);
        return NULL;
    }
    interp->is_main = true;
    if (!set_up(interp)) {
        interp->state = NULL; /* published all the same: requests for it get 500 */
        wgw_log(&config->sink, WGW_LOG_CRIT,
                WGWNO(0006) "the main interpreter could not be set up; see the lines before");
    }
    publish(bridge, interp);
    return bridge;
}

/* Free the records and thread states that requests have left in an interpreter.
 * Context: attached to it by a thread state that is none of them. */
static void delete_threads(wgw_interp_t *interp)
{
    wgw_thread_t *thread = interp->threads;

    interp->threads = NULL;
    while (thread) {
        wgw_thread_t *next = thread->next_in_interp;
        wgw_py_thread_clear(thread);
        PyThreadState_Clear(thread->tstate);
        PyThreadState_Delete(thread->tstate);
        thread = next; /* the record stays: its OS thread may still look at it */
    }
}

/* Delete the thread state that an interpreter was made with.
 * Context: attached to the interpreter by another one. */
static void delete_keeper(wgw_interp_t *interp)
{
    PyThreadState_Clear(interp->keeper);
    PyThreadState_Delete(interp->keeper);
    interp->keeper = NULL;
}

/* Let `atexit` and threading of the attached interpreter finish.
 * Returns: false when threads of the application are left. */
static bool wind_up(wgw_interp_t *interp, bool ends_anyway)
{
    PyObject *is_quiet = wgw_py_helper(interp->state, "_wind_up",
                                       ends_anyway ? Py_True : Py_False, NULL);

    if (!is_quiet)
        PyErr_WriteUnraisable(NULL);
    Py_XDECREF(is_quiet);
    return is_quiet == Py_True;
}

/* The same for an interpreter that another thread may have made. `threading` takes that one
 * for its main thread and waits for its thread state to go; where it is the calling thread,
 * it insists on finding it. */
static bool wind_up_other(wgw_interp_t *interp)
{
    bool is_maker = pthread_equal(interp->maker, pthread_self());

    if (!is_maker)
        delete_keeper(interp);
    bool is_quiet = wind_up(interp, false);
    if (is_maker)
        delete_keeper(interp);
    return is_quiet;
}

/* End the attached interpreter and attach to the main one again.
 * From 3.12 on Py_EndInterpreter() returns without the GIL, before that with it. */
static void end_interpreter(PyThreadState *tstate, PyThreadState *main_tstate)
{
    Py_EndInterpreter(tstate);
    if (Py_Version >= 0x030c0000)
        PyEval_RestoreThread(main_tstate);
    else
        PyThreadState_Swap(main_tstate);
}

bool wgw_bridge_end_interpreters(wgw_bridge_t *bridge)
{
    PyThreadState *main_tstate = PyThreadState_Get();
    bool is_quiet = true;

    for (wgw_interp_t *i = atomic_load(&bridge->interps); i; i = i->next) {
        if (i->is_main)
            continue;
        PyThreadState *tstate = i->state ? PyThreadState_New(i->istate) : NULL;
        if (!tstate) { /* it was never set up, or there is no memory: left as it is */
            is_quiet = false;
            continue;
        }
        PyThreadState_Swap(tstate);
        if (wind_up_other(i)) {
            delete_threads(i);
            end_interpreter(tstate, main_tstate);
        } else {
            is_quiet = false;
            PyThreadState_Swap(main_tstate);
        }
    }
    wgw_interp_t *main_interp = wgw_interp_main(bridge);
    if (main_interp->state && !wind_up(main_interp, is_quiet))
        is_quiet = false;
    return is_quiet;
}
