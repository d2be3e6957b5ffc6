/* wsgigw-supervisor: starts, limits, watches and retires daemon processes.
 * This file joins the channel, the generations, and the life of the httpd parent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/log.h"
#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/generation.h"
#include "supervisor/logfile.h"
#include "supervisor/loop.h"
#include "supervisor/message.h"
#include "supervisor/spawn.h"
#include "supervisor/state.h"
#include "supervisor/successor.h"
#include "wsgigw/layout.h"
#include "wsgigw/version.h"

/* After the parent's death, or SIGTERM: all is over within 8 s. */
#define ORPHAN_GRACEFUL_US INT64_C(3000000)
#define ORPHAN_SHUTDOWN_US INT64_C(2500000)

typedef struct {
    wgw_loop_t loop;
    wgw_channel_t channel;
    wgw_generations_t *generations;
    wgw_command_t *command;
    char command_path[256];         /* where it is to listen after COMMIT; longer than any can be */
    wgw_logfile_t logfile;          /* our own standard error */
    wgw_watch_t parent, messages, signals;
    bool is_ending;                 /* told to stop, or alone */
    bool is_leaving;                /* another supervisor runs beside this one */
    bool has_warned;                /* of a foreign message: once is enough */
    bool has_failed;                /* a message of this description was refused; COMMIT says why */
    char why[768];
} supervisor_t;

static void write_log(void *ctx, wgw_level_t level, const char *text, size_t len)
{
    wgw_sup_logfile_write(ctx, level, getpid(), text, len);
}

static wgw_log_sink_t sink_of(supervisor_t *s)
{
    return (wgw_log_sink_t){ .write = write_log, .ctx = &s->logfile };
}

/* --- over exec() ---------------------------------------------------------------------- */

/* Returns: false when the state is not one that this build can go on with. */
static bool move(supervisor_t *s, wgw_state_t *state)
{
    uint32_t version = WGW_SUP_STATE_VERSION;
    uint64_t layout = wgw_layout();

    wgw_sup_state_u32(state, &version);
    wgw_sup_state_u64(state, &layout);
    if (version != WGW_SUP_STATE_VERSION || layout != wgw_layout())
        return false;
    wgw_sup_state_bool(state, &s->has_warned);
    wgw_sup_spawn_move(state);
    wgw_sup_generations_move(s->generations, state);
    return wgw_sup_state_is_whole(state);
}

/* Returns: what is wrong, or NULL. */
static const char *restore(supervisor_t *s, int fd)
{
    wgw_state_t state;
    char *memory;
    bool is_restored = wgw_sup_state_load(&state, fd, &memory) && move(s, &state);

    free(memory);
    return is_restored ? NULL : "what the supervisor before it has left cannot be read";
}

/* The channel and the error log are the successor's, too. */
static void expose_standard(bool is_exposed)
{
    for (int fd = 1; fd <= WGW_FD_PARENT; fd++)
        fcntl(fd, F_SETFD, is_exposed ? 0 : FD_CLOEXEC);
}

/* Returns: only when this process stays what it is, and why. */
static wgw_successor_t make_way(supervisor_t *s, const char *program)
{
    wgw_state_t state = { .is_saving = true };
    wgw_successor_t verdict = WGW_SUCCESSOR_BROKEN;

    wgw_sup_generations_forget(s->generations);
    int fd = move(s, &state) ? wgw_sup_state_store(&state) : -1;
    expose_standard(true);
    if (fd >= 0 && (verdict = wgw_sup_successor_check(program, &state, fd)) == WGW_SUCCESSOR_FITS) {
        wgw_sup_successor_become(program, &state, fd);
        verdict = WGW_SUCCESSOR_BROKEN;
    }
    expose_standard(false);
    if (fd >= 0)
        close(fd);
    wgw_sup_state_deinit(&state);
    return verdict;
}

static void leave(supervisor_t *s)
{
    s->is_leaving = true;
    wgw_sup_generations_leave(s->generations);
    wgw_sup_command_listen(s->command, ""); /* the path is the other one's */
    wgw_sup_channel_greet(&s->channel, false);
    wgw_sup_loop_remove(&s->loop, &s->messages);
}

static void on_hello(supervisor_t *s, const char *version, const char *program)
{
    wgw_log_sink_t sink = sink_of(s);

    if (!wgw_sup_successor_is_other(version, program)) {
        wgw_sup_channel_greet(&s->channel, true);
        return;
    }
    wgw_log(&sink, WGW_LOG_NOTICE, WGWNO(0137) "the supervisor of mod_wsgigw " WGW_VERSION_TEXT
            " makes way for %s of mod_wsgigw %s", program, version);
    if (make_way(s, program) == WGW_SUCCESSOR_DIFFERS) {
        wgw_log(&sink, WGW_LOG_NOTICE, WGWNO(0138) "%s works in another way: its own processes are "
                "started beside those of mod_wsgigw " WGW_VERSION_TEXT ", which end when the httpd "
                "processes that use them have ended", program);
        leave(s);
        return;
    }
    wgw_log(&sink, WGW_LOG_ERR, WGWNO(0139) "%s cannot be run: the supervisor of mod_wsgigw "
            WGW_VERSION_TEXT " goes on; install mod_wsgigw completely, and restart httpd gracefully",
            program);
    wgw_sup_channel_greet(&s->channel, true);
}

/* --- messages of the parent ----------------------------------------------------------- */

static void refuse(supervisor_t *s, const char *why)
{
    if (!s->has_failed && why != s->why)
        snprintf(s->why, sizeof s->why, "%s", why);
    s->has_failed = true;
    wgw_sup_generations_forget(s->generations);
}

static int take_fd(wgw_received_t *received, size_t i)
{
    int fd = received->fds[i];

    received->fds[i] = -1;
    return fd;
}

static void on_generation(supervisor_t *s, const wgw_parent_message_t *m, wgw_received_t *received)
{
    s->has_failed = false;
    snprintf(s->command_path, sizeof s->command_path, "%s", m->control_path);
    if (!wgw_sup_generations_begin(s->generations, m, take_fd(received, 0), s->why, sizeof s->why))
        refuse(s, s->why);
}

static void on_pool(supervisor_t *s, wgw_parent_message_t *m, wgw_received_t *received)
{
    if (s->has_failed || received->fd_count < 1) {
        free(m->memory);
        refuse(s, "POOL came without its scoreboard");
        return;
    }
    int board_fd = take_fd(received, 0), log_fd = take_fd(received, 1);
    if (!wgw_sup_generations_add(s->generations, m, board_fd, log_fd, s->why, sizeof s->why))
        refuse(s, s->why);
}

static void on_commit(supervisor_t *s)
{
    uint32_t number = wgw_sup_generations_number(s->generations);

    if (!s->has_failed &&
        !wgw_sup_generations_commit(s->generations, s->why, sizeof s->why))
        refuse(s, s->why);
    if (!s->has_failed)
        wgw_sup_command_listen(s->command, s->command_path);
    if (s->has_failed)
        wgw_sup_channel_send(&s->channel, WGW_CONTROL_FAILED, number, s->why);
    else
        wgw_sup_channel_send(&s->channel, WGW_CONTROL_READY, number, NULL);
    s->has_failed = false;
}

static void on_message(supervisor_t *s, wgw_received_t *received)
{
    wgw_log_sink_t sink = sink_of(s);
    wgw_parent_message_t m;
    const char *wrong = wgw_sup_message_decode(received->data, received->len, &m);

    if (wrong) {
        wgw_log(&sink, WGW_LOG_ERR, WGWNO(0118) "a message of httpd is refused: %s", wrong);
        refuse(s, wrong);
    } else if (s->is_ending) {
        free(m.memory);
    } else if (m.kind == WGW_CONTROL_HELLO) {
        on_hello(s, m.version, m.program);
    } else if (m.kind == WGW_CONTROL_GENERATION) {
        on_generation(s, &m, received);
    } else if (m.kind == WGW_CONTROL_POOL) {
        on_pool(s, &m, received);
    } else if (m.kind == WGW_CONTROL_COMMIT) {
        on_commit(s);
    } else {
        s->is_ending = true;
        wgw_sup_command_end(s->command);
        wgw_sup_generations_end(s->generations, m.is_graceful, 0, 0);
    }
}

/* --- events --------------------------------------------------------------------------- */

static void on_channel(void *ctx, uint32_t index, uint32_t events)
{
    supervisor_t *s = ctx;
    wgw_log_sink_t sink = sink_of(s);
    wgw_received_t received;

    (void)index, (void)events;
    switch (wgw_sup_channel_receive(&s->channel, &received)) {
    case WGW_RECEIVE_MESSAGE:
        on_message(s, &received);
        wgw_sup_received_close(&received);
        break;
    case WGW_RECEIVE_FOREIGN:
        if (!s->has_warned)
            wgw_log(&sink, WGW_LOG_WARN, WGWNO(0117) "a message on the channel of httpd's parent "
                    "was dropped: it is too long, or another process has sent it");
        s->has_warned = true;
        break;
    case WGW_RECEIVE_END: /* the parent lives as long as its pidfd says */
        wgw_sup_loop_remove(&s->loop, &s->messages);
        break;
    case WGW_RECEIVE_NOTHING:
        break;
    }
}

static void end_soon(supervisor_t *s)
{
    s->is_ending = true;
    wgw_sup_command_end(s->command);
    wgw_sup_generations_end(s->generations, true, ORPHAN_GRACEFUL_US, ORPHAN_SHUTDOWN_US);
}

static void on_parent(void *ctx, uint32_t index, uint32_t events)
{
    supervisor_t *s = ctx;
    wgw_log_sink_t sink = sink_of(s);

    (void)index, (void)events;
    wgw_sup_loop_close(&s->loop, &s->parent);
    if (!s->is_ending)
        wgw_log(&sink, WGW_LOG_WARN,
                WGWNO(0116) "httpd's parent process is gone without saying so: all daemon "
                "processes end");
    end_soon(s);
}

static void on_signal(void *ctx, uint32_t index, uint32_t events)
{
    supervisor_t *s = ctx;
    struct signalfd_siginfo info;

    (void)index, (void)events;
    if (read(s->signals.fd, &info, sizeof info) == sizeof info)
        end_soon(s);
}

/* --- start ---------------------------------------------------------------------------- */

static void prepare_signals(supervisor_t *s)
{
    static const int IGNORED[] = { SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
    sigset_t term;

    for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
        signal(IGNORED[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would reap them itself */
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_SETMASK, &term, NULL);
    s->signals.fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Descriptor 0 is handed to every process as it is: /dev/null, read only. */
static bool prepare_descriptors(void)
{
    int null = open("/dev/null", O_RDONLY);

    if (null < 0 || (null != 0 && dup2(null, 0) != 0))
        return false;
    if (null > 0)
        close(null);
    expose_standard(false);
    return true;
}

/* The maker of the socket must be our parent, before and after its pidfd was opened. */
static const char *watch_parent(supervisor_t *s)
{
    if (s->channel.parent != getppid())
        return "it is started by httpd, not by hand";
    s->parent.fd = (int)syscall(SYS_pidfd_open, s->channel.parent, 0);
    if (s->parent.fd < 0)
        return "pidfd_open(): Linux 5.3 or newer is needed";
    return getppid() == s->channel.parent ? NULL : "httpd is gone";
}

static const char *make_generations(supervisor_t *s)
{
    wgw_sup_logfile_init(&s->logfile, -1);
    return wgw_sup_loop_init(&s->loop) && (s->generations = wgw_sup_generations_create(&s->loop))
        ? NULL : "memory is short";
}

static const char *watch(supervisor_t *s)
{
    const char *wrong;

    prepare_signals(s);
    s->command = wgw_sup_command_create(&s->loop, s->generations, sink_of(s));
    if (!s->command)
        return "memory is short";
    if ((wrong = wgw_sup_channel_open(&s->channel, WGW_FD_PARENT)) || (wrong = watch_parent(s)))
        return wrong;
    s->messages.fd = s->channel.fd;
    s->parent.call = on_parent;
    s->messages.call = on_channel;
    s->signals.call = on_signal;
    s->parent.ctx = s->messages.ctx = s->signals.ctx = s;
    if (!wgw_sup_loop_add(&s->loop, &s->parent, EPOLLIN) ||
        !wgw_sup_loop_add(&s->loop, &s->messages, EPOLLIN) ||
        !wgw_sup_loop_add(&s->loop, &s->signals, EPOLLIN))
        return "epoll_ctl()";
    return NULL;
}

static const char *start(supervisor_t *s)
{
    const char *wrong;

    if (!prepare_descriptors())
        return "/dev/null cannot be opened";
    syscall(SYS_close_range, WGW_FD_PARENT + 1, ~0u, 0);
    setsid();
    if (chdir("/") != 0)
        return "chdir() to /";
    wgw_sup_spawn_init();
    wrong = make_generations(s);
    return wrong ? wrong : watch(s);
}

/* Go on with what the supervisor has known that this process was before. */
static const char *resume(supervisor_t *s, int fd)
{
    const char *wrong;

    if (!prepare_descriptors())
        return "/dev/null cannot be opened";
    if ((wrong = make_generations(s)) || (wrong = restore(s, fd)) || (wrong = watch(s)))
        return wrong;
    wgw_log_sink_t sink = sink_of(s);
    wgw_log(&sink, WGW_LOG_NOTICE, WGWNO(0142) "the supervisor of mod_wsgigw " WGW_VERSION_TEXT
            " goes on with %u pools", wgw_sup_generations_pool_count(s->generations));
    wgw_sup_channel_greet(&s->channel, true);
    return NULL;
}

/* In a child of the supervisor, whose processes and descriptors it has: nothing may come of it. */
static _Noreturn void check(supervisor_t *s, int fd)
{
    _exit(make_generations(s) || restore(s, fd) ? WGW_SUCCESSOR_DIFFERS : WGW_SUCCESSOR_FITS);
}

static void run(supervisor_t *s)
{
    for (;;) {
        int64_t wake_us = wgw_sup_generations_tick(s->generations, wgw_now_us());
        if (wgw_sup_generations_are_over(s->generations, s->is_ending || s->is_leaving))
            break;
        int64_t command_us = wgw_sup_command_tick(s->command, wgw_now_us());
        wgw_sup_loop_run(&s->loop, command_us < wake_us ? command_us : wake_us);
    }
    wgw_sup_command_destroy(s->command);
    if (!s->is_leaving)
        wgw_sup_channel_send(&s->channel, WGW_CONTROL_DRAINED, 0, NULL);
    wgw_sup_generations_destroy(s->generations);
    wgw_sup_channel_close(&s->channel);
}

int main(int argc, char **argv)
{
    static supervisor_t s;
    const char *wrong;

    if (argc == 3 && strcmp(argv[1], WGW_SUP_CHECK) == 0)
        check(&s, atoi(argv[2]));
    wrong = argc == 3 && strcmp(argv[1], WGW_SUP_RESUME) == 0 ? resume(&s, atoi(argv[2])) : start(&s);
    if (wrong) {
        fprintf(stderr, WGWNO(0120) "wsgigw-supervisor cannot start: %s\n", wrong);
        return EXIT_FAILURE;
    }
    run(&s);
    return EXIT_SUCCESS;
}
