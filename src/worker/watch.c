/* A dump reads the frames of running threads. Where the interpreter is to be had, its visitor has it
 * meanwhile, so that none runs; where it is not, whoever has it does not run Python either, as a
 * rule. faulthandler dumps the interpreter of the thread that it is called in, and on 3.11 that is
 * the first one that this has been a thread of: hence a new thread for each. */
#include "worker/watch.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bridge/python.h"
#include "worker/io.h"
#include "worker/log.h"
#include "worker/task.h"
#include "worker/trace.h"
#include "worker/visit.h"
#include "worker/worker.h"

#define SECOND_US INT64_C(1000000)
#define QUIET_US (10 * SECOND_US)  /* after all stacks were logged, only those that are asked for */
enum { DUMP_MOST = 1 << 20 };      /* bytes that are read of one */

/* Real-time signals are taken from the lower end by the C library and by most others. */
#define DUMP_SIGNAL (SIGRTMAX - 5)

/* What an attendant is to log: a request that is late, or (slot NULL) an interpreter. */
typedef struct job_t {
    struct job_t *next;
    wgw_interp_t *interp;
    wgw_slot_t *slot;
    uint64_t serial;
    int64_t ends_us;
    char line[WGW_REQUEST_LINE_SIZE];
    char log_id[WGW_LOG_ID_SIZE];
} job_t;

static struct {
    wgw_slot_t *slots;         /* of each thread; NULL where requests have no end */
    int dump;                  /* memory that faulthandler writes to; -1 none */

    pthread_mutex_t lock;      /* for what follows */
    job_t *jobs;               /* for the attendant */
    bool has_attendant;
    /* The attendant's. */
    int64_t said_us;           /* when all stacks were last logged */
} watch = { .dump = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- a dump --------------------------------------------------------------------------- */

/* The handler runs here, before pthread_kill() returns. If the application has taken it away, the
 * signal would end the process. */
static void call_faulthandler(void)
{
    struct sigaction action;
    sigset_t one;

    if (sigaction(DUMP_SIGNAL, NULL, &action) != 0 || action.sa_handler == SIG_DFL)
        return;
    sigemptyset(&one);
    sigaddset(&one, DUMP_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    pthread_kill(pthread_self(), DUMP_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
}

/* Returns: what Python's threads in an interpreter are doing, *len_out bytes, to be freed; NULL. */
static char *take_dump(wgw_interp_t *interp, bool may_hold, size_t *len_out)
{
    char *text = watch.dump >= 0 ? malloc(DUMP_MOST) : NULL;

    if (!text || ftruncate(watch.dump, 0) != 0 || lseek(watch.dump, 0, SEEK_SET) != 0) {
        free(text);
        return NULL;
    }
    if (may_hold)
        wgw_visit_hold(interp);
    if (wgw_bridge_enroll(interp))
        call_faulthandler();
    wgw_visit_let_go();
    ssize_t len = pread(watch.dump, text, DUMP_MOST, 0);
    *len_out = len > 0 ? (size_t)len : 0;
    return text;
}

/* --- the log -------------------------------------------------------------------------- */

/* A dump is longer than the pipe: wait a moment for the supervisor to read. */
static void write_line(const char *text, size_t len)
{
    enum { PATIENCE_MS = 100 };
    struct pollfd one = { .fd = STDERR_FILENO, .events = POLLOUT };

    poll(&one, 1, PATIENCE_MS);
    wgw_wrk_log.write(wgw_wrk_log.ctx, WGW_LOG_ERR, text, len);
}

static void log_lines(const wgw_trace_t *trace)
{
    const char *at = trace->lines, *end = at + trace->len, *line;

    while (at < end) {
        size_t len = wgw_trace_line(&at, end, &line);
        write_line(line, len);
    }
}

/* Returns: 0 it is no thread that serves requests. */
static pid_t tid_of(unsigned long ident)
{
    for (uint32_t i = 0; watch.slots && i < wgw_wrk.spec.thread_count; i++)
        if (watch.slots[i].spot.ident == ident)
            return watch.slots[i].tid;
    return 0;
}

static void log_trace(const wgw_trace_t *trace, const char *of)
{
    char line[256], what[160];
    pid_t tid = tid_of(trace->ident);
    int len = snprintf(line, sizeof line, "Thread 0x%016lx%s%s%s", trace->ident, of,
                       tid ? ", " : "", tid ? wgw_task_describe(tid, what, sizeof what) : "");

    write_line(line, (size_t)len);
    log_lines(trace);
}

/* The thread `first` first; the others, those in Python, only if `is_whole`. */
static void log_dump(const char *text, size_t len, unsigned long first, bool is_whole)
{
    const char *at = text, *end = text + len;
    unsigned idle_count = 0;
    wgw_trace_t trace;
    char line[80];

    while (first && wgw_trace_next(&at, end, &trace))
        if (trace.ident == first && trace.is_in_python)
            log_trace(&trace, " of this request");
    for (at = text; is_whole && wgw_trace_next(&at, end, &trace);) {
        if (trace.is_in_python && trace.ident != first)
            log_trace(&trace, "");
        idle_count += !trace.is_in_python;
    }
    int count = is_whole ? snprintf(line, sizeof line, "and %u threads that are not in Python",
                                    idle_count) : 0;
    if (count)
        write_line(line, (size_t)count);
}

static const char *effect_of(const job_t *job)
{
    if (!wgw_slot_is_in(job->slot, job->serial))
        return "has ended meanwhile";
    return wgw_wrk.spec.interrupt_timeout_us
        ? "is interrupted by wsgigw.RequestTimeout"
        : "gets 504, or is cut, and this process is replaced once its other requests are done";
}

static void log_request(const job_t *job, const char *text, size_t len)
{
    int64_t now_us = wgw_now_us();
    double age_s = (double)(now_us - job->ends_us + (int64_t)wgw_wrk.spec.request_timeout_us) / 1e6;
    bool is_in = wgw_slot_is_in(job->slot, job->serial), is_whole = now_us - watch.said_us > QUIET_US;

    wgw_log(&wgw_wrk_log, WGW_LOG_ERR,
            WGWNO(0152) "'%s' (request %s) has been running for %.1f s in process %d of pool '%s', "
            "thread 0x%016lx, application group '%s' (request-timeout): it %s%s", job->line,
            job->log_id, age_s, (int)getpid(), wgw_wrk.spec.process_group,
            job->slot->spot.ident, wgw_bridge_group(job->interp), effect_of(job),
            !is_in ? "" : !text || !len ? "; its stacks cannot be had" : "; stacks, innermost first:");
    if (is_in && text && len) {
        log_dump(text, len, job->slot->spot.ident, is_whole);
        watch.said_us = is_whole ? now_us : watch.said_us;
    }
}

static void log_deadlock(const job_t *job, const char *text, size_t len)
{
    bool is_main = job->interp == wgw_bridge_first(wgw_wrk.bridge);

    if (wgw_bridge_gil(job->interp) == job->interp)
        wgw_log(&wgw_wrk_log, WGW_LOG_ERR,
                WGWNO(0154) "no thread of process %d of pool '%s' could have the interpreter%s%s%s for "
                "more than %.1f s (deadlock-timeout): the process is replaced; stacks, innermost first:",
                (int)getpid(), wgw_wrk.spec.process_group, is_main ? "" : " of application group '",
                is_main ? "" : wgw_bridge_group(job->interp), is_main ? "" : "'",
                (double)wgw_wrk.spec.deadlock_timeout_us / 1e6);
    else
        wgw_log(&wgw_wrk_log, WGW_LOG_ERR, "application group '%s' of process %d:",
                wgw_bridge_group(job->interp), (int)getpid());
    if (text)
        log_dump(text, len, 0, true);
}

/* --- the attendant -------------------------------------------------------------------- */

/* Returns: the jobs of the interpreter that is first in the list. */
static job_t *take_jobs(void)
{
    job_t *taken = NULL, **to = &taken;

    pthread_mutex_lock(&watch.lock);
    wgw_interp_t *interp = watch.jobs ? watch.jobs->interp : NULL;
    for (job_t **at = &watch.jobs; *at;) {
        job_t *job = *at;
        if (job->interp != interp) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        *to = job;
        to = &job->next;
        job->next = NULL;
    }
    pthread_mutex_unlock(&watch.lock);
    return taken;
}

static void *run_attendant(void *unused);

/* A thread for the next interpreter, if one is waiting. */
static void go_on(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.has_attendant = watch.jobs && wgw_wrk_start_thread(run_attendant, NULL);
    pthread_mutex_unlock(&watch.lock);
}

static void ask_for_interrupts(const job_t *jobs)
{
    if (!wgw_wrk.spec.interrupt_timeout_us)
        return;
    for (const job_t *job = jobs; job; job = job->next)
        if (job->slot)
            atomic_store(&job->slot->to_interrupt, job->serial);
    wgw_visit_call();
}

static void *run_attendant(void *unused)
{
    job_t *jobs = take_jobs(), *next;
    size_t len = 0;

    (void)unused;
    char *text = jobs ? take_dump(jobs->interp, jobs->slot != NULL, &len) : NULL;
    ask_for_interrupts(jobs);
    for (job_t *job = jobs; job; job = next) {
        next = job->next;
        if (job->slot)
            log_request(job, text, len);
        else
            log_deadlock(job, text, len);
        free(job);
    }
    free(text);
    go_on();
    return NULL; /* what it has in the interpreter is given back when that is to be had */
}

static void add_job(const job_t *from)
{
    job_t *job = malloc(sizeof *job), **at = &watch.jobs;

    if (!job)
        return;
    *job = *from;
    pthread_mutex_lock(&watch.lock);
    while (*at)
        at = &(*at)->next;
    *at = job;
    if (!watch.has_attendant)
        watch.has_attendant = wgw_wrk_start_thread(run_attendant, NULL);
    pthread_mutex_unlock(&watch.lock);
}

/* --- looking, in the I/O thread ------------------------------------------------------- */

static void copy_text(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    out[size - 1] = '\0';
}

static void on_late(wgw_slot_t *slot)
{
    uint32_t number = atomic_load(&slot->entry);
    wgw_interp_t *interp = atomic_load(&slot->spot.interp);
    job_t job = { .slot = slot, .serial = slot->seen, .ends_us = atomic_load(&slot->ends_us),
                  .interp = interp ? interp : wgw_bridge_first(wgw_wrk.bridge) };

    if (number < wgw_wrk.entry_count) {
        copy_text(job.line, wgw_wrk.entries[number].line, sizeof job.line);
        copy_text(job.log_id, wgw_wrk.entries[number].log_id, sizeof job.log_id);
    }
    if (wgw_slot_is_in(slot, slot->seen))
        add_job(&job);
}

static bool is_attended(void)
{
    pthread_mutex_lock(&watch.lock);
    bool is_attended = watch.has_attendant;
    pthread_mutex_unlock(&watch.lock);
    return is_attended;
}

/* Nothing is left but requests that have had their time: nobody waits for them any more. Their
 * stacks are logged first, which is bounded. */
static void end_if_all_overdue(int overdue_count)
{
    if (!atomic_load(&wgw_wrk.is_refusing) || !overdue_count ||
        atomic_load(&wgw_wrk.busy_count) > overdue_count || is_attended())
        return;
    wgw_log(&wgw_wrk_log, WGW_LOG_NOTICE,
            WGWNO(0153) "this process has done all but %d requests that have had their time "
            "(request-timeout): it ends without them", overdue_count);
    _exit(WGW_EXIT_OVERDUE);
}

/* Returns: how many are overdue. */
static int look_at_requests(int64_t now_us, int64_t *wake_us)
{
    int64_t grace_us = (int64_t)wgw_wrk.spec.interrupt_timeout_us;
    int overdue_count = 0;

    for (uint32_t i = 0; i < wgw_wrk.spec.thread_count; i++) {
        wgw_slot_t *slot = &watch.slots[i];
        while (wgw_slot_look(slot, now_us, grace_us, wake_us)) {
            if (slot->stage == WGW_SLOT_LATE)
                on_late(slot);
            else
                wgw_wrk_want(WGW_CAUSE_REQUEST_TIMEOUT);
        }
        overdue_count += slot->stage == WGW_SLOT_OVERDUE && wgw_slot_is_in(slot, slot->seen);
    }
    return overdue_count;
}

/* A request may begin at any time, and with little time left, without telling this thread. */
static int64_t round_us(void)
{
    const int64_t shortest_us = 5000;
    int64_t round_us = (int64_t)wgw_wrk.spec.request_timeout_us / 4;
    int64_t most_us = atomic_load(&wgw_wrk.is_refusing) ? SECOND_US / 10 : SECOND_US;

    return round_us < shortest_us ? shortest_us : least(round_us, most_us);
}

/* `gil` is not to be had: the interpreters that share it are all concerned. */
static void on_deadlock(wgw_interp_t *gil)
{
    for (wgw_interp_t *i = wgw_bridge_first(wgw_wrk.bridge); i; i = wgw_bridge_next(i))
        if (wgw_bridge_gil(i) == gil)
            add_job(&(job_t){ .interp = i });
    wgw_wrk_want(WGW_CAUSE_DEADLOCK);
}

int64_t wgw_watch_look(int64_t now_us)
{
    int64_t wake_us = INT64_MAX;

    if (!wgw_visit_is_begun())
        return wake_us;
    if (watch.slots) {
        wake_us = now_us + round_us();
        end_if_all_overdue(look_at_requests(now_us, &wake_us));
    }
    return least(wake_us, wgw_visit_look(now_us, on_deadlock));
}

/* --- beginning ------------------------------------------------------------------------ */

static bool is_wanted(void)
{
    return wgw_wrk.spec.request_timeout_us || wgw_wrk.spec.deadlock_timeout_us;
}

void wgw_py_watch_init(void)
{
    if (!is_wanted())
        return;
    watch.dump = memfd_create("wsgigw-stacks", MFD_CLOEXEC);
    PyObject *module = watch.dump >= 0 ? PyImport_ImportModule("faulthandler") : NULL;
    PyObject *function = module ? PyObject_GetAttrString(module, "register") : NULL;
    PyObject *args = function ? Py_BuildValue("(ii)", DUMP_SIGNAL, watch.dump) : NULL;
    PyObject *named = args ? Py_BuildValue("{sOsO}", "all_threads", Py_True, "chain", Py_False) : NULL;
    PyObject *done = named ? PyObject_Call(function, args, named) : NULL;

    if (PyErr_Occurred())
        PyErr_WriteUnraisable(NULL);
    Py_XDECREF(done);
    Py_XDECREF(named);
    Py_XDECREF(args);
    Py_XDECREF(function);
    Py_XDECREF(module);
}

void wgw_watch_start(void)
{
    if (!is_wanted())
        return;
    if (wgw_wrk.spec.request_timeout_us)
        watch.slots = calloc(wgw_wrk.spec.thread_count + 1, sizeof *watch.slots);
    wgw_visit_start(watch.slots);
    wgw_io_look_again();
}

wgw_slot_t *wgw_watch_join(uint32_t number)
{
    if (!watch.slots)
        return NULL;
    watch.slots[number].tid = gettid();
    wgw_bridge_set_spot(&watch.slots[number].spot);
    return &watch.slots[number];
}

void wgw_watch_forget(void)
{
    if (watch.dump >= 0)
        close(watch.dump);
    watch.dump = -1;
}
