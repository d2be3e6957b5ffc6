/* The requests' texts come from the scoreboard; the sink escapes them. */
#include "supervisor/report.h"

#include <string.h>
#include <sys/wait.h>

#include "base/deadline.h"
#include "wsgigw/exec.h"

enum { REQUESTS_MOST = 64 };

const char *wgw_sup_cause_name(wgw_cause_t cause)
{
    static const char *const NAMES[WGW_CAUSE_COUNT] = {
        [WGW_CAUSE_RELOAD] = "reload",
        [WGW_CAUSE_SCRIPT] = "a script has changed",
        [WGW_CAUSE_EVICTION] = "SIGUSR1",
        [WGW_CAUSE_MAXIMUM_REQUESTS] = "maximum-requests",
        [WGW_CAUSE_RESTART_INTERVAL] = "restart-interval",
        [WGW_CAUSE_INACTIVITY] = "inactivity-timeout",
        [WGW_CAUSE_CPU_TIME] = "cpu-time-limit",
        [WGW_CAUSE_MEMORY] = "memory-reload",
        [WGW_CAUSE_REQUEST_TIMEOUT] = "request-timeout",
        [WGW_CAUSE_DEADLOCK] = "deadlock-timeout",
        [WGW_CAUSE_ORDER] = "control socket",
    };

    return NAMES[cause];
}

static void report_requests(const wgw_log_sink_t *sink, const wgw_sup_board_t *board,
                            const wgw_end_t *end)
{
    int64_t now_us = wgw_now_us();
    wgw_request_seen_t begun;
    uint32_t at = 0;

    for (int i = 0; i < REQUESTS_MOST; i++) {
        if (!wgw_sup_board_next_begun(board, end->row, end->epoch, &at, now_us, &begun))
            return;
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0104) "process %ld was serving %s (request id %s), for %lld.%lld s",
                (long)end->pid, begun.line, *begun.log_id ? begun.log_id : "-",
                (long long)(begun.state_us / 1000000), (long long)(begun.state_us / 100000 % 10));
    }
}

static void report_signal(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                          const wgw_end_t *end)
{
    int number = WTERMSIG(end->status);
    const char *name = sigabbrev_np(number);
    const char *advice = "";

    if (number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGILL ||
        number == SIGFPE)
        advice = "; a fault in a C extension, as a rule: the lines before have the Python stacks, and "
                 "WSGIApplicationGroup %{GLOBAL} helps with extensions that do not know "
                 "sub-interpreters";
    else if (number == SIGKILL)
        advice = "; by somebody outside, or by the system for lack of memory (see the kernel's "
                 "log)";
    wgw_log(sink, WGW_LOG_ERR,
            WGWNO(0103) "process %ld of pool '%s' was ended by signal %d (SIG%s)%s%s",
            (long)end->pid, spec->name, number, name ? name : "?",
            WCOREDUMP(end->status) ? ", with a core dump" : "", advice);
}

/* What is wrong with an interpreter that exits with this code at once; NULL: it has run. */
static const char *wrong_python(int code)
{
    if (code == 126 || code == 127)
        return "cannot be run, as a rule because a library that it needs is missing or not readable";
    return code == 1 || code == 2 ? "is too old for -P, is not CPython, or cannot be run" : NULL;
}

static void report_early_code(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                              const wgw_end_t *end, int code)
{
    if (code == WGW_EXIT_PYTHON || code == WGW_EXIT_EXTENSION || code == WGW_EXIT_EXEC ||
        code == WGW_EXIT_IMPORT)
        wgw_log(sink, WGW_LOG_INFO,
                WGWNO(0105) "process %ld of pool '%s' exited with code %d before it was ready; "
                "the line before says why", (long)end->pid, spec->name, code);
    else if (wrong_python(code))
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0109) "process %ld of pool '%s' exited with code %d before it was ready: "
                "%s %s; if lines before this one do not say more, name CPython 3.11 or newer with "
                "python= or python-home=", (long)end->pid, spec->name, code, spec->python,
                wrong_python(code));
    else
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0121) "process %ld of pool '%s' exited with code %d before it was ready; "
                "what it imports has ended it, see the lines before", (long)end->pid,
                spec->name, code);
}

static void report_code(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                        const wgw_end_t *end)
{
    int code = WEXITSTATUS(end->status);

    if (code == WGW_EXIT_CONTRACT)
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0108) "process %ld of pool '%s' does not fit this supervisor: %s is of "
                "another version; stop httpd and start it", (long)end->pid, spec->name,
                spec->extension);
    else if (code == WGW_EXIT_STUCK)
        wgw_log(sink, WGW_LOG_WARN,
                WGWNO(0106) "process %ld of pool '%s' did not end in time: a request or a thread "
                "was still running; raise graceful-timeout= or shutdown-timeout=, or let threads "
                "end when asked", (long)end->pid, spec->name);
    else if (end->was_expected || (code == WGW_EXIT_OK && end->was_ready))
        wgw_log(sink, WGW_LOG_INFO, WGWNO(0124) "process %ld of pool '%s' has ended, code %d",
                (long)end->pid, spec->name, code);
    else if (!end->was_ready)
        report_early_code(sink, spec, end, code);
    else
        wgw_log(sink, WGW_LOG_ERR,
                WGWNO(0107) "process %ld of pool '%s' exited with code %d; the application has "
                "ended it (os._exit()), or Python could not go on", (long)end->pid, spec->name,
                code);
}

void wgw_sup_report_end(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                        const wgw_sup_board_t *board, const wgw_end_t *end)
{
    if (WIFEXITED(end->status))
        report_code(sink, spec, end);
    else if (end->was_expected)
        wgw_log(sink, WGW_LOG_INFO, WGWNO(0126) "process %ld of pool '%s' has ended, by signal %d",
                (long)end->pid, spec->name, WTERMSIG(end->status));
    else
        report_signal(sink, spec, end);
    /* One that ended in order has answered; httpd may not have cleared the entry yet. */
    if (end->status != 0)
        report_requests(sink, board, end);
}

void wgw_sup_report_action(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                           const wgw_action_t *action, pid_t pid)
{
    if (action->reason == WGW_REASON_STARTUP_TIMEOUT)
        wgw_log(sink, WGW_LOG_ERR, WGWNO(0110) "process %ld of pool '%s' was not ready within "
                "startup-timeout=%llu: it is killed", (long)pid, spec->name,
                (unsigned long long)(spec->startup_timeout_us / 1000000));
    else if (action->reason == WGW_REASON_GRACEFUL_TIMEOUT)
        wgw_log(sink, WGW_LOG_WARN,
                WGWNO(0111) "process %ld of pool '%s' has not finished its requests in time "
                "(graceful-timeout=): it is stopped", (long)pid, spec->name);
    else if (action->reason == WGW_REASON_SHUTDOWN_TIMEOUT)
        wgw_log(sink, WGW_LOG_WARN, WGWNO(0112) "process %ld of pool '%s' did not end in time "
                "(shutdown-timeout=): it is killed", (long)pid, spec->name);
}
