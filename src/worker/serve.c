#include "worker/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "bridge/python.h"
#include "worker/conn.h"
#include "worker/io.h"
#include "worker/layer.h"
#include "worker/log.h"
#include "worker/policy.h"
#include "worker/request.h"
#include "worker/title.h"
#include "worker/watch.h"
#include "worker/worker.h"

wgw_wrk_t wgw_wrk = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* --- being idle, and counting --------------------------------------------------------- */

void wgw_wrk_idle(void)
{
    wgw_board_t *board = wgw_wrk.board;

    if (atomic_load(&wgw_wrk.is_refusing))
        return; /* the row may be another process's, if the supervisor was killed */
    atomic_fetch_add(&wgw_wrk.row->idle_count, 1);
    if (atomic_load(&board->waiting_count) <= 0)
        return;
    atomic_fetch_add(&board->idle_seq, 1);
    syscall(SYS_futex, &board->idle_seq, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void wgw_wrk_count_inside(void)
{
    atomic_fetch_add(&wgw_wrk.row->inside_count, 1);
}

void wgw_wrk_count_outside(void)
{
    if (!atomic_load(&wgw_wrk.is_refusing))
        atomic_fetch_sub(&wgw_wrk.row->inside_count, 1);
}

void wgw_wrk_count_in(void)
{
    atomic_fetch_add(&wgw_wrk.busy_count, 1);
}

static void tell_change(void)
{
    pthread_mutex_lock(&wgw_wrk.lock);
    pthread_cond_broadcast(&wgw_wrk.changed);
    pthread_mutex_unlock(&wgw_wrk.lock);
}

void wgw_wrk_count_out(void)
{
    if (atomic_fetch_sub(&wgw_wrk.busy_count, 1) == 1 && atomic_load(&wgw_wrk.is_refusing))
        tell_change();
}

/* --- leaving -------------------------------------------------------------------------- */

/* Nobody finds an idle thread here any more. The row may have another process already, if the
 * supervisor was killed and this one was stopped meanwhile. */
static void withdraw(void)
{
    uint32_t own = wgw_wrk.epoch;

    if (wgw_wrk.row && atomic_compare_exchange_strong(&wgw_wrk.row->epoch, &own, 0))
        atomic_store(&wgw_wrk.row->idle_count, INT_MIN / 2);
}

void wgw_wrk_leave(wgw_leave_reason_t reason, int64_t leave_us, int64_t exit_us)
{
    wgw_deadline_t leave_by = wgw_deadline_in_us(leave_us);
    wgw_deadline_t exit_by = wgw_deadline_in_us(leave_us + exit_us);
    char message[2] = { WGW_EXEC_LEAVING, (char)reason };

    pthread_mutex_lock(&wgw_wrk.lock);
    bool is_first = !wgw_wrk.is_leaving;
    wgw_wrk.leave_by = is_first ? leave_by : wgw_deadline_earlier(wgw_wrk.leave_by, leave_by);
    wgw_wrk.exit_by = is_first ? exit_by : wgw_deadline_earlier(wgw_wrk.exit_by, exit_by);
    wgw_wrk.is_leaving = true;
    atomic_store(&wgw_wrk.is_refusing, true);
    withdraw();
    pthread_cond_broadcast(&wgw_wrk.changed);
    pthread_mutex_unlock(&wgw_wrk.lock);
    wgw_io_look_again();
    if (is_first && reason != WGW_LEAVE_TOLD)
        wgw_io_tell(message, sizeof message);
}

void wgw_wrk_want(wgw_cause_t cause)
{
    static atomic_bool has_told;
    char message[2] = { WGW_EXEC_WANTS, (char)cause };

    if (!atomic_exchange(&has_told, true))
        wgw_io_tell(message, sizeof message);
}

/* --- the threads ---------------------------------------------------------------------- */

static void *run_thread(void *number)
{
    wgw_request_memory_t memory = { .slot = wgw_watch_join((uint32_t)(uintptr_t)number) };
    struct epoll_event event;
    wgw_conn_t *conn;

    wgw_wrk_idle();
    for (;;) {
        if (epoll_wait(wgw_wrk.events, &event, 1, -1) != 1)
            continue;
        if (event.data.u64 == WGW_CONN_WAKE)
            break;
        if (event.data.u64 == WGW_CONN_LISTENER)
            wgw_conns_accept();
        else if ((conn = wgw_conn_own(event.data.u64)))
            wgw_request_serve(conn, &memory);
    }
    wgw_buffer_deinit(&memory.in);
    wgw_buffer_deinit(&memory.head);
    free(memory.vars.vars);
    pthread_mutex_lock(&wgw_wrk.lock);
    wgw_wrk.thread_count--;
    pthread_cond_broadcast(&wgw_wrk.changed);
    pthread_mutex_unlock(&wgw_wrk.lock);
    return NULL;
}

/* No signal is blocked in them: programs that an application starts would inherit that. */
static bool start_threads(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (wgw_wrk.spec.stack_bytes)
        pthread_attr_setstacksize(&attributes, wgw_wrk.spec.stack_bytes);
    for (uint32_t i = 0; i < wgw_wrk.spec.thread_count && rc == 0; i++) {
        wgw_wrk.thread_count++; /* the others look at it only when leaving, under the lock */
        rc = pthread_create(&thread, &attributes, run_thread, (void *)(uintptr_t)i);
    }
    pthread_attr_destroy(&attributes);
    if (rc != 0)
        wgw_log(&wgw_wrk_log, WGW_LOG_CRIT, WGWNO(0069) "a thread could not be made (%s): lower "
                "threads= or stack-size=, or raise the limits of the user", strerror(rc));
    return rc == 0;
}

/* --- beginning ------------------------------------------------------------------------ */

static int contract(const char *what)
{
    wgw_log(&wgw_wrk_log, WGW_LOG_CRIT, WGWNO(0140) "this process cannot begin: %s; install all "
            "files of mod_wsgigw from one build and restart httpd", what);
    return WGW_EXIT_CONTRACT;
}

static bool map_board(uint32_t row_count, uint32_t entry_count)
{
    struct stat status;
    size_t size = wgw_board_size(row_count, entry_count);

    if (fstat(WGW_FD_BOARD, &status) != 0 || (uint64_t)status.st_size < size ||
        wgw_wrk.row_number >= row_count)
        return false;
    wgw_wrk.board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, WGW_FD_BOARD, 0);
    if (wgw_wrk.board == MAP_FAILED)
        return false;
    wgw_wrk.row = &wgw_wrk.board->rows[wgw_wrk.row_number];
    wgw_wrk.entries = wgw_board_entries(wgw_wrk.board, row_count);
    wgw_wrk.entry_count = entry_count;
    return true;
}

/* They came through an exec, but are for no program that the application starts. */
static void keep_descriptors(void)
{
    for (int fd = WGW_FD_LISTENER; fd <= WGW_FD_BOARD; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* What processes before this one have loaded. */
static struct {
    wgw_cursor_t texts;
    uint32_t count;  /* of texts, four for each */
    bool has_to_load; /* all of it, here, too */
} warm;

static void read_warm(wgw_cursor_t *c)
{
    warm.has_to_load = wgw_cursor_u8(c) == 1;
    warm.count = wgw_cursor_u32(c);
    warm.texts = *c;
    for (uint32_t i = 0; i < warm.count && !c->is_bad; i++)
        wgw_cursor_text(c, NULL);
}

/* Read START. Returns: 0; else an exit code, said in the log. */
static int read_start(void)
{
    static char message[WGW_EXEC_START_MOST]; /* kept: once, and the threads look into a copy */
    ssize_t len = recv(WGW_FD_CONTROL, message, sizeof message, 0);
    wgw_cursor_t c = { .at = message, .end = message + (len > 0 ? len : 0) };
    uint8_t type = wgw_cursor_u8(&c), version = wgw_cursor_u8(&c);
    void *memory;

    if (type != WGW_EXEC_START || version != WGW_EXEC_VERSION)
        return contract("its supervisor is not there, or of another version");
    wgw_wrk.row_number = wgw_cursor_u32(&c);
    wgw_wrk.epoch = wgw_cursor_u32(&c);
    uint32_t row_count = wgw_cursor_u32(&c), entry_count = wgw_cursor_u32(&c);
    read_warm(&c);
    if (c.is_bad ||
        !wgw_worker_spec_decode(c.at, (size_t)(c.end - c.at), &wgw_wrk.spec, &memory))
        return contract("what it is to serve cannot be read");
    return map_board(row_count, entry_count) ? 0 : contract("its scoreboard cannot be used");
}

/* In a forked copy of the process: it must not hold httpd's connections open, nor take any, and
 * signals end it as they end any program. */
static void leave_copy(void)
{
    const int OWN[] = { WGW_FD_LISTENER, WGW_FD_CONTROL, WGW_FD_BOARD, wgw_wrk.events, wgw_wrk.wake,
                        wgw_wrk.io_events, wgw_wrk.signals[0], wgw_wrk.signals[1] };

    wgw_wrk.is_copy = true;
    wgw_io_forget_signals();
    wgw_policy_forget();
    wgw_watch_forget();
    wgw_conns_close_copies();
    for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++)
        close(OWN[i]);
}

static bool add_event(int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };

    return epoll_ctl(wgw_wrk.events, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool make_events(void)
{
    wgw_wrk.events = epoll_create1(EPOLL_CLOEXEC);
    wgw_wrk.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wgw_wrk.events >= 0 && wgw_wrk.wake >= 0 && wgw_conns_init() &&
           add_event(wgw_wrk.wake, EPOLLIN, WGW_CONN_WAKE) &&
           add_event(WGW_FD_LISTENER, EPOLLIN | EPOLLET, WGW_CONN_LISTENER) &&
           pthread_atfork(NULL, NULL, leave_copy) == 0 && wgw_io_start();
}

static void count_unloaded(void)
{
    atomic_fetch_add(&wgw_wrk.board->unloaded_count, 1);
}

/* Lest a successor has to load it at a request. */
static void tell_loaded(const wgw_target_t *target)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u8(&b, WGW_EXEC_LOADED);
    wgw_put_text(&b, target->script ? "script" : "module");
    wgw_put_text(&b, target->script ? target->script : target->module);
    wgw_put_text(&b, target->group);
    wgw_put_text(&b, target->callable);
    if (!b.is_short && b.len <= WGW_EXEC_MESSAGE_MOST)
        wgw_io_tell(b.data, b.len);
    wgw_buffer_deinit(&b);
}

static bool make_bridge(const char *extension)
{
    const wgw_worker_spec_t *spec = &wgw_wrk.spec;
    wgw_bridge_config_t *config = &wgw_wrk.bridge_config;

    *config = (wgw_bridge_config_t){
        .sink = wgw_wrk_log,
        .process_group = spec->process_group,
        .main_group = spec->has_main_group ? spec->main_group : NULL,
        .interpreter_limit = spec->interpreter_limit,
        .python_path = spec->python_path.items,
        .python_path_count = spec->python_path.count,
        .keeps_code = true,
        .on_loaded = tell_loaded,
        .on_unloaded = count_unloaded,
        .extension = strdup(extension),
    };
    for (size_t i = 0; i < 3 && i < spec->server_version.count; i++)
        config->server_version[i] = (int)spec->server_version.items[i];
    if (!config->extension || !wgw_wrk_layers_read(spec->layers, &config->layers, &config->layer_count))
        return false;
    if (wgw_wrk.row_number == 0) /* once for the pool */
        wgw_bridge_say_gil(config);
    wgw_wrk.bridge = wgw_bridge_create(config);
    return wgw_wrk.bridge != NULL;
}

/* A fault leaves the Python stacks of all threads in the log. */
static void enable_faulthandler(void)
{
    PyObject *module = PyImport_ImportModule("faulthandler");
    PyObject *done = module ? PyObject_CallMethod(module, "enable", "i", STDERR_FILENO) : NULL;

    if (!done)
        PyErr_WriteUnraisable(NULL);
    Py_XDECREF(done);
    Py_XDECREF(module);
}

static bool preload(const char *kind, const char *name, const char *group, const char *callable)
{
    bool is_module = strcmp(kind, "module") == 0;
    wgw_preload_t one = {
        .target = { .script = is_module ? NULL : name, .module = is_module ? name : NULL,
                    .group = group, .callable = callable && *callable ? callable : NULL },
        .sink = wgw_wrk_log,
    };
    bool is_loaded = wgw_bridge_preload(wgw_wrk.bridge, &one);

    if (wgw_wrk.is_copy) /* what was imported has forked: the copy must not serve, nor count */
        _exit(WGW_EXIT_OK);
    return is_loaded;
}

static void preload_configured(void)
{
    const wgw_texts_t *list = &wgw_wrk.spec.preloads;

    for (size_t i = 0; i + 2 < list->count; i += 3)
        preload(list->items[i], list->items[i + 1], list->items[i + 2], NULL);
}

/* A script that has been removed needs no successor. Returns: false when this process, on trial,
 * cannot take the place of the one that it is to replace. */
static bool preload_warm(void)
{
    wgw_cursor_t c = warm.texts;

    for (uint32_t i = 0; i + 3 < warm.count; i += 4) {
        const char *kind = wgw_cursor_text(&c, NULL), *name = wgw_cursor_text(&c, NULL);
        const char *group = wgw_cursor_text(&c, NULL), *callable = wgw_cursor_text(&c, NULL);
        if (*kind == 's' && access(name, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        if (!preload(kind, name, group, callable) && warm.has_to_load)
            return false;
    }
    return true;
}

/* Another number for each process, lest all of a pool be replaced at the same time. */
static uint64_t choose_request_most(void)
{
    const wgw_worker_spec_t *spec = &wgw_wrk.spec;
    uint32_t chance = 0;

    if (!spec->maximum_requests)
        return UINT64_MAX;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
        chance = (uint32_t)getpid();
    return (uint64_t)spec->maximum_requests + chance % (spec->maximum_jitter + UINT64_C(1));
}

/* From here on httpd finds this process. */
static void appear(void)
{
    char ready = WGW_EXEC_READY;

    wgw_wrk.request_most = choose_request_most();
    pthread_mutex_lock(&wgw_wrk.lock);
    bool is_staying = !wgw_wrk.is_leaving;
    if (is_staying) {
        atomic_store(&wgw_wrk.row->thread_count, wgw_wrk.spec.thread_count);
        atomic_store(&wgw_wrk.row->pid, getpid());
        atomic_store(&wgw_wrk.row->request_count, 0);
        atomic_store(&wgw_wrk.row->inside_count, 0);
        atomic_store(&wgw_wrk.row->idle_count, 0);
        atomic_store(&wgw_wrk.row->epoch, wgw_wrk.epoch);
    }
    pthread_mutex_unlock(&wgw_wrk.lock);
    if (is_staying)
        wgw_io_tell(&ready, 1);
}

/* --- its life ------------------------------------------------------------------------- */

/* Wait until it is told to leave, and has finished what it can. Context: detached. */
static void wait_for_end(void)
{
    uint64_t one = 1;

    pthread_mutex_lock(&wgw_wrk.lock);
    while (!wgw_wrk.is_leaving) /* without a deadline on purpose: this is the process's life */
        pthread_cond_wait(&wgw_wrk.changed, &wgw_wrk.lock);
    while (atomic_load(&wgw_wrk.busy_count) > 0 && wgw_deadline_left_us(wgw_wrk.leave_by) > 0) {
        struct timespec until = wgw_deadline_timespec(wgw_wrk.leave_by);
        pthread_cond_clockwait(&wgw_wrk.changed, &wgw_wrk.lock, CLOCK_MONOTONIC, &until);
    }
    if (write(wgw_wrk.wake, &one, sizeof one) < 0) {
        /* an eventfd takes a one, unless it is full of them */
    }
    while (wgw_wrk.thread_count > 0) /* bounded: at exit_by the I/O thread ends the process */
        pthread_cond_wait(&wgw_wrk.changed, &wgw_wrk.lock);
    pthread_mutex_unlock(&wgw_wrk.lock);
}

static int run(void)
{
    PyThreadState *tstate = PyEval_SaveThread();

    preload_configured();
    if (!preload_warm()) /* threads that were started by the import are not waited for */
        _exit(WGW_EXIT_IMPORT);
    appear();
    wgw_watch_start();
    bool is_running = start_threads();
    if (!is_running)
        wgw_wrk_leave(WGW_LEAVE_SHUTDOWN, 0, 1000000);
    wait_for_end();
    int code = is_running ? WGW_EXIT_OK : WGW_EXIT_CONTRACT;
    wgw_bridge_drain(wgw_wrk.bridge, wgw_wrk.exit_by);
    if (wgw_wrk.spec.keeps_interpreters)
        _exit(code);
    PyEval_RestoreThread(tstate);
    if (!wgw_bridge_end_interpreters(wgw_wrk.bridge)) /* Python's own end would wait for their threads */
        _exit(code);
    return code;
}

int wgw_py_serve(const char *extension)
{
    keep_descriptors();
    int code = read_start();

    if (code)
        return code;
    /* As httpd's own children are, where it is their user: whoever could look into this process
     * would have the key that makes a request believed. */
    if (wgw_wrk.spec.shares_user)
        prctl(PR_SET_DUMPABLE, 0);
    if (*wgw_wrk.spec.locale && !setlocale(LC_ALL, wgw_wrk.spec.locale))
        wgw_log(&wgw_wrk_log, WGW_LOG_WARN, WGWNO(0141) "locale '%s' is not there: install it "
                "(locale -a lists what is), or change locale=", wgw_wrk.spec.locale);
    wgw_title_set(wgw_wrk.spec.display_name);
    if (!make_events() || !make_bridge(extension))
        return contract("no memory or descriptor is left");
    enable_faulthandler();
    wgw_py_watch_init();
    return run();
}
