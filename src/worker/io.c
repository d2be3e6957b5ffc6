/* Runs no Python and takes no lock that Python holds, so that it works while the
 * interpreter does not. */
#include "worker/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "worker/conn.h"
#include "worker/log.h"
#include "worker/watch.h"
#include "worker/worker.h"

/* What epoll hands out beside connections. */
enum { CONTROL = UINT32_MAX, SIGNALS = UINT32_MAX - 1 };

/* --- signals -------------------------------------------------------------------------- */

static void on_signal_sig(int number)
{
    int before = errno;
    char byte = (char)number;

    if (write(wgw_wrk.signals[1], &byte, 1) != 1) {
        /* the pipe is full: enough signals wait in it */
    }
    errno = before;
}

static void take_signal(int number)
{
    int64_t shutdown_us = (int64_t)wgw_wrk.spec.shutdown_timeout_us;

    switch (number) {
    case SIGTERM:
    case SIGINT:
        wgw_wrk_leave(WGW_LEAVE_SHUTDOWN, shutdown_us, shutdown_us);
        break;
    case SIGUSR1:
        wgw_wrk_want(WGW_CAUSE_EVICTION);
        break;
    case 0: /* only to look at the time again */
        break;
    default: /* SIGHUP, SIGUSR2: for subscribers of the application */
        wgw_log(&wgw_wrk_log, WGW_LOG_INFO, "signal %d came; nobody has subscribed to it", number);
    }
}

static void take_signals(void)
{
    char numbers[16];
    ssize_t count = read(wgw_wrk.signals[0], numbers, sizeof numbers);

    for (ssize_t i = 0; i < count; i++)
        take_signal(numbers[i]);
}

static void set_handlers(void (*handler)(int))
{
    static const int NUMBERS[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGUSR2 };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        sigaction(NUMBERS[i], &action, NULL);
}

void wgw_io_forget_signals(void)
{
    set_handlers(SIG_DFL);
}

void wgw_io_look_again(void)
{
    on_signal_sig(0);
}

/* --- the supervisor ------------------------------------------------------------------- */

static void take_message(const char *message, size_t len)
{
    wgw_cursor_t c = { .at = message, .end = message + len };
    uint8_t type = wgw_cursor_u8(&c);
    int64_t within_us = (int64_t)wgw_cursor_u32(&c) * 1000;
    int64_t shutdown_us = (int64_t)wgw_wrk.spec.shutdown_timeout_us;

    if (!wgw_cursor_is_done(&c) || (type != WGW_EXEC_DRAIN && type != WGW_EXEC_STOP))
        wgw_log(&wgw_wrk_log, WGW_LOG_ERR, WGWNO(0067) "the supervisor sent what this process does "
                "not understand; it is of another version: restart httpd");
    else if (type == WGW_EXEC_DRAIN)
        wgw_wrk_leave(WGW_LEAVE_TOLD, within_us, shutdown_us);
    else
        wgw_wrk_leave(WGW_LEAVE_TOLD, within_us, 0);
}

static void take_control(void)
{
    char message[64];
    ssize_t len = recv(WGW_FD_CONTROL, message, sizeof message, MSG_DONTWAIT);

    if (len > 0) {
        take_message(message, (size_t)len);
    } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
        /* The supervisor has gone: nobody would end this process later. */
        epoll_ctl(wgw_wrk.io_events, EPOLL_CTL_DEL, WGW_FD_CONTROL, NULL);
        wgw_wrk_leave(WGW_LEAVE_TOLD, (int64_t)wgw_wrk.spec.shutdown_timeout_us, 1000000);
    }
}

void wgw_io_tell(const char *message, size_t len)
{
    if (send(WGW_FD_CONTROL, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        /* it has gone, or does not read: the control channel's end will tell */
    }
}

/* --- the thread ----------------------------------------------------------------------- */

/* Until when it has to be gone; INT64_MAX no bound yet. */
static int64_t exit_by_us(void)
{
    pthread_mutex_lock(&wgw_wrk.lock);
    int64_t at_us = wgw_wrk.is_leaving ? wgw_wrk.exit_by.at_us : INT64_MAX;
    pthread_mutex_unlock(&wgw_wrk.lock);
    return at_us;
}

/* Returns: milliseconds for epoll_wait(). */
static int milliseconds_until(int64_t at_us, int64_t now_us)
{
    int64_t left_ms = at_us > now_us ? (at_us - now_us - 1) / 1000 + 1 : 0;

    return at_us == INT64_MAX ? -1 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* Not exit(): threads may still be in Python, or hold any lock. */
static void exit_stuck(void)
{
    wgw_log(&wgw_wrk_log, WGW_LOG_WARN, WGWNO(0068) "this process did not end in time: a request, "
            "or a thread or exit function of the application, was still running; it is ended");
    _exit(WGW_EXIT_STUCK);
}

static void *run(void *unused)
{
    struct epoll_event event;

    (void)unused;
    for (;;) {
        int64_t now_us = wgw_now_us(), exit_us = exit_by_us();
        if (exit_us <= now_us)
            exit_stuck();
        int64_t look_us = wgw_watch_look(now_us);
        int64_t wake_us = look_us < exit_us ? look_us : exit_us;
        if (epoll_wait(wgw_wrk.io_events, &event, 1, milliseconds_until(wake_us, now_us)) != 1)
            continue;
        if (event.data.u64 == CONTROL)
            take_control();
        else if (event.data.u64 == SIGNALS)
            take_signals();
        else
            wgw_conn_on_writable(event.data.u64);
    }
    return NULL;
}

static bool watch(int fd, uint64_t data)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

    return epoll_ctl(wgw_wrk.io_events, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool wgw_wrk_start_thread(void *(*run_it)(void *), void *ctx)
{
    enum { STACK_BYTES = 512 * 1024 }; /* counted by memory-limit */
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, &attributes, run_it, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return rc == 0;
}

bool wgw_io_start(void)
{
    wgw_wrk.io_events = epoll_create1(EPOLL_CLOEXEC);
    if (wgw_wrk.io_events < 0 || pipe2(wgw_wrk.signals, O_CLOEXEC | O_NONBLOCK) != 0 ||
        !watch(WGW_FD_CONTROL, CONTROL) || !watch(wgw_wrk.signals[0], SIGNALS))
        return false;
    set_handlers(on_signal_sig);
    return wgw_wrk_start_thread(run, NULL);
}
