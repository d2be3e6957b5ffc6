/* Every change goes through take(): an event into the step function, its actions out to here. */
#include "supervisor/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/log.h"
#include "supervisor/child.h"
#include "supervisor/message.h"
#include "supervisor/pool_parts.h"
#include "supervisor/report.h"
#include "supervisor/spawn.h"
#include "supervisor/status.h"

#define SECOND_US INT64_C(1000000)

static void take(wgw_sup_pool_t *pool, wgw_event_t event);

/* --- log ------------------------------------------------------------------------------ */

static void write_log(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    wgw_sup_pool_t *pool = ctx;

    if ((uint32_t)level <= pool->spec.log_level)
        wgw_sup_logfile_write(&pool->logfile, level, getpid(), text, len);
}

static wgw_log_sink_t sink_of(wgw_sup_pool_t *pool)
{
    return (wgw_log_sink_t){ .write = write_log, .ctx = pool };
}

static void say_lost(wgw_sup_pool_t *pool, int64_t now_us)
{
    wgw_log_sink_t sink = sink_of(pool);
    uint32_t dropped = pool->sources.rate.dropped_count, lost = pool->logfile.lost_count;

    if ((!dropped && !lost) || now_us - pool->said_us < SECOND_US)
        return;
    pool->said_us = now_us;
    pool->sources.rate.dropped_count = pool->logfile.lost_count = 0;
    if (dropped)
        wgw_log(&sink, WGW_LOG_WARN,
                WGWNO(0115) "pool '%s' writes too much to its log: %u lines were dropped",
                pool->spec.name, dropped);
    if (lost)
        wgw_log(&sink, WGW_LOG_WARN,
                WGWNO(0119) "%u log lines of pool '%s' were lost: the error log did not take them",
                lost, pool->spec.name);
}

/* --- listeners ------------------------------------------------------------------------ */

static void on_listener(void *ctx, uint32_t r, uint32_t events)
{
    wgw_sup_pool_t *pool = ctx;
    wgw_process_t *row = &pool->rows[r];
    wgw_log_sink_t sink = sink_of(pool);

    (void)events;
    wgw_sup_loop_remove(pool->loop, &row->hup);
    row->is_shut = true;
    wgw_sup_board_hide(&pool->board, r);
    wgw_log(&sink, WGW_LOG_ERR,
            WGWNO(0114) "process %ld of pool '%s' has shut its listening socket down: both are "
            "replaced", (long)row->pid, pool->spec.name);
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_BROKEN, .row = r });
}

static void close_listener(wgw_sup_pool_t *pool, uint32_t r)
{
    wgw_sup_loop_remove(pool->loop, &pool->rows[r].hup);
    wgw_sup_listener_close(&pool->rows[r].listener);
}

static bool open_listener(wgw_sup_pool_t *pool, uint32_t r, char *why, size_t why_size)
{
    wgw_process_t *row = &pool->rows[r];

    close_listener(pool, r);
    if (!wgw_sup_listener_open(&row->listener, &pool->spec, r, why, why_size))
        return false;
    row->is_shut = false;
    row->hup = (wgw_watch_t){ .fd = row->listener.fd, .call = on_listener, .ctx = pool,
                              .index = r };
    if (wgw_sup_loop_add(pool->loop, &row->hup, EPOLLRDHUP))
        return true;
    snprintf(why, why_size, "epoll_ctl(): %s", strerror(errno));
    return false;
}

/* --- processes ------------------------------------------------------------------------ */

static void on_ready(wgw_sup_pool_t *pool, uint32_t r)
{
    wgw_log_sink_t sink = sink_of(pool);

    pool->rows[r].was_ready = true;
    wgw_log(&sink, WGW_LOG_INFO, WGWNO(0123) "process %ld of pool '%s' is ready",
            (long)pool->rows[r].pid, pool->spec.name);
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_READY, .row = r });
    wgw_sup_board_set_versions(&pool->board, pool->versions.newest, pool->versions.failed);
}

static void on_leaving(wgw_sup_pool_t *pool, uint32_t r)
{
    pool->rows[r].has_left = true;
    wgw_sup_board_hide(&pool->board, r);
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_LEAVING, .row = r });
}

static void want(wgw_sup_pool_t *pool, uint32_t r, wgw_cause_t cause)
{
    if (cause == WGW_CAUSE_DEADLOCK)
        wgw_sup_board_hide(&pool->board, r); /* whoever came to it would not be served */
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_REPLACE, .row = r, .cause = cause });
}

static void on_wants(wgw_sup_pool_t *pool, uint32_t r, wgw_cause_t cause)
{
    pool->rows[r].has_asked = true;
    wgw_sup_look_know(&pool->look, r);
    want(pool, r, cause);
}

/* At most once a second: an application can say this as often as it likes. */
static void reload_soon(wgw_sup_pool_t *pool)
{
    int64_t now_us = wgw_now_us();

    if (!pool->reload_us)
        pool->reload_us = pool->reloaded_us && now_us - pool->reloaded_us < SECOND_US
            ? pool->reloaded_us + SECOND_US : now_us;
}

/* A process of an older version than the newest says nothing new, unless that one has failed. */
static void on_stale(wgw_sup_pool_t *pool, uint32_t r, const char *message, size_t len)
{
    bool is_known = pool->stale.len == len && memcmp(pool->stale.data, message, len) == 0;

    if (pool->rows[r].version != pool->versions.newest && !pool->versions.failed)
        return;
    if (is_known && pool->versions.failed) {
        take(pool, (wgw_event_t){ .kind = WGW_EVENT_STILL_FAILED });
        return;
    }
    wgw_buffer_clear(&pool->stale, WGW_EXEC_MESSAGE_MOST);
    wgw_buffer_append(&pool->stale, message, len);
    reload_soon(pool);
}

static void reload(wgw_sup_pool_t *pool, wgw_cause_t cause)
{
    pool->reload_us = 0;
    pool->reloaded_us = wgw_now_us();
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_RELOAD, .cause = cause });
}

static void on_garbage(wgw_sup_pool_t *pool, uint32_t r)
{
    wgw_log_sink_t sink = sink_of(pool);

    wgw_sup_loop_close(pool->loop, &pool->rows[r].control);
    wgw_log(&sink, WGW_LOG_ERR,
            WGWNO(0113) "process %ld of pool '%s' has sent what it must not: it is killed",
            (long)pool->rows[r].pid, pool->spec.name);
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_BROKEN, .row = r });
}

static void on_message(wgw_sup_pool_t *pool, uint32_t r, const wgw_worker_message_t *message,
                       const char *data, size_t len)
{
    const wgw_process_t *row = &pool->rows[r];

    if (message->kind == WGW_EXEC_READY && !row->was_ready)
        on_ready(pool, r);
    else if (message->kind == WGW_EXEC_LEAVING && !row->has_left)
        on_leaving(pool, r);
    else if (message->kind == WGW_EXEC_WANTS && !row->has_asked)
        on_wants(pool, r, message->cause);
    else if (message->kind == WGW_EXEC_LOADED)
        wgw_sup_warm_add(&pool->warm, (const char *const[]){ message->what, message->name,
                                                             message->group, message->callable });
    else if (message->kind == WGW_EXEC_STALE)
        on_stale(pool, r, data, len);
    else
        on_garbage(pool, r);
}

/* A process says little. One with many scripts says so when it starts, at once. */
static bool is_too_much(wgw_process_t *row)
{
    enum { MESSAGES_MOST = 2000 }; /* in a second */
    int64_t now_us = wgw_now_us();

    if (now_us - row->message_us >= SECOND_US) {
        row->message_us = now_us;
        row->message_count = 0;
    }
    return ++row->message_count > MESSAGES_MOST;
}

static void on_control(void *ctx, uint32_t r, uint32_t events)
{
    wgw_sup_pool_t *pool = ctx;
    wgw_process_t *row = &pool->rows[r];
    wgw_worker_message_t message;
    char data[WGW_EXEC_MESSAGE_MOST];
    ssize_t n = recv(row->control.fd, data, sizeof data, MSG_TRUNC);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* it is ending, or wants to be told by signals only */
        wgw_sup_loop_close(pool->loop, &row->control);
        return;
    }
    if (!is_too_much(row) && (size_t)n <= sizeof data && wgw_sup_worker_message_decode(data, (size_t)n, &message))
        on_message(pool, r, &message, data, (size_t)n);
    else
        on_garbage(pool, r);
}

static bool is_told(wgw_row_phase_t phase)
{
    return phase == WGW_ROW_DRAINING || phase == WGW_ROW_STOPPING || phase == WGW_ROW_KILLED;
}

static void say_wait(wgw_sup_pool_t *pool, uint32_t r)
{
    int64_t wait_us = wgw_sup_step_wait_us(pool->step, r, wgw_now_us());
    wgw_log_sink_t sink = sink_of(pool);

    if (wait_us)
        wgw_log(&sink, WGW_LOG_NOTICE,
                WGWNO(0125) "the next process of pool '%s' is started in %lld s",
                pool->spec.name, (long long)((wait_us + SECOND_US / 2) / SECOND_US));
}

static void on_exit_of(void *ctx, uint32_t r, uint32_t events)
{
    wgw_sup_pool_t *pool = ctx;
    wgw_process_t *row = &pool->rows[r];
    wgw_log_sink_t sink = sink_of(pool);
    wgw_row_use_t use = wgw_sup_board_use(&pool->board, r);
    int status = 0;
    pid_t rc = waitpid(row->pid, &status, WNOHANG);

    (void)events;
    if (rc == 0 || (rc < 0 && errno == EINTR))
        return;
    wgw_end_t end = { .pid = row->pid, .status = status, .was_ready = row->was_ready, .row = r,
                      .epoch = row->epoch,
                      .was_expected = is_told(wgw_sup_step_phase(pool->step, r)) };
    wgw_sup_board_end(&pool->board, r, row->epoch, status);
    wgw_sup_tally_end(&pool->tally, &end,
                      wgw_sup_source_last(&pool->sources, row->source, row->pid));
    wgw_sup_source_orphan(&pool->sources, row->source);
    wgw_sup_report_end(&sink, &pool->spec, &pool->board, &end);
    wgw_sup_loop_close(pool->loop, &row->exit);
    wgw_sup_loop_close(pool->loop, &row->control);
    row->pid = 0;
    wgw_sup_listener_refuse(&row->listener);
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = r,
                              .is_in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0,
                              .has_served = use.request_count > use.busy_count });
    say_wait(pool, r);
}

/* A channel that takes no message is a process that reads none: its signals remain. */
static void send_message(wgw_process_t *row, const wgw_buffer_t *b)
{
    if (row->control.fd >= 0 && !b->is_short)
        (void)!send(row->control.fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool send_start(wgw_sup_pool_t *pool, uint32_t r)
{
    static const wgw_warm_t NOTHING = { .count = 0 };
    wgw_process_t *row = &pool->rows[r];
    wgw_buffer_t b = { 0 };

    wgw_sup_start_encode(&b, &pool->spec,
                         &(wgw_start_t){ .row = r, .epoch = row->epoch, .has_to_load = row->has_to_load,
                                         .warm = row->is_cold ? &NOTHING : &pool->warm });
    bool is_sent = !b.is_short &&
                   send(row->control.fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len;
    int why = errno;
    wgw_buffer_deinit(&b);
    errno = why;
    return is_sent;
}

/* The process is there; from here on its exit is seen. Returns: what failed, or NULL. */
static const char *adopt(wgw_sup_pool_t *pool, uint32_t r, const wgw_spawned_t *spawned)
{
    wgw_process_t *row = &pool->rows[r];

    row->pid = spawned->pid;
    row->was_ready = row->has_left = row->has_asked = false;
    row->message_count = 0;
    row->epoch = wgw_sup_board_next_epoch(&pool->board);
    wgw_sup_board_begin(&pool->board, r, spawned->pid, row->version);
    wgw_sup_look_begin(&pool->look, r, spawned->pid, row->epoch, row->version);
    wgw_sup_source_add(&pool->sources, spawned->log, spawned->pid, &row->source);
    row->exit = (wgw_watch_t){ .fd = spawned->pid_fd, .call = on_exit_of, .ctx = pool, .index = r };
    row->control = (wgw_watch_t){ .fd = spawned->control, .call = on_control, .ctx = pool,
                                  .index = r };
    if (!wgw_sup_loop_add(pool->loop, &row->exit, EPOLLIN) ||
        !wgw_sup_loop_add(pool->loop, &row->control, EPOLLIN))
        return "epoll_ctl()";
    /* One that has ended already says why in its log pipe, and its exit is seen. */
    return send_start(pool, r) || errno == EPIPE || errno == ECONNRESET
        ? NULL : "sending what it has to know";
}

/* A process that could be made but not watched: it has not run the application yet. */
static void abandon(wgw_sup_pool_t *pool, uint32_t r)
{
    wgw_process_t *row = &pool->rows[r];

    wgw_sup_child_wait(row->pid, 0);
    wgw_sup_source_drop(&pool->sources, row->source);
    wgw_sup_loop_close(pool->loop, &row->exit);
    wgw_sup_loop_close(pool->loop, &row->control);
    row->pid = 0;
}

static const char *try_spawn(wgw_sup_pool_t *pool, uint32_t r, char *why, size_t why_size)
{
    wgw_process_t *row = &pool->rows[r];
    wgw_spawned_t spawned;

    if ((row->is_shut || row->listener.fd < 0) && !open_listener(pool, r, why, why_size))
        return why;
    const wgw_spawn_files_t files = { .listener = row->listener.fd, .board = pool->board.fd };
    const char *failed = wgw_sup_spawn(&pool->spec, &files, &spawned);
    if (!failed) {
        failed = adopt(pool, r, &spawned);
        if (failed)
            abandon(pool, r);
    }
    if (failed)
        snprintf(why, why_size, "%s: %s", failed, strerror(errno));
    return failed ? why : NULL;
}

static void spawn(wgw_sup_pool_t *pool, const wgw_action_t *action)
{
    uint32_t r = action->row;
    wgw_log_sink_t sink = sink_of(pool);
    char why[640];

    pool->rows[r].version = action->version;
    pool->rows[r].has_to_load = action->has_to_load;
    pool->rows[r].is_cold = action->is_trial && action->cause == WGW_CAUSE_INACTIVITY;
    const char *failed = try_spawn(pool, r, why, sizeof why);
    if (!failed && action->is_trial) {
        wgw_log(&sink, WGW_LOG_INFO, WGWNO(0128) "process %ld of pool '%s' was started, to replace "
                "another one (%s)", (long)pool->rows[r].pid, pool->spec.name,
                wgw_sup_cause_name(action->cause));
        return;
    }
    if (!failed) {
        wgw_log(&sink, WGW_LOG_INFO, WGWNO(0122) "process %ld of pool '%s' was started",
                (long)pool->rows[r].pid, pool->spec.name);
        return;
    }
    wgw_log(&sink, WGW_LOG_ERR,
            WGWNO(0102) "a process of pool '%s' cannot be started: %s; it is tried again",
            pool->spec.name, failed);
    wgw_sup_tally_unmade(&pool->tally, failed);
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = r, .is_unmade = true });
}

/* --- actions -------------------------------------------------------------------------- */

static void tell(wgw_process_t *row, wgw_exec_message_t kind, int64_t timeout_us)
{
    wgw_buffer_t b = { 0 };

    wgw_sup_end_encode(&b, kind, timeout_us);
    send_message(row, &b);
    wgw_buffer_deinit(&b);
}

static void end_process(wgw_sup_pool_t *pool, const wgw_action_t *action)
{
    wgw_process_t *row = &pool->rows[action->row];
    wgw_log_sink_t sink = sink_of(pool);

    wgw_sup_board_hide(&pool->board, action->row);
    wgw_sup_report_action(&sink, &pool->spec, action, row->pid);
    wgw_sup_tally_action(&pool->tally, action, row->pid);
    if (!row->pid)
        return;
    if (action->kind == WGW_ACTION_KILL) {
        /* With all that it has started; without a session of its own yet, itself alone. */
        kill(-row->pid, SIGKILL);
        kill(row->pid, SIGKILL);
        return;
    }
    tell(row, action->kind == WGW_ACTION_DRAIN ? WGW_EXEC_DRAIN : WGW_EXEC_STOP,
         action->timeout_us);
    if (action->kind == WGW_ACTION_STOP || row->control.fd < 0)
        kill(row->pid, SIGTERM);
}

static void note_versions(wgw_sup_pool_t *pool)
{
    wgw_versions_t versions = wgw_sup_step_versions(pool->step);
    wgw_log_sink_t sink = sink_of(pool);

    if (versions.newest == pool->versions.newest && versions.failed == pool->versions.failed)
        return;
    if (versions.failed && !pool->versions.failed) {
        wgw_sup_tally_failed_version(&pool->tally);
        wgw_log(&sink, WGW_LOG_ERR,
                WGWNO(0129) "the new code of pool '%s' does not import, see the lines before: the old "
                "processes go on serving, until it changes again", pool->spec.name);
    }
    pool->versions = versions;
    wgw_sup_board_set_versions(&pool->board, versions.newest, versions.failed);
}

/* Actions lie in the step function's memory until the next event, which carrying one out may
 * make: a copy is gone through. */
static void take(wgw_sup_pool_t *pool, wgw_event_t event)
{
    wgw_actions_t actions = wgw_sup_step(pool->step, event, wgw_now_us());
    wgw_action_t *copy = calloc(actions.count + 1, sizeof *copy);

    pool->wake_us = actions.wake_us;
    pool->is_over = actions.is_over;
    note_versions(pool);
    wgw_sup_board_set_down(&pool->board, !wgw_sup_step_is_up(pool->step, wgw_now_us()));
    if (!copy)
        abort(); /* a row would be lost for ever; httpd starts another supervisor */
    memcpy(copy, actions.items, actions.count * sizeof *copy);
    for (size_t i = 0; i < actions.count; i++)
        if (copy[i].kind == WGW_ACTION_SPAWN)
            spawn(pool, &copy[i]);
        else
            end_process(pool, &copy[i]);
    free(copy);
}

static void on_found(void *ctx, wgw_event_t found)
{
    wgw_sup_pool_t *pool = ctx;

    if (found.kind == WGW_EVENT_REPLACE)
        want(pool, found.row, found.cause);
    else
        take(pool, found);
}

/* --- the pool ------------------------------------------------------------------------- */

wgw_sup_pool_t *wgw_sup_pool_make(const wgw_loop_t *loop, const wgw_pool_spec_t *spec, void *memory,
                                  int board_fd, int log_fd, char *why, size_t why_size)
{
    wgw_sup_pool_t *pool = calloc(1, sizeof *pool);

    if (!pool) {
        free(memory);
        close(board_fd);
        close(log_fd);
        snprintf(why, why_size, "memory is short");
        return NULL;
    }
    pool->loop = loop;
    pool->spec = *spec;
    pool->memory = memory;
    pool->wake_us = WGW_STEP_NEVER;
    wgw_sup_logfile_init(&pool->logfile, log_fd);
    wgw_sup_sources_init(&pool->sources, loop, &pool->logfile, (wgw_level_t)spec->log_level);
    pool->rows = calloc(spec->row_count, sizeof *pool->rows);
    pool->step = wgw_sup_step_create(&(wgw_step_config_t){
        .process_count = spec->process_count, .row_count = spec->row_count,
        .process_least = spec->process_least,
        .is_service = spec->is_service,
        .restart_interval_us = (int64_t)spec->restart_interval_us,
        .startup_timeout_us = (int64_t)spec->startup_timeout_us,
        .graceful_timeout_us = (int64_t)spec->graceful_timeout_us,
        .eviction_timeout_us = (int64_t)spec->eviction_timeout_us,
        .shutdown_timeout_us = (int64_t)spec->shutdown_timeout_us });
    const char *wrong = wgw_sup_board_open(&pool->board, board_fd, spec->row_count,
                                           spec->entry_count);
    pool->tally.map = pool->board.map;
    if (pool->rows)
        for (uint32_t r = 0; r < spec->row_count; r++)
            pool->rows[r].listener.fd = pool->rows[r].hup.fd = pool->rows[r].exit.fd =
                pool->rows[r].control.fd = -1;
    bool can_look = wgw_sup_look_init(&pool->look, &pool->spec, &pool->board, pool->step,
                                      sink_of(pool), on_found);
    if (!wrong && pool->rows && can_look && pool->step)
        return pool;
    snprintf(why, why_size, "pool '%s': %s", spec->name, wrong ? wrong : "memory is short");
    wgw_sup_pool_destroy(pool);
    return NULL;
}

wgw_sup_pool_t *wgw_sup_pool_create(const wgw_loop_t *loop, const wgw_pool_spec_t *spec,
                                    void *memory, int board_fd, int log_fd, char *why,
                                    size_t why_size)
{
    wgw_sup_pool_t *pool = wgw_sup_pool_make(loop, spec, memory, board_fd, log_fd, why, why_size);

    if (pool)
        wgw_sup_board_clear(&pool->board);
    return pool;
}

bool wgw_sup_pool_watch(wgw_sup_pool_t *pool, uint32_t r)
{
    wgw_process_t *row = &pool->rows[r];
    int listener = row->is_shut ? -1 : row->listener.fd;

    row->hup = (wgw_watch_t){ .fd = listener, .call = on_listener, .ctx = pool, .index = r };
    row->exit = (wgw_watch_t){ .fd = row->exit.fd, .call = on_exit_of, .ctx = pool, .index = r };
    row->control = (wgw_watch_t){ .fd = row->control.fd, .call = on_control, .ctx = pool, .index = r };
    return (row->hup.fd < 0 || wgw_sup_loop_add(pool->loop, &row->hup, EPOLLRDHUP)) &&
           (row->exit.fd < 0 || wgw_sup_loop_add(pool->loop, &row->exit, EPOLLIN)) &&
           (row->control.fd < 0 || wgw_sup_loop_add(pool->loop, &row->control, EPOLLIN));
}

bool wgw_sup_pool_listen(wgw_sup_pool_t *pool, char *why, size_t why_size)
{
    for (uint32_t r = 0; r < pool->spec.row_count; r++)
        if (!open_listener(pool, r, why, why_size))
            return false;
    return true;
}

void wgw_sup_pool_start(wgw_sup_pool_t *pool)
{
    take(pool, (wgw_event_t){ .kind = WGW_EVENT_START });
}

void wgw_sup_pool_end(wgw_sup_pool_t *pool, bool drains, int64_t graceful_limit_us,
                      int64_t shutdown_limit_us)
{
    take(pool, (wgw_event_t){ .kind = drains ? WGW_EVENT_RETIRE : WGW_EVENT_STOP,
                              .graceful_limit_us = graceful_limit_us,
                              .shutdown_limit_us = shutdown_limit_us });
}

const char *wgw_sup_pool_path(const wgw_sup_pool_t *pool)
{
    return pool->spec.socket_path;
}

void wgw_sup_pool_go_on(wgw_sup_pool_t *pool, int log_fd)
{
    wgw_sup_logfile_deinit(&pool->logfile);
    wgw_sup_logfile_init(&pool->logfile, log_fd);
    wgw_sup_warm_forget_callables(&pool->warm); /* directives may name others now */
    if (!pool->spec.keeps_on_graceful)
        reload(pool, WGW_CAUSE_RELOAD);
}

const char *wgw_sup_pool_name(const wgw_sup_pool_t *pool)
{
    return pool->spec.name;
}

uint32_t wgw_sup_pool_reload(wgw_sup_pool_t *pool)
{
    reload(pool, WGW_CAUSE_ORDER);
    return wgw_sup_step_versions(pool->step).newest;
}

wgw_reload_state_t wgw_sup_pool_look_at_reload(const wgw_sup_pool_t *pool, uint32_t version,
                                               int64_t since_us, const char **why_out)
{
    bool has_failed = pool->tally.failed_us >= since_us;

    *why_out = has_failed ? pool->tally.failure : "see the error log";
    return wgw_sup_look_at_reload(&pool->look, version, has_failed);
}

void wgw_sup_pool_show(const wgw_sup_pool_t *pool, wgw_json_t *json, uint32_t generation,
                       bool is_ending, int64_t now_us)
{
    wgw_sup_status_put(json, &(wgw_pool_status_t){ .look = &pool->look, .tally = &pool->tally,
                                                   .generation = generation,
                                                   .is_ending = is_ending }, now_us);
}

bool wgw_sup_pool_is_over(const wgw_sup_pool_t *pool)
{
    return pool->is_over;
}

/* Who had claimed a thread of a process that is gone, and comes late. */
static void refuse_late(wgw_sup_pool_t *pool)
{
    for (uint32_t r = 0; r < pool->spec.row_count; r++)
        if (wgw_sup_step_phase(pool->step, r) == WGW_ROW_EMPTY)
            wgw_sup_listener_refuse(&pool->rows[r].listener);
}

static int64_t earlier(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

int64_t wgw_sup_pool_tick(wgw_sup_pool_t *pool, int64_t now_us)
{
    if (pool->wake_us <= now_us)
        take(pool, (wgw_event_t){ .kind = WGW_EVENT_TICK });
    if (pool->reload_us && pool->reload_us <= now_us)
        reload(pool, WGW_CAUSE_SCRIPT);
    if (wgw_sup_look_is_due(&pool->look, now_us))
        refuse_late(pool);
    int64_t look_us = wgw_sup_look_tick(&pool->look, now_us);
    int64_t resume_us = wgw_sup_sources_tick(&pool->sources, now_us);
    say_lost(pool, now_us);
    int64_t wake_us = earlier(resume_us, earlier(pool->wake_us, look_us));
    if (pool->reload_us)
        wake_us = earlier(wake_us, pool->reload_us);
    if (pool->sources.rate.dropped_count || pool->logfile.lost_count)
        wake_us = earlier(wake_us, pool->said_us + SECOND_US);
    return wake_us;
}

void wgw_sup_pool_destroy(wgw_sup_pool_t *pool)
{
    if (!pool)
        return;
    wgw_sup_sources_deinit(&pool->sources);
    for (uint32_t r = 0; pool->rows && r < pool->spec.row_count; r++)
        close_listener(pool, r);
    wgw_sup_board_close(&pool->board);
    wgw_sup_logfile_deinit(&pool->logfile);
    wgw_sup_look_deinit(&pool->look);
    wgw_sup_step_destroy(pool->step);
    wgw_sup_warm_deinit(&pool->warm);
    wgw_buffer_deinit(&pool->stale);
    free(pool->rows);
    free(pool->memory);
    free(pool);
}
