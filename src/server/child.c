/* One dedicated thread per child opens the library that links libpython, starts
 * the interpreter, waits, and ends it; the child's exit is bounded whatever the
 * interpreter does. Must not include Python.h. */
#include "server/child.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>

#include "server/config.h"
#include "server/group.h"
#include "server/interp_options.h"
#include "server/module.h"
#include "server/options.h"
#include "server/parent.h"
#include "server/pool.h"
#include "server/preload.h"
#include "server/proxy.h"
#include "server/queue.h"
#include "wsgigw/embedded.h"

enum { DRAIN_US = 1500 * 1000, LEAVE_US = 2500 * 1000 }; /* httpd kills a child after 3 s and more */
enum { STUCK_US = 2700 * 1000 };

typedef enum { IDLE, STARTING, SERVING, FAILED } phase_t;

typedef struct {
    server_rec *server;
    wgw_process_t process;
    wgw_embedded_config_t config;
    const char *library;

    pthread_mutex_t lock;      /* for what follows */
    pthread_cond_t changed;
    phase_t phase;
    bool is_stopping;
    bool has_thread;           /* the dedicated thread was made */
    bool has_ended;            /* it is gone */
    wgw_deadline_t drain_until;
    wgw_bridge_t *bridge;
    const wgw_embedded_api_t *api;
    pthread_t thread;
} child_t;

static child_t *child; /* of this process, from child_init on */

/* --- configuration -------------------------------------------------------------------- */

static void log_process(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    size_t piece;

    do {
        piece = wgw_log_piece(len);
        ap_log_error(APLOG_MARK, (int)level, 0, (server_rec *)ctx, "%.*s", (int)piece, text);
        text += piece;
        len -= piece;
    } while (len);
}

static const char *const *split_path(apr_pool_t *p, const char *path, size_t *count_out)
{
    apr_array_header_t *folders = apr_array_make(p, 4, sizeof(const char *));
    char *last = NULL;

    for (char *folder = path ? apr_strtok(apr_pstrdup(p, path), ":", &last) : NULL; folder;
         folder = apr_strtok(NULL, ":", &last))
        APR_ARRAY_PUSH(folders, const char *) = folder;
    *count_out = (size_t)folders->nelts;
    return (const char *const *)folders->elts;
}

static void set_preloads(apr_pool_t *p, child_t *c)
{
    const apr_array_header_t *preloads = wgw_preloads(p, c->server, NULL);
    wgw_preload_t *made = apr_pcalloc(p, ((size_t)preloads->nelts + 1) * sizeof *made);

    for (int i = 0; i < preloads->nelts; i++) {
        const wgw_preload_of_t *preload = &APR_ARRAY_IDX(preloads, i, wgw_preload_of_t);
        made[i] = (wgw_preload_t){ preload->target, { log_process, preload->server } };
    }
    c->config.preloads = made;
    c->config.preload_count = (size_t)preloads->nelts;
}

static void set_interpreter(apr_pool_t *p, child_t *c)
{
    const wgw_server_config_t *conf = wgw_server_config(c->server);
    wgw_embedded_config_t *e = &c->config;
    const char *seed = conf->python_hash_seed;

    e->python_home = conf->python_home;
    e->optimize = conf->python_optimize;
    e->writes_bytecode = !conf->dont_write_bytecode;
    e->hash_seed = strcmp(seed, "random") == 0 ? WGW_SEED_RANDOM : apr_strtoi64(seed, NULL, 10);
    if (conf->python_warnings) {
        e->warnings = (const char *const *)conf->python_warnings->elts;
        e->warning_count = (size_t)conf->python_warnings->nelts;
    }
    e->bridge.python_path = split_path(p, conf->python_path, &e->bridge.python_path_count);
    e->keeps_interpreters = !conf->destroys;
    e->is_free_threaded = wgw_interp_is_free_threaded(c->server, NULL);
    e->bridge.interpreter_limit = (unsigned)conf->group_limit;
}

static void set_bridge(apr_pool_t *p, child_t *c)
{
    wgw_bridge_config_t *bridge = &c->config.bridge;
    ap_version_t version;

    ap_get_server_revision(&version);
    bridge->server_version[0] = version.major;
    bridge->server_version[1] = version.minor;
    bridge->server_version[2] = version.patch;
    bridge->sink = (wgw_log_sink_t){ .write = log_process, .ctx = c->server };
    bridge->process_group = "";
    bridge->main_group = wgw_group_find_main(p, c->server, NULL);
    const apr_array_header_t *layers = wgw_interp_layers(p, c->server, NULL);
    bridge->layers = (const wgw_layer_t *)(const void *)layers->elts;
    bridge->layer_count = (size_t)layers->nelts;
}

static void set_process(apr_pool_t *p, child_t *c)
{
    int is_threaded = 0, processes = 0;

    ap_mpm_query(AP_MPMQ_IS_THREADED, &is_threaded);
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes);
    c->process.is_multithread = is_threaded != AP_MPMQ_NOT_SUPPORTED;
    c->process.is_multiprocess = processes != 1;
    c->process.group = "";
    c->process.pid = apr_itoa(p, (int)getpid());
}

/* --- the dedicated thread ------------------------------------------------------------- */

static void set_phase(child_t *c, phase_t phase)
{
    pthread_mutex_lock(&c->lock);
    c->phase = phase;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void on_ready(void *ctx, wgw_bridge_t *bridge)
{
    child_t *c = ctx;

    c->bridge = bridge;
    set_phase(c, bridge ? SERVING : FAILED);
}

static wgw_deadline_t wait_for_stop(void *ctx)
{
    child_t *c = ctx;

    pthread_mutex_lock(&c->lock);
    while (!c->is_stopping) /* without a deadline on purpose: it lives as long as the child */
        pthread_cond_wait(&c->changed, &c->lock);
    wgw_deadline_t deadline = c->drain_until;
    pthread_mutex_unlock(&c->lock);
    return deadline;
}

/* Open the library so that extension modules find libpython's symbols, for good: what has
 * run Python cannot be unmapped. Returns: false, said in the log. */
static bool open_library(child_t *c)
{
    void *library = dlopen(c->library, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);

    c->api = library ? dlsym(library, WGW_EMBEDDED_SYMBOL) : NULL;
    if (c->api && c->api->abi == WGW_EMBEDDED_ABI)
        return true;
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, c->server,
                 WGWNO(0031) "%s cannot be used: %s; requests for embedded Python get 500. See "
                 "WSGIEmbeddedLibrary", c->library,
                 c->api ? "it belongs to another version of mod_wsgigw" : dlerror());
    return false;
}

/* Leave the process at once: exit() would run destructors under the feet of the threads
 * that are still in Python. */
static void exit_without_python(const child_t *c)
{
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, c->server,
                 WGWNO(0033) "Python did not end in time (a request or a thread of the "
                 "application is still running); the process exits without it");
    _exit(0);
}

static void *run_thread(void *ctx)
{
    child_t *c = ctx;

    if (!open_library(c))
        set_phase(c, FAILED);
    else if (!c->api->run(&c->config))
        exit_without_python(c);
    pthread_mutex_lock(&c->lock);
    c->has_ended = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Context: lock held. All signals are blocked in the thread: they are httpd's. */
static void start_locked(child_t *c)
{
    sigset_t all, before;

    c->phase = STARTING;
    c->has_thread = true;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&c->thread, NULL, run_thread, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return;
    c->phase = FAILED;
    c->has_thread = false;
    ap_log_error(APLOG_MARK, APLOG_CRIT, rc, c->server,
                 WGWNO(0032) "no thread could be made for Python; requests get 500");
}

/* Wait until the phase is none of those before SERVING. Returns: it, or STARTING at the deadline. */
static phase_t wait_until_serving(child_t *c, wgw_deadline_t deadline)
{
    struct timespec until = wgw_deadline_timespec(deadline);
    int rc = 0;

    pthread_mutex_lock(&c->lock);
    if (c->phase == IDLE)
        start_locked(c);
    while (c->phase == STARTING && rc == 0)
        rc = pthread_cond_clockwait(&c->changed, &c->lock, CLOCK_MONOTONIC, &until);
    phase_t phase = c->phase;
    pthread_mutex_unlock(&c->lock);
    return phase;
}

/* --- leaving -------------------------------------------------------------------------- */

/* Tell the dedicated thread to end. */
static void begin_stop(child_t *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->is_stopping)
        c->drain_until = wgw_deadline_in_us(DRAIN_US);
    c->is_stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Wait until the dedicated thread has ended. Returns: false at the deadline. */
static bool wait_until_ended(child_t *c, wgw_deadline_t deadline)
{
    struct timespec until = wgw_deadline_timespec(deadline);
    int rc = 0;

    pthread_mutex_lock(&c->lock);
    while (!c->has_ended && rc == 0)
        rc = pthread_cond_clockwait(&c->changed, &c->lock, CLOCK_MONOTONIC, &until);
    bool has_ended = c->has_ended;
    pthread_mutex_unlock(&c->lock);
    return has_ended;
}

/* At the end of the child. Under prefork this may run in a signal handler on top of a
 * request; then Python cannot be left in order, and is not waited for. */
static apr_status_t leave(void *ctx)
{
    child_t *c = ctx;

    if (!c->has_thread)
        return APR_SUCCESS;
    if (c->api && c->api->is_inside())
        exit_without_python(c);
    begin_stop(c);
    if (!wait_until_ended(c, wgw_deadline_in_us(LEAVE_US)))
        exit_without_python(c);
    pthread_join(c->thread, NULL);
    return APR_SUCCESS;
}

static void on_alarm_sig(int number)
{
    (void)number;
    _exit(0);
}

/* Prefork ends a child from the handler of SIGTERM, on top of whatever it was doing. Where that
 * held a lock of malloc() or of a log, the cleanups of httpd and of all modules wait for ever. */
static void bound_end_sig(void)
{
    struct sigaction action = { .sa_handler = on_alarm_sig };
    struct itimerval limit = { .it_value = { STUCK_US / 1000000, STUCK_US % 1000000 } };
    sigset_t alarm_only;

    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    setitimer(ITIMER_REAL, &limit, NULL);
}

void wgw_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    if (!graceful)
        wgw_queue_child_stop_sig();
    if (!graceful && child->has_thread && !child->process.is_multithread)
        bound_end_sig();
    if (!graceful && child->has_thread && !(child->api && child->api->is_inside()))
        begin_stop(child);
}

/* --- hooks ---------------------------------------------------------------------------- */

int wgw_parent_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const char *library = wgw_embedded_library_path(s);

    (void)plog, (void)ptemp;
    if (wgw_module_is_doubled()) {
        ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, s,
                     WGWNO(0038) "mod_wsgigw is loaded twice, as wsgigw_module and as "
                     "wsgi_module: remove one of the two LoadModule lines");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (wgw_is_embedded_needed(s) && access(library, R_OK) != 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, APR_FROM_OS_ERROR(errno), s,
                     WGWNO(0035) "%s cannot be read: install mod_wsgigw completely, or name it "
                     "with WSGIEmbeddedLibrary", library);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return wgw_parent_finish_pools(pconf, s);
}

/* Of httpd's children (pool NULL), or of the processes of a pool. */
static void log_main_group(server_rec *s, const char *group, const wgw_pool_t *pool)
{
    if (group)
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, pool ? pool->server : s,
                     WGWNO(0036) "application group '%s' is the only one of %s%s: "
                     "the main interpreter serves it", group,
                     pool ? "process group " : "the configuration", pool ? pool->name : "");
}

int wgw_parent_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;
    wgw_options_fill(pconf, s);
    child = apr_pcalloc(pconf, sizeof *child);
    child->server = s;
    child->library = wgw_embedded_library_path(s);
    set_interpreter(pconf, child);
    set_bridge(pconf, child);
    set_preloads(pconf, child);
    child->config.on_ready = on_ready;
    child->config.wait_for_stop = wait_for_stop;
    child->config.ctx = child;
    log_main_group(s, child->config.bridge.main_group, NULL);
    for (int i = 0; i < wgw_pools(s)->nelts; i++) {
        const wgw_pool_t *pool = APR_ARRAY_IDX(wgw_pools(s), i, wgw_pool_t *);
        log_main_group(s, wgw_group_find_main(ptemp, s, pool), pool);
    }
    wgw_parent_log_pools(s);
    wgw_proxy_check(s);
    wgw_options_log_idle(s);
    wgw_interp_options_log(s);
    const wgw_server_config_t *conf = wgw_server_config(s);
    return wgw_parent_start_pools(pconf, s, wgw_pools(s), wgw_supervisor_path(s),
                                  ap_runtime_dir_relative(pconf, conf->socket_prefix));
}

/* What Python finds as os.environ when it starts, if it ever does: later there are threads. */
static void set_environment(const wgw_server_config_t *conf)
{
    if (conf->python_eggs)
        setenv("PYTHON_EGG_CACHE", conf->python_eggs, 1);
}

void wgw_child_init(apr_pool_t *pchild, server_rec *s)
{
    wgw_parent_child_init();
    wgw_queue_child_init(pchild, wgw_pools(s));
    set_process(pchild, child);
    pthread_mutex_init(&child->lock, NULL);
    pthread_cond_init(&child->changed, NULL);
    apr_pool_cleanup_register(pchild, child, leave, apr_pool_cleanup_null);
    set_environment(wgw_server_config(s));
    if (!wgw_is_embedded_needed(s))
        return;
    pthread_mutex_lock(&child->lock);
    start_locked(child);
    pthread_mutex_unlock(&child->lock);
}

wgw_process_t wgw_process_of(const wgw_pool_t *pool)
{
    wgw_process_t process = child->process;

    if (pool) {
        process.group = pool->name;
        process.is_multithread = pool->thread_count > 1;
        process.is_multiprocess = pool->is_multiprocess;
    }
    return process;
}

int wgw_child_handle(wgw_exchange_t *x)
{
    switch (wait_until_serving(child, x->request->deadline)) {
    case SERVING:
        return child->api->handle(child->bridge, x);
    case STARTING:
        wgw_log(&(wgw_log_sink_t){ x->ops->log, x }, WGW_LOG_ERR,
                WGWNO(0037) "Python has not started within Timeout; the request gets 503");
        return HTTP_SERVICE_UNAVAILABLE;
    default:
        return HTTP_INTERNAL_SERVER_ERROR; /* why was logged when it failed */
    }
}
