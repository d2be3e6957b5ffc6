/* The handle of the supervisor is retained over configurations; everything else belongs to
 * one, and goes with its pconf. */
#include "server/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <http_config.h>
#include <http_core.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "server/parent_link.h"
#include "server/module.h"
#include "server/pool_spec.h"
#include "server/running.h"
#include "wsgigw/version.h"

#define RETAINED_KEY "wsgigw-supervisor"
#define SECOND_US INT64_C(1000000)
#define ANSWER_US (10 * SECOND_US)
#define RESTART_SEND_US (2 * SECOND_US) /* httpd's main loop waits meanwhile */
#define STEADY_US (10 * SECOND_US)      /* who dies sooner is not started again at once */

/* Lives as long as httpd, and is read by whatever build of this module is loaded: new fields take
 * the place of unused ones. */
typedef struct {
    wgw_parent_link_t link;
    uint32_t generation;   /* number of the last one */
    int64_t keep_us;       /* longest graceful-timeout= of the last one */
    int64_t shutdown_us;   /* longest shutdown-timeout= of any */
    bool has_started;      /* httpd has come through a post_config before */
    bool is_ending;        /* the last generation has no pools: its exit is expected */
    pid_t former;          /* a supervisor that leaves; 0 none */
    int64_t unused[8];
} retained_t;

/* One reading of the configuration. */
typedef struct {
    retained_t *retained;
    wgw_running_t *running; /* the pools that the supervisor runs */
    server_rec *server;
    const apr_array_header_t *pools;
    const char *program;
    const char *prefix;    /* of the sockets' paths, before httpd's pid */
    pid_t owner;           /* the parent: forked children must not run its cleanups */
    uint32_t number;
    int64_t keep_us;       /* for the generation before */
    int pipe[2];           /* read end: for the supervisor; write end: for the children */
    bool is_due;           /* the supervisor has to be told again */
    apr_pool_t *pconf;
} generation_t;

static generation_t *current; /* of this configuration */

static wgw_pool_t *pool_at(const generation_t *g, int i)
{
    return APR_ARRAY_IDX(g->pools, i, wgw_pool_t *);
}

/* --- pools ---------------------------------------------------------------------------- */

/* Returns: false, said in the log. */
static bool make_pools(generation_t *g)
{
    for (int i = 0; i < g->pools->nelts; i++) {
        wgw_pool_t *pool = pool_at(g, i);
        if (wgw_running_make(g->running, g->pconf, pool, g->prefix, g->number))
            continue;
        ap_log_error(APLOG_MARK, APLOG_CRIT, APR_FROM_OS_ERROR(errno), g->server,
                     WGWNO(0135) "the scoreboard of WSGIDaemonProcess %s cannot be made: its "
                     "processes are not started", pool->name);
        return false;
    }
    return true;
}

/* --- messages ------------------------------------------------------------------------- */

static wgw_parent_link_status_t send_buffer(const generation_t *g, wgw_buffer_t *b, const int *fds,
                                     size_t fd_count, wgw_deadline_t deadline)
{
    wgw_parent_link_status_t status = b->is_short ? WGW_LINK_TOO_LONG
        : wgw_parent_link_send(&g->retained->link, b->data, b->len, fds, fd_count, deadline);

    wgw_buffer_deinit(b);
    return status;
}

/* Without httpd's pid, so that people find it; over restarts it is the same. */
static const char *control_path(const generation_t *g)
{
    return apr_psprintf(g->pconf, "%s.control.sock", g->prefix);
}

static wgw_parent_link_status_t send_generation(const generation_t *g, wgw_deadline_t deadline)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u8(&b, WGW_CONTROL_GENERATION);
    wgw_put_u8(&b, WGW_CONTROL_VERSION);
    wgw_put_u32(&b, g->number);
    wgw_put_u64(&b, (uint64_t)g->keep_us);
    wgw_put_text(&b, control_path(g));
    return send_buffer(g, &b, &g->pipe[0], 1, deadline);
}

/* The virtual host's error log; without one (syslog) the supervisor writes to the main one. */
static wgw_parent_link_status_t send_pool(const generation_t *g, const wgw_pool_t *pool,
                                   wgw_deadline_t deadline)
{
    int fds[2] = { pool->board_fd, -1 };
    wgw_pool_spec_t spec;
    wgw_buffer_t b = { 0 };
    apr_pool_t *p;
    apr_os_file_t log;
    bool has_log = pool->server->error_log &&
                   apr_os_file_get(&log, pool->server->error_log) == APR_SUCCESS;

    if (has_log)
        fds[1] = log;
    apr_pool_create(&p, g->pconf);
    wgw_pool_spec_make(p, pool, &spec);
    wgw_put_u8(&b, WGW_CONTROL_POOL);
    wgw_pool_spec_encode(&b, &spec);
    apr_pool_destroy(p);
    return send_buffer(g, &b, fds, has_log ? 2 : 1, deadline);
}

static wgw_parent_link_status_t send_byte(const generation_t *g, wgw_control_message_t kind,
                                   wgw_deadline_t deadline)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u8(&b, (uint8_t)kind);
    if (kind == WGW_CONTROL_STOP)
        wgw_put_u8(&b, 0);
    return send_buffer(g, &b, NULL, 0, deadline);
}

static wgw_parent_link_status_t send_hello(const generation_t *g, wgw_deadline_t deadline)
{
    wgw_buffer_t b = { 0 };

    wgw_put_u8(&b, WGW_CONTROL_HELLO);
    wgw_put_text(&b, WGW_VERSION_TEXT);
    wgw_put_text(&b, g->program);
    return send_buffer(g, &b, NULL, 0, deadline);
}

static wgw_parent_link_status_t send_all(const generation_t *g, wgw_deadline_t deadline)
{
    wgw_parent_link_status_t status = send_generation(g, deadline);

    for (int i = 0; status == WGW_LINK_OK && i < g->pools->nelts; i++)
        status = send_pool(g, pool_at(g, i), deadline);
    return status == WGW_LINK_OK ? send_byte(g, WGW_CONTROL_COMMIT, deadline) : status;
}

/* --- the supervisor's life ------------------------------------------------------------ */

static void on_exit_of_supervisor(int reason, void *ctx, apr_wait_t status);

/* httpd reaps all its children; it tells us of this one. Again for each configuration. */
static void follow(generation_t *g)
{
    apr_proc_t *process = apr_pcalloc(g->pconf, sizeof *process);

    process->pid = g->retained->link.pid;
    apr_proc_other_child_register(process, on_exit_of_supervisor, g, NULL, g->pconf);
}

/* Returns: false, said in the log. */
static bool start_supervisor(generation_t *g)
{
    int rc = wgw_parent_link_start(&g->retained->link, g->program);

    if (rc == 0) {
        g->retained->is_ending = false;
        follow(g);
        return true;
    }
    ap_log_error(APLOG_MARK, APLOG_CRIT, APR_FROM_OS_ERROR(rc), g->server,
                 WGWNO(0130) "%s cannot be started: no process of a WSGIDaemonProcess runs; "
                 "install mod_wsgigw completely, or name it with WSGISupervisor", g->program);
    return false;
}

/* Start it again with the generation as it is; the answer is read by the monitor hook. */
static void resume(generation_t *g)
{
    bool is_there = g->retained->link.pid || start_supervisor(g);

    for (int i = 0; i < g->pools->nelts; i++)
        if (!pool_at(g, i)->board)
            return; /* said when it could not be made */

    for (int i = 0; i < g->pools->nelts; i++)
        wgw_running_mark_board(pool_at(g, i));
    g->is_due = !is_there || send_all(g, wgw_deadline_in_us(RESTART_SEND_US)) != WGW_LINK_OK;
}

static void on_exit_of_supervisor(int reason, void *ctx, apr_wait_t status)
{
    generation_t *g = ctx;
    retained_t *retained = g->retained;
    int64_t lived_us = wgw_now_us() - retained->link.started_us;

    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST)
        return;
    apr_proc_other_child_unregister(ctx);
    wgw_parent_link_close(&retained->link);
    retained->link.pid = 0;
    if (g->pools->nelts == 0)
        return;
    if (!retained->is_ending)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, g->server,
                     WGWNO(0134) "the supervisor of the daemon processes has ended (%s %d): it is "
                     "started again%s", WIFSIGNALED(status) ? "signal" : "code",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                     lived_us < STEADY_US ? ", after a while" : "");
    if (lived_us < STEADY_US)
        g->is_due = true;
    else
        resume(g);
}

/* Wait for an answer of this kind; others are passed over. */
static wgw_parent_link_status_t wait_for_kind(const generation_t *g, wgw_control_message_t kind,
                                              wgw_answer_t *answer, wgw_deadline_t deadline)
{
    wgw_parent_link_status_t status;

    do
        status = wgw_parent_link_receive(&g->retained->link, answer, deadline);
    while (status == WGW_LINK_OK && answer->kind != kind);
    return status;
}

/* Wait for the answer to this generation; earlier ones are passed over. */
static wgw_parent_link_status_t wait_for_answer(const generation_t *g, wgw_answer_t *answer)
{
    wgw_deadline_t deadline = wgw_deadline_in_us(ANSWER_US);
    wgw_parent_link_status_t status;

    do
        status = wgw_parent_link_receive(&g->retained->link, answer, deadline);
    while (status == WGW_LINK_OK && answer->kind != WGW_CONTROL_DRAINED &&
           answer->generation != g->number);
    return status == WGW_LINK_OK && answer->kind == WGW_CONTROL_DRAINED ? WGW_LINK_GONE : status;
}

static const char *why_of(wgw_parent_link_status_t status, const wgw_answer_t *answer)
{
    switch (status) {
    case WGW_LINK_OK:
        return answer->why;
    case WGW_LINK_TIMEOUT:
        return "the supervisor has not answered within 10 s";
    case WGW_LINK_TOO_LONG:
        return "a pool's configuration is longer than a message may be (see net.core.wmem_max)";
    default:
        return "the supervisor has ended; see the lines before";
    }
}

static wgw_parent_link_status_t tell(generation_t *g, wgw_answer_t *answer)
{
    wgw_parent_link_status_t status = send_all(g, wgw_deadline_in_us(ANSWER_US));

    return status == WGW_LINK_OK ? wait_for_answer(g, answer) : status;
}

/* Replace a supervisor that was told to end, and did so while it was being told more. */
static wgw_parent_link_status_t tell_another(generation_t *g, wgw_answer_t *answer)
{
    wgw_parent_link_t *link = &g->retained->link;

    wgw_parent_link_close(link);
    if (!wgw_parent_link_reap(link, wgw_deadline_in_us(2 * SECOND_US)))
        return WGW_LINK_TIMEOUT;
    return start_supervisor(g) ? tell(g, answer) : WGW_LINK_GONE;
}

/* Returns: false, said in the log. */
static bool hand_over(generation_t *g)
{
    wgw_answer_t answer = { .why = "" };
    bool was_ending = g->retained->is_ending;
    wgw_parent_link_status_t status = tell(g, &answer);

    if (status == WGW_LINK_GONE && was_ending)
        status = tell_another(g, &answer);
    if (status == WGW_LINK_OK && answer.kind == WGW_CONTROL_READY)
        return true;
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, g->server,
                 WGWNO(0131) "the daemon processes cannot be started: %s", why_of(status, &answer));
    return false;
}

/* Tell the supervisor which build this is, so that it makes way for its own of that build. One that
 * does not answer is told the rest all the same. Returns: false when it leaves. */
static bool greet(const generation_t *g)
{
    wgw_deadline_t deadline = wgw_deadline_in_us(ANSWER_US);
    wgw_parent_link_status_t status = send_hello(g, deadline);
    wgw_answer_t answer;

    if (status == WGW_LINK_OK)
        status = wait_for_kind(g, WGW_CONTROL_HERE, &answer, deadline);
    return status != WGW_LINK_OK || answer.stays;
}

static void on_exit_of_former(int reason, void *ctx, apr_wait_t status)
{
    retained_t *retained = ctx;

    (void)status;
    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST)
        return;
    apr_proc_other_child_unregister(ctx);
    retained->former = 0;
}

/* httpd would wonder about the end of a child that nobody knows. Again for each configuration. */
static void follow_former(generation_t *g)
{
    apr_proc_t *process = apr_pcalloc(g->pconf, sizeof *process);

    process->pid = g->retained->former;
    apr_proc_other_child_register(process, on_exit_of_former, g->retained, NULL, g->pconf);
}

static void let_go(generation_t *g)
{
    wgw_parent_link_t *link = &g->retained->link;

    wgw_parent_link_close(link);
    g->retained->former = link->pid;
    link->pid = 0;
    wgw_running_forget(g->running);
}

/* It may have died unseen during the restart. Returns: false, said in the log. */
static bool ensure_supervisor(generation_t *g)
{
    wgw_parent_link_t *link = &g->retained->link;

    if (link->pid && wgw_parent_link_reap(link, (wgw_deadline_t){ 0 }))
        wgw_parent_link_close(link);
    if (link->pid && !greet(g))
        let_go(g);
    if (g->retained->former)
        follow_former(g);
    if (!link->pid)
        return start_supervisor(g);
    follow(g);
    return true;
}

/* --- the end -------------------------------------------------------------------------- */

/* httpd's own logs are closed by now; standard error is the main one. */
static void say_late(void)
{
    char when[APR_CTIME_LEN];

    apr_ctime(when, apr_time_now());
    fprintf(stderr, "[%s] [wsgigw:warn] [pid %ld] " WGWNO(0136) "the daemon processes have not "
            "ended within shutdown-timeout=; httpd ends before them\n", when, (long)getpid());
}

/* httpd's children are gone, also after a graceful stop: nothing is left that would be worth
 * graceful-timeout=. Should the bound be missed, our death is the supervisor's signal. */
static void stop_supervisor(const generation_t *g)
{
    wgw_parent_link_t *link = &g->retained->link;
    wgw_deadline_t deadline = wgw_deadline_in_us(g->retained->shutdown_us + SECOND_US);
    wgw_answer_t answer;

    if (!link->pid)
        return;
    wgw_parent_link_status_t status = send_byte(g, WGW_CONTROL_STOP, deadline);
    if (status == WGW_LINK_OK)
        status = wait_for_kind(g, WGW_CONTROL_DRAINED, &answer, deadline);
    if (status == WGW_LINK_TIMEOUT || !wgw_parent_link_reap(link, deadline))
        say_late();
    wgw_parent_link_close(link);
}

/* A supervisor that was killed, and not started again before the end, has left its sockets. */
static void remove_sockets(const generation_t *g)
{
    glob_t found;

    if (glob(apr_psprintf(g->pconf, "%s.%ld.*.sock", g->prefix, (long)getpid()), GLOB_NOSORT, NULL,
             &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        unlink(found.gl_pathv[i]);
    globfree(&found);
}

/* The one of another httpd, which has our prefix, is not ours to remove: that one answers. */
static void remove_control(const generation_t *g)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    apr_cpystrn(address.sun_path, control_path(g), sizeof address.sun_path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
        errno == ECONNREFUSED)
        unlink(address.sun_path);
    if (fd >= 0)
        close(fd);
}

static void close_pipe(generation_t *g)
{
    for (int i = 0; i < 2; i++) {
        if (g->pipe[i] >= 0)
            close(g->pipe[i]);
        g->pipe[i] = -1;
    }
}

static apr_status_t leave(void *ctx)
{
    generation_t *g = ctx;

    current = NULL;
    if (getpid() != g->owner)
        return APR_SUCCESS;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING) {
        stop_supervisor(g);
        remove_sockets(g);
        remove_control(g);
    }
    close_pipe(g);
    return APR_SUCCESS;
}

/* --- hooks ---------------------------------------------------------------------------- */

static retained_t *retained_get(void)
{
    retained_t *retained = ap_retained_data_get(RETAINED_KEY);

    if (!retained) {
        retained = ap_retained_data_create(RETAINED_KEY, sizeof *retained);
        retained->link.fd = -1;
    }
    return retained;
}

static void note_timeouts(generation_t *g)
{
    retained_t *retained = g->retained;

    g->keep_us = retained->keep_us;
    retained->keep_us = 0;
    for (int i = 0; i < g->pools->nelts; i++) {
        const wgw_pool_t *pool = pool_at(g, i);
        if (pool->graceful_timeout_us > retained->keep_us)
            retained->keep_us = pool->graceful_timeout_us;
        if (pool->shutdown_timeout_us > retained->shutdown_us)
            retained->shutdown_us = pool->shutdown_timeout_us;
    }
}

static generation_t *begin_generation(apr_pool_t *pconf, server_rec *server,
                                      const apr_array_header_t *pools, const char *program,
                                      const char *prefix)
{
    generation_t *g = apr_pcalloc(pconf, sizeof *g);

    *g = (generation_t){ .retained = retained_get(), .running = wgw_running_get(), .server = server, .pools = pools,
                         .prefix = prefix, .owner = getpid(), .pipe = { -1, -1 }, .pconf = pconf };
    g->program = program ? program : WGW_LIBDIR "/wsgigw-supervisor";
    g->number = ++g->retained->generation;
    note_timeouts(g);
    apr_pool_cleanup_register(pconf, g, leave, apr_pool_cleanup_null);
    return g;
}

/* The supervisor has what this configuration says. */
static void note_ready(generation_t *g)
{
    g->retained->is_ending = g->pools->nelts == 0;
    wgw_running_note(g->running, g->pools, g->prefix);
}

static bool start_generation(generation_t *g)
{
    bool is_needed = g->pools->nelts || g->retained->link.pid;
    bool is_there = !is_needed || ensure_supervisor(g);

    if (!make_pools(g))
        return false;
    if (pipe2(g->pipe, O_CLOEXEC) != 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, APR_FROM_OS_ERROR(errno), g->server,
                     WGWNO(0132) "no pipe could be made for the daemon processes");
        return false;
    }
    if (!is_needed)
        return true;
    if (!is_there || !hand_over(g)) {
        g->is_due = true;
        return false;
    }
    note_ready(g);
    return true;
}

int wgw_parent_start_pools(apr_pool_t *pconf, server_rec *main_server, apr_array_header_t *pools,
                           const char *program, const char *socket_prefix)
{
    generation_t *g = begin_generation(pconf, main_server, pools, program, socket_prefix);
    bool is_first = !g->retained->has_started;

    current = g;
    if (!start_generation(g) && is_first)
        return HTTP_INTERNAL_SERVER_ERROR;
    g->retained->has_started = true;
    return OK;
}

int wgw_parent_monitor(apr_pool_t *p, server_rec *main_server)
{
    generation_t *g = current;
    wgw_answer_t answer;

    (void)p;
    if (!g || g->owner != getpid() || g->pools->nelts == 0)
        return OK;
    if (g->is_due)
        resume(g);
    while (wgw_parent_link_receive(&g->retained->link, &answer, (wgw_deadline_t){ 0 }) ==
           WGW_LINK_OK) {
        if (answer.generation != g->number)
            continue;
        if (answer.kind == WGW_CONTROL_READY)
            note_ready(g);
        if (answer.kind != WGW_CONTROL_FAILED)
            continue;
        g->is_due = true;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     WGWNO(0133) "the daemon processes cannot be started: %s; it is tried again",
                     answer.why);
    }
    return OK;
}

void wgw_parent_child_init(void)
{
    generation_t *g = current;

    if (!g || getpid() == g->owner) /* httpd -X has no children */
        return;
    wgw_parent_link_close(&g->retained->link);
    wgw_running_child_init(g->running);
    if (g->pipe[0] >= 0)
        close(g->pipe[0]);
    g->pipe[0] = -1;
    for (int i = 0; i < g->pools->nelts; i++) {
        wgw_pool_t *pool = pool_at(g, i);
        if (pool->board_fd >= 0)
            close(pool->board_fd);
        pool->board_fd = -1;
    }
}
