#include "supervisor/tally.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/deadline.h"

static void count(_Atomic uint32_t *counter)
{
    atomic_fetch_add(counter, 1);
}

static void fail(wgw_tally_t *tally, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(wgw_tally_t *tally, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(tally->failure, sizeof tally->failure, format, args);
    va_end(args);
    tally->failed_us = wgw_now_us();
    count(&tally->map->unstarted_count);
}

/* One that was told to end has not failed, whatever it has ended with. */
void wgw_sup_tally_end(wgw_tally_t *tally, const wgw_end_t *end, const char *last_line)
{
    bool is_signal = WIFSIGNALED(end->status);

    if (end->was_expected)
        return;
    if (!end->was_ready)
        fail(tally, "process %ld %s %d before it was ready%s%s", (long)end->pid,
             is_signal ? "was ended by signal" : "exited with code",
             is_signal ? WTERMSIG(end->status) : WEXITSTATUS(end->status),
             *last_line ? ": " : "; see the error log", last_line);
    else if (end->status != 0)
        count(&tally->map->crash_count);
}

void wgw_sup_tally_unmade(wgw_tally_t *tally, const char *why)
{
    fail(tally, "a process cannot be started: %s", why);
}

void wgw_sup_tally_action(wgw_tally_t *tally, const wgw_action_t *action, pid_t pid)
{
    if (action->reason == WGW_REASON_REPLACED)
        count(&tally->map->cause_counts[action->cause]);
    else if (action->reason == WGW_REASON_BROKEN)
        count(&tally->map->broken_count);
    else if (action->reason == WGW_REASON_STARTUP_TIMEOUT)
        fail(tally, "process %ld was not ready in time (startup-timeout=)", (long)pid);
}

void wgw_sup_tally_failed_version(wgw_tally_t *tally)
{
    count(&tally->map->failed_count);
}

void wgw_sup_tally_move(wgw_tally_t *tally, wgw_state_t *state)
{
    wgw_sup_state_i64(state, &tally->failed_us);
    wgw_sup_state_text(state, tally->failure, sizeof tally->failure);
}
