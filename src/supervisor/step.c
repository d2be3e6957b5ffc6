/* Transitions of rows and places. Time is whatever the caller says it is. */
#include "supervisor/step.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define BACKOFF_FIRST_US SECOND_US
#define BACKOFF_MOST_US (60 * SECOND_US)
#define LASTING_US SECOND_US         /* who left in order before that counts as a failure */
#define SOON_US (2 * SECOND_US)      /* a request waits for the next process */
#define PACE_US (SECOND_US / 4)      /* between replacements of a process, where it asks for them */
enum { NOBODY = -1, TRIALS_PART = 4 }; /* of the places, at least one, have a successor at a time */

typedef struct {
    wgw_row_phase_t phase;
    bool was_ready;
    int64_t ready_us;     /* when */
    int64_t deadline_us;  /* of the phase */
    uint32_t version;
    bool has_to_load;     /* what others have: it proves that the version can be started */
    bool is_wanted_new;   /* it is to be replaced, for `cause` */
    wgw_cause_t cause;
} row_t;

typedef struct {
    bool is_open;         /* it is to be filled */
    int current;          /* row of the process that is starting or ready for it, or NOBODY */
    int next;             /* row of the one on trial, or NOBODY */
    unsigned failure_count, trial_failure_count;
    int64_t due_us;       /* no new process before that */
    int64_t trial_due_us; /* no new trial before that */
} place_t;

typedef enum { IDLE, RUNNING, ENDING } phase_t;

struct wgw_step_t {
    wgw_step_config_t config;
    phase_t phase;
    row_t *rows;          /* config.row_count */
    place_t *places;      /* config.process_count */
    wgw_versions_t versions;
    uint32_t failed_first;    /* the version that was tried, of those that have failed */
    wgw_cause_t reload_cause; /* of versions.newest */
    wgw_action_t *actions; /* room for two of each row */
    size_t action_count;
};

wgw_step_t *wgw_sup_step_create(const wgw_step_config_t *config)
{
    wgw_step_t *step = calloc(1, sizeof *step);

    if (!step)
        return NULL;
    step->config = *config;
    step->rows = calloc(config->row_count, sizeof *step->rows);
    step->places = calloc(config->process_count, sizeof *step->places);
    step->actions = calloc(2 * (size_t)config->row_count, sizeof *step->actions);
    step->versions.newest = 1;
    if (!step->rows || !step->places || !step->actions) {
        wgw_sup_step_destroy(step);
        return NULL;
    }
    for (uint32_t p = 0; p < config->process_count; p++)
        step->places[p] = (place_t){ .is_open = !config->process_least || p < config->process_least,
                                     .current = NOBODY, .next = NOBODY };
    return step;
}

void wgw_sup_step_destroy(wgw_step_t *step)
{
    if (!step)
        return;
    free(step->rows);
    free(step->places);
    free(step->actions);
    free(step);
}

static int64_t after(int64_t now_us, int64_t us)
{
    return us < WGW_STEP_NEVER - now_us ? now_us + us : WGW_STEP_NEVER;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static place_t *place_of(const wgw_step_t *step, uint32_t row)
{
    return &step->places[row % step->config.process_count];
}

static void add_action(wgw_step_t *step, wgw_action_kind_t kind, wgw_action_reason_t reason,
                       uint32_t row, int64_t timeout_us)
{
    if (step->action_count < 2 * (size_t)step->config.row_count)
        step->actions[step->action_count++] =
            (wgw_action_t){ .kind = kind, .reason = reason, .row = row, .timeout_us = timeout_us,
                            .cause = step->rows[row].cause };
}

static bool has_phase(const wgw_step_t *step, wgw_row_phase_t phase)
{
    for (uint32_t r = 0; r < step->config.row_count; r++)
        if (step->rows[r].phase == phase)
            return true;
    return false;
}

/* A cause that is about what was loaded, and not about the process. */
static bool is_reload(wgw_cause_t cause)
{
    return cause == WGW_CAUSE_RELOAD || cause == WGW_CAUSE_SCRIPT || cause == WGW_CAUSE_ORDER;
}

static void want_new(row_t *row, wgw_cause_t cause)
{
    bool is_weaker = row->is_wanted_new && (!is_reload(row->cause) || is_reload(cause));

    /* A reload that has failed must not stand in the way of what is about the process itself. */
    if (is_weaker || (row->phase != WGW_ROW_READY && row->phase != WGW_ROW_STARTING))
        return;
    row->is_wanted_new = true;
    row->cause = cause;
}

/* --- rows ----------------------------------------------------------------------------- */

static void set_phase(row_t *row, wgw_row_phase_t phase, int64_t deadline_us)
{
    row->phase = phase;
    row->deadline_us = deadline_us;
}

/* The row has no claim to its place any more; the place may have a new process at `due_us`. */
static void vacate(wgw_step_t *step, uint32_t r, int64_t due_us)
{
    place_t *place = place_of(step, r);

    if (place->current != (int)r)
        return;
    place->current = NOBODY;
    place->due_us = due_us;
}

static bool is_on_trial(const wgw_step_t *step, uint32_t r)
{
    return place_of(step, r)->next == (int)r;
}

static int64_t backoff(unsigned doublings)
{
    return doublings < 6 ? BACKOFF_FIRST_US << doublings : BACKOFF_MOST_US;
}

/* Whether a process has shown that the version can be started. */
static bool is_proven(const wgw_step_t *step, uint32_t version)
{
    for (uint32_t r = 0; r < step->config.row_count; r++)
        if (step->rows[r].version == version && step->rows[r].was_ready && step->rows[r].has_to_load)
            return true;
    return false;
}

/* The process on trial will not be ready: the one that it was to replace stays. */
static void fail_trial(wgw_step_t *step, uint32_t r, bool was_made, int64_t now_us)
{
    place_t *place = place_of(step, r);
    uint32_t version = step->rows[r].version;

    place->next = NOBODY;
    if (version != step->versions.newest)
        return; /* it says nothing about the newest */
    place->trial_due_us = after(now_us, backoff(place->trial_failure_count++));
    if (was_made && !is_proven(step, version))
        step->versions.failed = step->failed_first = version;
}

/* One more failure of a place. Returns: how long it has to wait. A process that has served was ended
 * by something that it met there: if all that did so had to wait for longer, nobody would serve. */
static int64_t note_failure(place_t *place, bool was_ready, bool has_served)
{
    if (has_served && place->failure_count > 1)
        place->failure_count = 1;

    unsigned doublings = place->failure_count++;
    if (was_ready && doublings == 0)
        return 0;
    return backoff(was_ready ? doublings - 1 : doublings);
}

/* The process of a row that had the place is ending or gone; decide when the next one is due. */
static void replace(wgw_step_t *step, uint32_t r, bool is_in_order, bool has_served, int64_t now_us)
{
    const row_t *row = &step->rows[r];
    place_t *place = place_of(step, r);
    int64_t served_us = row->was_ready ? now_us - row->ready_us : 0;

    if (is_on_trial(step, r)) {
        fail_trial(step, r, true, now_us);
        return;
    }
    if (row->was_ready && served_us >= backoff(place->failure_count))
        place->failure_count = 0; /* it has served for as long as the next one would have to wait */
    if (is_in_order && served_us >= LASTING_US)
        vacate(step, r, now_us);
    else
        vacate(step, r, after(now_us, note_failure(place, row->was_ready, has_served)));
}

static void stop_row(wgw_step_t *step, uint32_t r, wgw_action_reason_t reason, int64_t now_us)
{
    int64_t timeout_us = step->config.shutdown_timeout_us;

    set_phase(&step->rows[r], WGW_ROW_STOPPING, after(now_us, timeout_us));
    add_action(step, WGW_ACTION_STOP, reason, r, timeout_us);
}

static void kill_row(wgw_step_t *step, uint32_t r, wgw_action_reason_t reason)
{
    set_phase(&step->rows[r], WGW_ROW_KILLED, WGW_STEP_NEVER);
    add_action(step, WGW_ACTION_KILL, reason, r, 0);
}

static void drain_row(wgw_step_t *step, uint32_t r, wgw_action_reason_t reason, int64_t now_us)
{
    const wgw_step_config_t *config = &step->config;
    bool is_evicted = reason == WGW_REASON_REPLACED && config->eviction_timeout_us &&
                      step->rows[r].cause == WGW_CAUSE_EVICTION;
    int64_t timeout_us = is_evicted ? config->eviction_timeout_us : config->graceful_timeout_us;

    set_phase(&step->rows[r], WGW_ROW_DRAINING, after(now_us, timeout_us));
    add_action(step, WGW_ACTION_DRAIN, reason, r, timeout_us);
}

/* The process on trial is ready: it has the place now. */
static void take_over(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    place_t *place = place_of(step, r);
    int old = place->current;

    place->current = (int)r;
    place->next = NOBODY;
    place->trial_failure_count = 0;
    if (old != NOBODY && !is_reload(step->rows[old].cause))
        place->trial_due_us = after(now_us, PACE_US);
    if (old != NOBODY)
        drain_row(step, (uint32_t)old, WGW_REASON_REPLACED, now_us);
}

/* A deadline has come. */
static void expire(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    switch (step->rows[r].phase) {
    case WGW_ROW_STARTING:
        replace(step, r, false, false, now_us);
        kill_row(step, r, WGW_REASON_STARTUP_TIMEOUT);
        break;
    case WGW_ROW_DRAINING:
        stop_row(step, r, WGW_REASON_GRACEFUL_TIMEOUT, now_us);
        break;
    case WGW_ROW_STOPPING:
        kill_row(step, r, WGW_REASON_SHUTDOWN_TIMEOUT);
        break;
    default:
        break;
    }
}

/* --- events --------------------------------------------------------------------------- */

static void on_ready(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    row_t *row = &step->rows[r];

    if (row->phase != WGW_ROW_STARTING)
        return;
    row->was_ready = true;
    row->ready_us = now_us;
    set_phase(row, WGW_ROW_READY, WGW_STEP_NEVER);
    if (row->has_to_load && row->version >= step->failed_first)
        step->versions.failed = 0;
    if (is_on_trial(step, r))
        take_over(step, r, now_us);
}

/* It bounds itself; ours is the second bound. */
static void on_leaving(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    row_t *row = &step->rows[r];

    if (row->phase != WGW_ROW_READY && row->phase != WGW_ROW_STARTING)
        return;
    replace(step, r, row->was_ready, false, now_us);
    set_phase(row, WGW_ROW_DRAINING, after(now_us, step->config.graceful_timeout_us));
}

static void on_exited(wgw_step_t *step, const wgw_event_t *event, int64_t now_us)
{
    uint32_t r = event->row;
    row_t *row = &step->rows[r];

    if (is_on_trial(step, r) && event->is_unmade)
        fail_trial(step, r, false, now_us);
    else if (row->phase == WGW_ROW_READY || row->phase == WGW_ROW_STARTING)
        replace(step, r, event->is_in_order && row->was_ready, event->has_served, now_us);
    *row = (row_t){ .deadline_us = WGW_STEP_NEVER };
}

static void on_broken(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    wgw_row_phase_t phase = step->rows[r].phase;

    if (phase == WGW_ROW_READY || phase == WGW_ROW_STARTING)
        replace(step, r, false, false, now_us);
    if (phase != WGW_ROW_EMPTY && phase != WGW_ROW_KILLED)
        kill_row(step, r, WGW_REASON_BROKEN);
}

/* End the pool: a process that was never ready has nothing to finish. */
static void end_row(wgw_step_t *step, uint32_t r, bool drains, int64_t now_us)
{
    row_t *row = &step->rows[r];

    switch (row->phase) {
    case WGW_ROW_READY:
        if (drains)
            drain_row(step, r, WGW_REASON_TOLD, now_us);
        else
            stop_row(step, r, WGW_REASON_TOLD, now_us);
        break;
    case WGW_ROW_STARTING:
        stop_row(step, r, WGW_REASON_TOLD, now_us);
        break;
    case WGW_ROW_DRAINING:
        if (!drains)
            stop_row(step, r, WGW_REASON_TOLD, now_us);
        else
            row->deadline_us = least(row->deadline_us,
                                     after(now_us, step->config.graceful_timeout_us));
        break;
    case WGW_ROW_STOPPING:
        row->deadline_us = least(row->deadline_us,
                                 after(now_us, step->config.shutdown_timeout_us));
        break;
    default:
        break;
    }
}

static void on_end(wgw_step_t *step, const wgw_event_t *event, int64_t now_us)
{
    wgw_step_config_t *config = &step->config;

    step->phase = ENDING;
    if (event->graceful_limit_us)
        config->graceful_timeout_us = least(config->graceful_timeout_us, event->graceful_limit_us);
    if (event->shutdown_limit_us)
        config->shutdown_timeout_us = least(config->shutdown_timeout_us, event->shutdown_limit_us);
    for (uint32_t r = 0; r < config->row_count; r++)
        end_row(step, r, event->kind == WGW_EVENT_RETIRE, now_us);
}

static void on_reload(wgw_step_t *step, wgw_cause_t cause)
{
    step->versions.newest++;
    step->versions.failed = 0;
    step->reload_cause = cause;
    for (uint32_t p = 0; p < step->config.process_count; p++) {
        step->places[p].trial_due_us = 0;
        if (cause == WGW_CAUSE_ORDER) /* somebody has put right what failed, and does not want to wait */
            step->places[p].due_us = 0;
    }
}

static void on_grow(wgw_step_t *step)
{
    for (uint32_t p = 0; p < step->config.process_count; p++)
        if (!step->places[p].is_open) {
            step->places[p].is_open = true;
            return;
        }
}

/* Only a process that nobody is waiting for: one on trial, or a successor, keeps its place. */
static void on_shrink(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    place_t *place = place_of(step, r);

    if (!step->config.process_least || !place->is_open || place->current != (int)r ||
        place->next != NOBODY || step->rows[r].phase != WGW_ROW_READY ||
        wgw_sup_step_open_count(step) <= step->config.process_least)
        return;
    place->is_open = false;
    vacate(step, r, now_us);
    drain_row(step, r, WGW_REASON_UNNEEDED, now_us);
}

static void take_event(wgw_step_t *step, const wgw_event_t *event, int64_t now_us)
{
    switch (event->kind) {
    case WGW_EVENT_START:
        if (step->phase == IDLE)
            step->phase = RUNNING;
        break;
    case WGW_EVENT_READY:
        on_ready(step, event->row, now_us);
        break;
    case WGW_EVENT_LEAVING:
        on_leaving(step, event->row, now_us);
        break;
    case WGW_EVENT_EXITED:
        on_exited(step, event, now_us);
        break;
    case WGW_EVENT_BROKEN:
        on_broken(step, event->row, now_us);
        break;
    case WGW_EVENT_REPLACE:
        want_new(&step->rows[event->row], event->cause);
        break;
    case WGW_EVENT_RELOAD:
        on_reload(step, event->cause);
        break;
    case WGW_EVENT_STILL_FAILED:
        step->versions.failed = ++step->versions.newest;
        break;
    case WGW_EVENT_GROW:
        on_grow(step);
        break;
    case WGW_EVENT_SHRINK:
        on_shrink(step, event->row, now_us);
        break;
    case WGW_EVENT_RETIRE:
    case WGW_EVENT_STOP:
        on_end(step, event, now_us);
        break;
    case WGW_EVENT_TICK:
        break;
    }
}

/* --- what follows from the state ------------------------------------------------------ */

static bool find_free_row(const wgw_step_t *step, uint32_t place, uint32_t *row_out)
{
    for (uint32_t r = place; r < step->config.row_count; r += step->config.process_count)
        if (step->rows[r].phase == WGW_ROW_EMPTY) {
            *row_out = r;
            return true;
        }
    return false;
}

static void spawn(wgw_step_t *step, uint32_t r, bool is_trial, int64_t now_us)
{
    int64_t timeout_us = step->config.startup_timeout_us;
    place_t *place = place_of(step, r);
    bool has_to_load = is_trial || has_phase(step, WGW_ROW_READY);

    if (has_to_load && !timeout_us)
        timeout_us = WGW_EXEC_TRIAL_US;
    *(is_trial ? &place->next : &place->current) = (int)r;
    step->rows[r] = (row_t){ .version = step->versions.newest, .has_to_load = has_to_load };
    set_phase(&step->rows[r], WGW_ROW_STARTING, timeout_us ? after(now_us, timeout_us)
                                                           : WGW_STEP_NEVER);
    add_action(step, WGW_ACTION_SPAWN, WGW_REASON_TOLD, r, timeout_us);
    wgw_action_t *action = &step->actions[step->action_count - 1];
    action->is_trial = is_trial;
    action->has_to_load = has_to_load;
    action->version = step->versions.newest;
    if (is_trial)
        action->cause = step->rows[place->current].cause;
}

static bool is_trial_allowed(const wgw_step_t *step)
{
    uint32_t count = 0, most = wgw_sup_step_open_count(step) / TRIALS_PART;

    for (uint32_t p = 0; p < step->config.process_count; p++)
        count += step->places[p].next != NOBODY;
    return count < (most ? most : 1);
}

/* Whether the process of a row is to be replaced now. *wake_us: when it will be, if that is known. */
static bool is_due_for_successor(wgw_step_t *step, uint32_t r, int64_t now_us, int64_t *wake_us)
{
    int64_t interval_us = step->config.restart_interval_us;
    row_t *row = &step->rows[r];

    if (row->phase != WGW_ROW_READY && !step->config.is_service)
        return false;
    if (row->version != step->versions.newest && !step->versions.failed)
        want_new(row, step->reload_cause);
    if (interval_us && after(row->ready_us, interval_us) <= now_us)
        want_new(row, WGW_CAUSE_RESTART_INTERVAL);
    if (interval_us && !row->is_wanted_new)
        *wake_us = least(*wake_us, after(row->ready_us, interval_us));
    return row->is_wanted_new && !(is_reload(row->cause) && step->versions.failed);
}

static bool is_place_empty(const wgw_step_t *step, uint32_t place)
{
    for (uint32_t r = place; r < step->config.row_count; r += step->config.process_count)
        if (step->rows[r].phase != WGW_ROW_EMPTY)
            return false;
    return true;
}

/* Whether the process of a row is of no use to anybody, and its successor is not to be had. */
static bool is_lost(const wgw_step_t *step, uint32_t r)
{
    return step->rows[r].cause == WGW_CAUSE_DEADLOCK && place_of(step, r)->trial_failure_count > 0;
}

/* Of a service there is no trial, which may be busy with its imports for as long as it lives. */
static void end_current(wgw_step_t *step, uint32_t r, int64_t now_us)
{
    vacate(step, r, now_us);
    stop_row(step, r, WGW_REASON_REPLACED, now_us);
}

/* Start what a place is due for. Returns: when that will be. */
static int64_t fill_place(wgw_step_t *step, uint32_t p, int64_t now_us)
{
    place_t *place = &step->places[p];
    int64_t wake_us = WGW_STEP_NEVER, due_us = place->due_us;
    bool is_trial = place->current != NOBODY;
    uint32_t row;

    if (!place->is_open || place->next != NOBODY)
        return wake_us;
    if (is_trial) {
        if (!is_due_for_successor(step, (uint32_t)place->current, now_us, &wake_us) ||
            !is_trial_allowed(step))
            return wake_us;
        if (step->config.is_service || is_lost(step, (uint32_t)place->current)) {
            end_current(step, (uint32_t)place->current, now_us);
            return wake_us;
        }
        due_us = place->trial_due_us;
    }
    if (!find_free_row(step, p, &row) || (step->config.is_service && !is_place_empty(step, p)))
        return wake_us;
    if (due_us > now_us)
        return least(wake_us, due_us);
    spawn(step, row, is_trial, now_us);
    return wake_us;
}

/* Fill places that are due. Returns: when the next one is. */
static int64_t fill_places(wgw_step_t *step, int64_t now_us)
{
    int64_t wake_us = WGW_STEP_NEVER;

    for (uint32_t p = 0; p < step->config.process_count; p++)
        wake_us = least(wake_us, fill_place(step, p, now_us));
    return wake_us;
}

wgw_actions_t wgw_sup_step(wgw_step_t *step, wgw_event_t event, int64_t now_us)
{
    wgw_actions_t actions = { .wake_us = WGW_STEP_NEVER, .is_over = step->phase == ENDING };

    step->action_count = 0;
    if (event.row < step->config.row_count)
        take_event(step, &event, now_us);
    for (uint32_t r = 0; r < step->config.row_count; r++)
        if (step->rows[r].phase != WGW_ROW_EMPTY && step->rows[r].deadline_us <= now_us)
            expire(step, r, now_us);
    if (step->phase == RUNNING)
        actions.wake_us = fill_places(step, now_us);
    actions.is_over = step->phase == ENDING;
    for (uint32_t r = 0; r < step->config.row_count; r++)
        if (step->rows[r].phase != WGW_ROW_EMPTY) {
            actions.wake_us = least(actions.wake_us, step->rows[r].deadline_us);
            actions.is_over = false;
        }
    actions.items = step->actions;
    actions.count = step->action_count;
    return actions;
}

/* --- over exec() ---------------------------------------------------------------------- */

static void move_row(wgw_state_t *state, row_t *row)
{
    wgw_sup_state_enum(state, &row->phase, WGW_ROW_PHASE_COUNT);
    wgw_sup_state_bool(state, &row->was_ready);
    wgw_sup_state_i64(state, &row->ready_us);
    wgw_sup_state_i64(state, &row->deadline_us);
    wgw_sup_state_u32(state, &row->version);
    wgw_sup_state_bool(state, &row->has_to_load);
    wgw_sup_state_bool(state, &row->is_wanted_new);
    wgw_sup_state_enum(state, &row->cause, WGW_CAUSE_COUNT);
}

/* A row of the place, or NOBODY; else the state is unusable. */
static void move_claim(wgw_state_t *state, int32_t *claim, const wgw_step_t *step, uint32_t place)
{
    uint32_t count = step->config.process_count;

    wgw_sup_state_i32(state, claim);
    if (*claim == NOBODY || (*claim >= 0 && (uint32_t)*claim < step->config.row_count &&
                             (uint32_t)*claim % count == place))
        return;
    *claim = NOBODY;
    state->in.is_bad = true;
}

static void move_place(wgw_state_t *state, wgw_step_t *step, uint32_t p)
{
    place_t *place = &step->places[p];

    wgw_sup_state_bool(state, &place->is_open);
    move_claim(state, &place->current, step, p);
    move_claim(state, &place->next, step, p);
    wgw_sup_state_u32(state, &place->failure_count);
    wgw_sup_state_u32(state, &place->trial_failure_count);
    wgw_sup_state_i64(state, &place->due_us);
    wgw_sup_state_i64(state, &place->trial_due_us);
}

void wgw_sup_step_move(wgw_step_t *step, wgw_state_t *state)
{
    wgw_sup_state_enum(state, &step->phase, ENDING + 1);
    wgw_sup_state_u32(state, &step->versions.newest);
    wgw_sup_state_u32(state, &step->versions.failed);
    wgw_sup_state_u32(state, &step->failed_first);
    wgw_sup_state_enum(state, &step->reload_cause, WGW_CAUSE_COUNT);
    wgw_sup_state_i64(state, &step->config.graceful_timeout_us);
    wgw_sup_state_i64(state, &step->config.shutdown_timeout_us);
    for (uint32_t r = 0; r < step->config.row_count; r++)
        move_row(state, &step->rows[r]);
    for (uint32_t p = 0; p < step->config.process_count; p++)
        move_place(state, step, p);
}

/* --- questions ------------------------------------------------------------------------ */

wgw_row_phase_t wgw_sup_step_phase(const wgw_step_t *step, uint32_t row)
{
    return step->rows[row].phase;
}

int64_t wgw_sup_step_wait_us(const wgw_step_t *step, uint32_t row, int64_t now_us)
{
    const place_t *place = place_of(step, row);

    return place->current != NOBODY || !place->is_open || place->due_us <= now_us
        ? 0 : place->due_us - now_us;
}

wgw_versions_t wgw_sup_step_versions(const wgw_step_t *step)
{
    return step->versions;
}

uint32_t wgw_sup_step_open_count(const wgw_step_t *step)
{
    uint32_t count = 0;

    for (uint32_t p = 0; p < step->config.process_count; p++)
        count += step->places[p].is_open;
    return count;
}

bool wgw_sup_step_is_up(const wgw_step_t *step, int64_t now_us)
{
    for (uint32_t p = 0; p < step->config.process_count; p++)
        if (step->places[p].is_open && step->places[p].due_us <= after(now_us, SOON_US))
            return true;
    return has_phase(step, WGW_ROW_READY) || has_phase(step, WGW_ROW_STARTING);
}

bool wgw_sup_step_is_starting(const wgw_step_t *step)
{
    return has_phase(step, WGW_ROW_STARTING);
}
