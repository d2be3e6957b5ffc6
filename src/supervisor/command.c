/* Peers are root, or who has started us; even so nobody is waited for: all descriptors are
 * non-blocking, and everything has a bound. */
#include "supervisor/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/json.h"
#include "supervisor/listener.h"

enum { CONNECTIONS_MOST = 16 };  /* more wait to be accepted */
#define SECOND_US INT64_C(1000000)
#define LINE_US (5 * SECOND_US)  /* until the line is complete */
#define TAKE_US (10 * SECOND_US) /* until the answer is taken */
#define WAIT_US (600 * SECOND_US) /* of a reload that is waited for */

typedef enum { READING, WAITING, WRITING } stage_t;

typedef struct {
    wgw_command_t *all;
    wgw_watch_t watch;    /* fd -1: the place is free */
    stage_t stage;
    int64_t until_us;     /* of the stage */
    struct ucred peer;
    size_t len;           /* of `line` */
    char line[WGW_COMMAND_LINE_MOST];
    wgw_reload_t *reloads;
    size_t reload_count;
    wgw_buffer_t answer;
    size_t sent;          /* bytes of it */
} connection_t;

struct wgw_command_t {
    const wgw_loop_t *loop;
    wgw_generations_t *generations;
    wgw_log_sink_t sink;
    wgw_listener_t listener;
    wgw_watch_t watch;    /* of the listener */
    bool is_ending;
    connection_t connections[CONNECTIONS_MOST];
};

/* --- connections ---------------------------------------------------------------------- */

static bool is_open(const connection_t *c)
{
    return c->watch.fd >= 0;
}

static void close_connection(connection_t *c)
{
    wgw_command_t *all = c->all;

    wgw_sup_loop_close(all->loop, &c->watch);
    wgw_sup_reloads_free(c->reloads, c->reload_count);
    wgw_buffer_deinit(&c->answer);
    *c = (connection_t){ .all = all, .watch.fd = -1 };
    wgw_sup_loop_change(all->loop, &all->watch, EPOLLIN); /* there is a place again */
}

static void set_stage(connection_t *c, stage_t stage, uint32_t events, int64_t us)
{
    c->stage = stage;
    c->until_us = wgw_now_us() + us;
    wgw_sup_loop_change(c->all->loop, &c->watch, events);
}

/* What was sent beyond the line is dropped, if it is not very much: unread, it would reset the
 * connection. */
static void drop_input(const connection_t *c)
{
    enum { ROUNDS_MOST = 16 };
    char surplus[4096];

    for (int i = 0; i < ROUNDS_MOST; i++)
        if (recv(c->watch.fd, surplus, sizeof surplus, MSG_DONTWAIT) <= 0)
            return;
}

static void write_some(connection_t *c)
{
    while (c->sent < c->answer.len) {
        ssize_t n = send(c->watch.fd, c->answer.data + c->sent, c->answer.len - c->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        c->sent += (size_t)n;
    }
    drop_input(c);
    close_connection(c);
}

/* --- answers -------------------------------------------------------------------------- */

static wgw_json_t begin_answer(bool is_ok)
{
    wgw_json_t json = { .has_item = false };

    wgw_json_open(&json, NULL, '{');
    wgw_json_number(&json, "version", WGW_COMMAND_VERSION);
    wgw_json_bool(&json, "ok", is_ok);
    return json;
}

/* Owns: what is in `json`. */
static void end_answer(connection_t *c, wgw_json_t *json)
{
    wgw_json_close(json, '}');
    wgw_buffer_append(&json->out, "\n", 1);
    wgw_buffer_deinit(&c->answer);
    c->answer = json->out;
    if (c->answer.is_short) {
        close_connection(c);
        return;
    }
    set_stage(c, WRITING, EPOLLOUT, TAKE_US);
    write_some(c);
}

static void refuse(connection_t *c, const char *error, const char *message)
{
    wgw_json_t json = begin_answer(false);

    wgw_json_text(&json, "error", error);
    wgw_json_text(&json, "message", message);
    end_answer(c, &json);
}

static void answer_status(connection_t *c)
{
    wgw_json_t json = begin_answer(true);

    wgw_json_number(&json, "supervisor", getpid());
    wgw_json_number(&json, "generation", wgw_sup_generations_number(c->all->generations));
    wgw_json_bool(&json, "is_ending", c->all->is_ending);
    wgw_json_open(&json, "pools", '[');
    wgw_sup_generations_show(c->all->generations, &json, wgw_now_us());
    wgw_json_close(&json, ']');
    end_answer(c, &json);
}

/* --- reload --------------------------------------------------------------------------- */

static const char *result_of(const wgw_reload_t *reload, bool is_awaited)
{
    if (!is_awaited)
        return "accepted";
    if (reload->is_gone)
        return "superseded";
    if (reload->state == WGW_RELOAD_DONE)
        return "done";
    return reload->state == WGW_RELOAD_FAILED ? "failed" : "not in time";
}

static void answer_reload(connection_t *c, bool is_awaited)
{
    bool is_ok = true;

    for (size_t i = 0; is_awaited && i < c->reload_count; i++)
        is_ok = is_ok && !c->reloads[i].is_gone && c->reloads[i].state == WGW_RELOAD_DONE;
    wgw_json_t json = begin_answer(is_ok);
    if (!is_ok) {
        wgw_json_text(&json, "error", "not-reloaded");
        wgw_json_text(&json, "message", "not all processes were replaced");
    }
    wgw_json_open(&json, "pools", '[');
    for (size_t i = 0; i < c->reload_count; i++) {
        const wgw_reload_t *reload = &c->reloads[i];
        wgw_json_open(&json, NULL, '{');
        wgw_json_text(&json, "name", reload->name ? reload->name : "");
        wgw_json_number(&json, "version", reload->version);
        wgw_json_text(&json, "result", result_of(reload, is_awaited));
        if (is_awaited && reload->state == WGW_RELOAD_FAILED)
            wgw_json_text(&json, "reason", reload->why);
        wgw_json_close(&json, '}');
    }
    wgw_json_close(&json, ']');
    end_answer(c, &json);
}

static void log_reload(const connection_t *c, const char *name)
{
    wgw_log(&c->all->sink, WGW_LOG_NOTICE,
            WGWNO(0163) "%s%s%s is reloaded: process %ld of user %ld has asked for it at the control "
            "socket", *name ? "pool '" : "every pool", name, *name ? "'" : "", (long)c->peer.pid,
            (long)c->peer.uid);
}

static void on_reload(connection_t *c, const char *name, bool waits)
{
    if (c->all->is_ending) {
        refuse(c, "ending", "httpd is stopping");
        return;
    }
    c->reload_count = wgw_sup_generations_reload(c->all->generations, name, &c->reloads);
    if (c->reload_count == 0 && *name) {
        refuse(c, "no-such-pool", "no WSGIDaemonProcess of this name is configured");
        return;
    }
    log_reload(c, name);
    if (waits)
        set_stage(c, WAITING, 0, WAIT_US); /* its end alone is of interest */
    else
        answer_reload(c, false);
}

/* Look at all of them: the answer may be due for another reason. Returns: true when there is nothing
 * left to wait for. */
static bool is_reloaded(connection_t *c)
{
    bool is_over = true;

    for (size_t i = 0; i < c->reload_count; i++) {
        wgw_sup_generations_look_at_reload(c->all->generations, &c->reloads[i]);
        if (!c->reloads[i].is_gone && c->reloads[i].state == WGW_RELOAD_UNDER_WAY)
            is_over = false;
    }
    return is_over;
}

/* --- requests ------------------------------------------------------------------------- */

/* Returns: what follows `word` and a space in `line`, "" when nothing does; NULL: another word. */
static const char *behind(const char *line, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(line, word, len) != 0 || (line[len] && line[len] != ' '))
        return NULL;
    return line[len] ? line + len + 1 : line + len;
}

static void on_line(connection_t *c)
{
    char version[12];
    const char *rest, *name;

    snprintf(version, sizeof version, "%d", WGW_COMMAND_VERSION);
    if (strlen(c->line) != c->len || !(rest = behind(c->line, version)))
        refuse(c, "malformed", "a request is a line: 1 status, 1 reload [POOL], or 1 reload-wait [POOL]");
    else if ((name = behind(rest, "status")) && !*name)
        answer_status(c);
    else if ((name = behind(rest, "reload")))
        on_reload(c, name, false);
    else if ((name = behind(rest, "reload-wait")))
        on_reload(c, name, true);
    else
        refuse(c, "unknown-request", "this version knows status, reload and reload-wait");
}

static void read_some(connection_t *c)
{
    ssize_t n = recv(c->watch.fd, c->line + c->len, sizeof c->line - c->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_connection(c);
        return;
    }
    char *newline = memchr(c->line + c->len, '\n', (size_t)n);
    c->len += (size_t)n;
    if (newline) {
        *newline = '\0';
        c->len = (size_t)(newline - c->line);
        on_line(c);
    } else if (c->len == sizeof c->line) {
        refuse(c, "malformed", "the line is too long");
    }
}

static void on_connection(void *ctx, uint32_t index, uint32_t events)
{
    connection_t *c = ctx;

    (void)index;
    if (c->stage == WAITING || (events & EPOLLERR))
        close_connection(c); /* nobody is there any more */
    else if (c->stage == READING)
        read_some(c);
    else
        write_some(c);
}

static connection_t *find_free(wgw_command_t *all)
{
    for (int i = 0; i < CONNECTIONS_MOST; i++)
        if (!is_open(&all->connections[i]))
            return &all->connections[i];
    return NULL;
}

static bool is_allowed(const connection_t *c)
{
    return c->peer.uid == 0 || c->peer.uid == geteuid();
}

static void on_listener(void *ctx, uint32_t index, uint32_t events)
{
    wgw_command_t *all = ctx;
    connection_t *c = find_free(all);
    socklen_t size = sizeof c->peer;

    (void)index, (void)events;
    if (!c) {
        wgw_sup_loop_change(all->loop, &all->watch, 0);
        return;
    }
    int fd = accept4(all->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    c->watch = (wgw_watch_t){ .fd = fd, .call = on_connection, .ctx = c };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &size) != 0 ||
        !wgw_sup_loop_add(all->loop, &c->watch, EPOLLIN)) {
        close(fd);
        c->watch.fd = -1;
        return;
    }
    set_stage(c, READING, EPOLLIN, LINE_US);
    if (!is_allowed(c))
        refuse(c, "not-permitted", "root, or the user who started httpd, may ask");
}

/* --- the socket ----------------------------------------------------------------------- */

wgw_command_t *wgw_sup_command_create(const wgw_loop_t *loop, wgw_generations_t *generations,
                                      wgw_log_sink_t sink)
{
    wgw_command_t *command = calloc(1, sizeof *command);

    if (!command)
        return NULL;
    *command = (wgw_command_t){ .loop = loop, .generations = generations, .sink = sink,
                                .listener.fd = -1, .watch.fd = -1 };
    for (int i = 0; i < CONNECTIONS_MOST; i++)
        command->connections[i] = (connection_t){ .all = command, .watch.fd = -1 };
    return command;
}

static void close_listener(wgw_command_t *command)
{
    wgw_sup_loop_remove(command->loop, &command->watch);
    wgw_sup_listener_close(&command->listener);
}

void wgw_sup_command_listen(wgw_command_t *command, const char *path)
{
    wgw_listener_t *l = &command->listener;
    char why[640];

    if (strcmp(l->address.sun_path, path) == 0 && wgw_sup_listener_is_there(l))
        return;
    close_listener(command);
    if (!*path)
        return;
    if (!wgw_sup_listener_open_at(l, path, why, sizeof why)) {
        wgw_log(&command->sink, WGW_LOG_WARN,
                WGWNO(0161) "the command wsgigw cannot reach this httpd, as its control socket cannot be "
                "opened: %s", why);
        return;
    }
    command->watch = (wgw_watch_t){ .fd = l->fd, .call = on_listener, .ctx = command };
    if (!wgw_sup_loop_add(command->loop, &command->watch, EPOLLIN))
        close_listener(command);
}

void wgw_sup_command_end(wgw_command_t *command)
{
    command->is_ending = true;
}

int64_t wgw_sup_command_tick(wgw_command_t *command, int64_t now_us)
{
    int64_t wake_us = INT64_MAX;

    for (int i = 0; i < CONNECTIONS_MOST; i++) {
        connection_t *c = &command->connections[i];
        if (is_open(c) && c->stage == WAITING &&
            (is_reloaded(c) || command->is_ending || c->until_us <= now_us))
            answer_reload(c, true);
        else if (is_open(c) && c->until_us <= now_us)
            close_connection(c);
        if (is_open(c) && c->until_us < wake_us)
            wake_us = c->until_us;
    }
    return wake_us;
}

void wgw_sup_command_destroy(wgw_command_t *command)
{
    for (int i = 0; i < CONNECTIONS_MOST; i++)
        if (is_open(&command->connections[i]))
            close_connection(&command->connections[i]);
    close_listener(command);
    free(command);
}
