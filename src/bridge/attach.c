/* Attaching operating system threads to interpreters, and knowing who is inside.
 * Must not know what a thread does while it is attached. */
#include "bridge/attach.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/interp.h"

static __thread wgw_thread_t *threads_here; /* of the calling OS thread */
static __thread int depth_here;             /* how many requests it is inside */
static __thread long number_here;           /* 0: it has served none */
static __thread wgw_spot_t *spot_here;    /* where to note that, or NULL */
static pthread_key_t exit_key;
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;

bool wgw_bridge_is_inside(void)
{
    return depth_here > 0;
}

/* --- counting in and out -------------------------------------------------------------- */

static void count_out(wgw_bridge_t *bridge)
{
    if (atomic_fetch_sub(&bridge->active_count, 1) != 1 || !atomic_load(&bridge->is_draining))
        return;
    pthread_mutex_lock(&bridge->lock);
    pthread_cond_broadcast(&bridge->idle);
    pthread_mutex_unlock(&bridge->lock);
}

static bool count_in(wgw_bridge_t *bridge)
{
    atomic_fetch_add(&bridge->active_count, 1);
    if (!atomic_load(&bridge->is_draining))
        return true;
    count_out(bridge);
    return false;
}

bool wgw_bridge_drain(wgw_bridge_t *bridge, wgw_deadline_t deadline)
{
    struct timespec until = wgw_deadline_timespec(deadline);
    int rc = 0;

    atomic_store(&bridge->is_draining, true);
    pthread_mutex_lock(&bridge->lock);
    while (atomic_load(&bridge->active_count) > 0 && rc == 0)
        rc = pthread_cond_clockwait(&bridge->idle, &bridge->lock, CLOCK_MONOTONIC, &until);
    bool is_empty = atomic_load(&bridge->active_count) == 0;
    pthread_mutex_unlock(&bridge->lock);
    return is_empty;
}

/* --- the records of threads ----------------------------------------------------------- */

static void unlink_from_interp(wgw_thread_t *thread)
{
    wgw_bridge_t *bridge = thread->interp->bridge;
    wgw_thread_t **at = &thread->interp->threads;

    pthread_mutex_lock(&bridge->lock);
    while (*at && *at != thread)
        at = &(*at)->next_in_interp;
    if (*at)
        *at = thread->next_in_interp;
    pthread_mutex_unlock(&bridge->lock);
}

void wgw_py_thread_clear(wgw_thread_t *thread)
{
    for (int key = 0; key < WGW_KEY_COUNT; key++)
        Py_CLEAR(thread->memo[key]);
}

/* Free a record that is in no list of its interpreter any more. */
static void free_thread(wgw_thread_t *thread)
{
    wgw_buffer_deinit(&thread->head);
    wgw_buffer_deinit(&thread->body);
    free(thread);
}

/* At the end of an OS thread: give back what it has in each interpreter, unless the
 * interpreters are being ended, which then does it. */
static void release_threads(void *first)
{
    wgw_thread_t *thread = first;

    while (thread) {
        wgw_thread_t *next = thread->next_here;
        wgw_bridge_t *bridge = thread->interp->bridge;
        if (count_in(bridge)) {
            unlink_from_interp(thread);
            PyEval_RestoreThread(thread->tstate);
            wgw_py_thread_clear(thread);
            PyThreadState_Clear(thread->tstate);
            PyEval_ReleaseThread(thread->tstate);
            PyThreadState_Delete(thread->tstate);
            free_thread(thread);
            count_out(bridge);
        }
        thread = next;
    }
}

static void make_exit_key(void)
{
    pthread_key_create(&exit_key, release_threads);
}

static wgw_thread_t *add_thread(wgw_interp_t *interp)
{
    wgw_bridge_t *bridge = interp->bridge;
    wgw_thread_t *thread = calloc(1, sizeof *thread);

    if (!thread)
        return NULL;
    thread->interp = interp;
    thread->tstate = PyThreadState_New(interp->istate);
    if (!thread->tstate) {
        free(thread);
        return NULL;
    }
    thread->next_here = threads_here;
    threads_here = thread;
    pthread_once(&exit_key_once, make_exit_key);
    pthread_setspecific(exit_key, threads_here);

    pthread_mutex_lock(&bridge->lock);
    thread->next_in_interp = interp->threads;
    interp->threads = thread;
    pthread_mutex_unlock(&bridge->lock);
    return thread;
}

static wgw_thread_t *find_thread(const wgw_interp_t *interp)
{
    wgw_thread_t *thread = threads_here;

    while (thread && thread->interp != interp)
        thread = thread->next_here;
    return thread;
}

/* The first thread state of an OS thread is the one that PyGILState_Ensure() takes, and
 * extensions that call it are to find the main interpreter, which %{GLOBAL} promises them. */
wgw_thread_t *wgw_thread_here(wgw_interp_t *interp)
{
    wgw_thread_t *thread = find_thread(interp);

    if (thread)
        return thread;
    if (!threads_here && !interp->is_main && !add_thread(wgw_interp_main(interp->bridge)))
        return NULL;
    return add_thread(interp);
}

/* --- entering ------------------------------------------------------------------------- */

int wgw_bridge_enter(wgw_bridge_t *bridge, const char *group, wgw_deadline_t deadline,
                     wgw_thread_t **thread_out)
{
    int http_status = 0;

    if (!count_in(bridge))
        return 503;
    depth_here++;
    wgw_interp_t *interp = wgw_interp_find(bridge, group, deadline, &http_status);
    wgw_thread_t *thread = interp ? wgw_thread_here(interp) : NULL;
    if (!thread) {
        depth_here--;
        count_out(bridge);
        return http_status ? http_status : 500;
    }
    if (!number_here)
        number_here = atomic_fetch_add(&bridge->thread_count, 1) + 1;
    thread->number = number_here;
    if (spot_here)
        atomic_store(&spot_here->interp, interp);
    PyEval_RestoreThread(thread->tstate);
    *thread_out = thread;
    return 0;
}

void wgw_bridge_exit(wgw_thread_t *thread)
{
    depth_here--;
    count_out(thread->interp->bridge);
}

/* --- being watched -------------------------------------------------------------------- */

void wgw_bridge_set_spot(wgw_spot_t *spot)
{
    spot->ident = (unsigned long)pthread_self();
    spot_here = spot;
}

void wgw_py_spot_enter(void)
{
    if (spot_here && depth_here == 1)
        spot_here->is_in_call = true;
}

/* An interrupt that has not been raised yet must not be raised in the next request. */
void wgw_py_spot_leave(void)
{
    if (!spot_here || depth_here != 1)
        return;
    spot_here->is_in_call = false;
    if (spot_here->is_interrupted)
        PyThreadState_SetAsyncExc(spot_here->ident, NULL);
    spot_here->is_interrupted = false;
}

bool wgw_py_interrupt(wgw_spot_t *spot)
{
    const wgw_interp_t *interp = atomic_load(&spot->interp);

    if (!spot->is_in_call)
        return false;
    spot->is_interrupted = true;
    return PyThreadState_SetAsyncExc(spot->ident, interp->state->request_timeout) == 1;
}

/* --- watching ------------------------------------------------------------------------- */

bool wgw_bridge_visit(wgw_interp_t *interp, void (*call)(void *ctx), void *ctx)
{
    if (!count_in(interp->bridge))
        return false;
    wgw_thread_t *thread = wgw_thread_here(interp);
    if (thread) {
        PyEval_RestoreThread(thread->tstate);
        call(ctx);
        PyEval_SaveThread();
    }
    count_out(interp->bridge);
    return thread != NULL;
}

bool wgw_bridge_enroll(wgw_interp_t *interp)
{
    if (!count_in(interp->bridge))
        return false;
    bool is_enrolled = add_thread(interp) != NULL;
    count_out(interp->bridge);
    return is_enrolled;
}
