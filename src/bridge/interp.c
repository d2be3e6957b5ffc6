/* Application groups: one interpreter each, the main one for "" and for the
 * group that the configuration singles out (DESIGN section 8). Their number is
 * bounded, because a client's Host header may name them. */
#include "bridge/interp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bridge/layer.h"
#include "bridge/subinterp.h"

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

wgw_interp_t *wgw_bridge_gil(wgw_interp_t *interp)
{
    return interp->owns_gil ? interp : wgw_interp_main(interp->bridge);
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

static bool call_set_up(wgw_interp_t *interp)
{
    const wgw_bridge_config_t *config = interp->bridge->config;
    bool is_single = !*interp->group && config->main_group;
    PyObject *process = PyUnicode_FromString(config->process_group);
    PyObject *group = PyUnicode_DecodeFSDefault(is_single ? config->main_group : interp->group);
    PyObject *folders = wgw_py_layer_python_path(interp);
    PyObject *done = process && group && folders
        ? wgw_py_helper(interp->state, "_set_up", process, group, folders,
                        interp->owns_gil ? Py_True : Py_False, NULL) : NULL;

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
    if (interp->state && call_set_up(interp) && wgw_py_layer_set_switch_interval(interp))
        return true;
    PyErr_WriteUnraisable(NULL); /* our own log stream may not exist yet */
    return false;
}

/* Context: detached, wgw_bridge_t.making held. */
static wgw_interp_t *make(wgw_bridge_t *bridge, const char *group)
{
    wgw_interp_t *interp = interp_new(bridge, group);
    wgw_thread_t *main_thread = wgw_thread_here(wgw_interp_main(bridge));
    const char *wrong;

    if (!interp || !main_thread) {
        interp_free(interp);
        return NULL;
    }
    interp->owns_gil = wgw_layer_wants_own_gil(bridge->config, group) &&
                       wgw_py_subinterp_can_own_gil();
    PyEval_RestoreThread(main_thread->tstate);
    interp->keeper = wgw_py_subinterp_new(interp->owns_gil, &wrong);
    bool is_ready = interp->keeper && set_up(interp);
    PyEval_SaveThread();
    if (!interp->keeper) {
        wgw_log(&bridge->config->sink, WGW_LOG_ERR,
                WGWNO(0005) "no interpreter could be made for application group '%s' (%s)", group,
                wrong);
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
                !interp->state ? "could not be set up, see the lines before; its requests get 500"
                : interp->owns_gil ? "started, with a GIL of its own" : "started");
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

void wgw_bridge_say_gil(const wgw_bridge_config_t *config)
{
    if (wgw_layer_may_want_own_gil(config) && !wgw_py_subinterp_can_own_gil())
        wgw_log(&config->sink, WGW_LOG_WARN,
                WGWNO(0181) "WSGIPerInterpreterGIL has no effect on process group '%s': Python %lu.%lu "
                "cannot give an interpreter a GIL of its own, so all share one. Use Python 3.12 to "
                "3.14, or more processes", config->process_group, Py_Version >> 24,
                Py_Version >> 16 & 0xff);
}

/* --- beginning ------------------------------------------------------------------------- */

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
    interp->is_main = interp->owns_gil = true;
    if (!set_up(interp)) {
        interp->state = NULL; /* published all the same: requests for it get 500 */
        wgw_log(&config->sink, WGW_LOG_CRIT,
                WGWNO(0006) "the main interpreter could not be set up; see the lines before");
    }
    publish(bridge, interp);
    return bridge;
}

/* --- an interpreter that is not ended ------------------------------------------------- */

static void *run_seizer(void *ctx)
{
    wgw_interp_t *interp = ctx;
    wgw_thread_t *thread = wgw_thread_here(interp);

    if (thread) {
        PyEval_RestoreThread(thread->tstate);
        atomic_store(&interp->is_seized, true);
    }
    for (;;) /* until the process is gone */
        pause();
    return NULL;
}

/* What shares the caller's GIL stands still while the caller keeps that. Of another GIL a thread
 * takes hold, unless somebody keeps it. */
static void seize(wgw_interp_t *interp)
{
    static const struct timespec PAUSE = { .tv_nsec = 1000000 };
    wgw_deadline_t limit = wgw_deadline_in_us(1000000);
    pthread_t thread;

    if (interp->is_main || !interp->owns_gil ||
        pthread_create(&thread, NULL, run_seizer, interp) != 0)
        return;
    pthread_detach(thread);
    while (!atomic_load(&interp->is_seized) && wgw_deadline_left_us(limit) > 0)
        nanosleep(&PAUSE, NULL);
}

void wgw_bridge_seize_interpreters(wgw_bridge_t *bridge)
{
    for (wgw_interp_t *i = atomic_load(&bridge->interps); i; i = i->next)
        seize(i);
}

/* --- ending --------------------------------------------------------------------------- */

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

/* Let `atexit` and threading of the attached interpreter finish; `stays`: it is not ended then.
 * Returns: false when threads of the application are left. */
static bool wind_up(wgw_interp_t *interp, bool stays)
{
    PyObject *is_quiet = wgw_py_helper(interp->state, "_wind_up", interp->is_main ? Py_True : Py_False,
                                       stays ? Py_True : Py_False, NULL);

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
            seize(i);
            continue;
        }
        PyThreadState_Swap(tstate);
        if (wind_up_other(i)) {
            delete_threads(i);
            end_interpreter(tstate, main_tstate);
        } else {
            is_quiet = false;
            PyThreadState_Swap(main_tstate);
            seize(i);
        }
    }
    wgw_interp_t *main_interp = wgw_interp_main(bridge);
    if (main_interp->state && !wind_up(main_interp, !is_quiet))
        is_quiet = false;
    return is_quiet;
}
