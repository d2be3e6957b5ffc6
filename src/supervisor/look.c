/* Each look is at copies of numbers that a process may have written as it likes: they are
 * compared, and harm no other pool. */
#include "supervisor/look.h"

#include <stdlib.h>

#include "base/deadline.h"

#define SECOND_US INT64_C(1000000)
#define DEADLOCK_MARGIN_US (5 * SECOND_US) /* for the process to find out by itself */
#define CALM_SWEEP_US (5 * SECOND_US)      /* between looks at a scoreboard that nobody uses */
#define LOOK_US (SECOND_US / 4)            /* between looks at the queue of an elastic pool */

bool wgw_sup_look_init(wgw_look_t *look, const wgw_pool_spec_t *spec, wgw_sup_board_t *board,
                       const wgw_step_t *step, wgw_log_sink_t sink, wgw_look_fn *found)
{
    *look = (wgw_look_t){ .spec = spec, .board = board, .step = step, .sink = sink, .found = found,
                          .queue_us = spec->process_least ? 0 : WGW_STEP_NEVER };
    look->rows = calloc(spec->row_count, sizeof *look->rows);
    look->epochs = calloc(spec->row_count, sizeof *look->epochs);
    return look->rows && look->epochs;
}

void wgw_sup_look_deinit(wgw_look_t *look)
{
    free(look->rows);
    free(look->epochs);
    look->rows = NULL;
    look->epochs = NULL;
}

void wgw_sup_look_begin(wgw_look_t *look, uint32_t r, pid_t pid, uint32_t epoch,
                        uint32_t version)
{
    look->rows[r] = (wgw_look_row_t){ .pid = pid, .epoch = epoch, .version = version,
                                      .begun_us = wgw_now_us() };
}

void wgw_sup_look_know(wgw_look_t *look, uint32_t r)
{
    look->rows[r].is_known = true;
}

static bool is_ready(const wgw_look_t *look, uint32_t r)
{
    return wgw_sup_step_phase(look->step, r) == WGW_ROW_READY;
}

static void find(const wgw_look_t *look, wgw_event_t found)
{
    look->found(look->sink.ctx, found);
}

/* --- the scoreboard ------------------------------------------------------------------- */

/* A process that says nothing of having had its interpreter, as all of it may be stopped. It is so
 * at two looks, as this process, too, may have been stopped meanwhile.
 * Returns: true when it is to be looked at again soon. */
static bool look_at_interpreter(wgw_look_t *look, uint32_t r, int64_t now_us)
{
    int64_t met_us = wgw_sup_board_met_us(look->board, r, now_us);
    int64_t limit_us = (int64_t)look->spec->deadlock_timeout_us + DEADLOCK_MARGIN_US;
    wgw_look_row_t *row = &look->rows[r];

    if (!look->spec->deadlock_timeout_us || row->is_known)
        return false;
    if (!met_us || now_us - met_us <= limit_us || row->silent_us != met_us) {
        row->silent_us = met_us && now_us - met_us > limit_us ? met_us : 0;
        return row->silent_us != 0;
    }
    wgw_log(&look->sink, WGW_LOG_ERR,
            WGWNO(0160) "process %ld of pool '%s' has not had its interpreter for %lld s, and does not "
            "say so itself (deadlock-timeout): it is replaced", (long)row->pid, look->spec->name,
            (long long)((now_us - met_us) / SECOND_US));
    row->is_known = true;
    find(look, (wgw_event_t){ .kind = WGW_EVENT_REPLACE, .row = r, .cause = WGW_CAUSE_DEADLOCK });
    return true;
}

static void sweep(wgw_look_t *look, int64_t now_us)
{
    bool is_suspicious = false;

    for (uint32_t r = 0; r < look->spec->row_count; r++) {
        wgw_row_phase_t phase = wgw_sup_step_phase(look->step, r);
        look->epochs[r] = phase == WGW_ROW_READY ? look->rows[r].epoch : 0;
        if (phase != WGW_ROW_READY && phase != WGW_ROW_STARTING)
            wgw_sup_board_hide(look->board, r);
        if (phase == WGW_ROW_READY)
            is_suspicious = look_at_interpreter(look, r, now_us) || is_suspicious;
    }
    bool is_used = wgw_sup_board_sweep(look->board, look->epochs, now_us);
    bool is_watched = wgw_sup_wear_is_watched(look->spec);
    look->sweep_us = now_us + (is_used || is_suspicious || is_watched ? SECOND_US : CALM_SWEEP_US);
}

/* --- what is measured ----------------------------------------------------------------- */

static void look_at_wear(wgw_look_t *look, int64_t now_us)
{
    for (uint32_t r = 0; r < look->spec->row_count; r++) {
        wgw_look_row_t *row = &look->rows[r];
        wgw_row_use_t use = wgw_sup_board_use(look->board, r);
        wgw_cause_t cause;
        if (is_ready(look, r) &&
            wgw_sup_wear_look(&row->wear, look->spec, row->pid, use.request_count,
                              use.busy_count > 0, now_us, &cause))
            find(look, (wgw_event_t){ .kind = WGW_EVENT_REPLACE, .row = r, .cause = cause });
    }
}

/* *calm_out: the row of the process with the fewest requests. */
static wgw_load_t measure_load(const wgw_look_t *look, int64_t now_us, uint32_t *calm_out)
{
    wgw_load_t load = { .now_us = now_us, .process_count = wgw_sup_step_open_count(look->step),
                        .is_starting = wgw_sup_step_is_starting(look->step) };
    uint32_t least = UINT32_MAX;

    load.oldest_wait_us = wgw_sup_board_oldest_wait(look->board, now_us, &load.waited_us);
    for (uint32_t r = 0; r < look->spec->row_count; r++) {
        wgw_row_use_t use = wgw_sup_board_use(look->board, r);
        if (!is_ready(look, r))
            continue;
        load.busy_count += use.busy_count;
        load.thread_count = use.thread_count;
        if (use.busy_count <= least) {
            least = use.busy_count;
            *calm_out = r;
        }
    }
    return load;
}

static void look_at_queue(wgw_look_t *look, int64_t now_us)
{
    uint32_t calm = UINT32_MAX;
    wgw_load_t load = measure_load(look, now_us, &calm);
    wgw_elastic_move_t move = wgw_sup_elastic_decide(&look->elastic, &load,
                                                     (int64_t)look->spec->idle_timeout_us);

    look->queue_us = now_us + LOOK_US;
    if (move == WGW_ELASTIC_GROW)
        find(look, (wgw_event_t){ .kind = WGW_EVENT_GROW });
    else if (move == WGW_ELASTIC_SHRINK && calm != UINT32_MAX)
        find(look, (wgw_event_t){ .kind = WGW_EVENT_SHRINK, .row = calm });
}

/* --- what people ask ------------------------------------------------------------------ */

/* Of a service nobody is told when it is through with its imports: that it was started is enough. */
wgw_reload_state_t wgw_sup_look_at_reload(const wgw_look_t *look, uint32_t version, bool has_failed)
{
    uint32_t new_count = 0, old_count = 0, starting_count = 0;

    if (wgw_sup_step_versions(look->step).failed)
        return WGW_RELOAD_FAILED;
    for (uint32_t r = 0; r < look->spec->row_count; r++) {
        wgw_row_phase_t phase = wgw_sup_step_phase(look->step, r);
        bool is_new = look->rows[r].version >= version;
        if (phase == WGW_ROW_STARTING)
            starting_count++;
        if (phase != WGW_ROW_READY && (phase != WGW_ROW_STARTING || !look->spec->is_service))
            continue;
        new_count += is_new;
        old_count += !is_new;
    }
    if (!old_count && new_count >= wgw_sup_step_open_count(look->step))
        return WGW_RELOAD_DONE;
    return has_failed && !old_count && !new_count && !starting_count ? WGW_RELOAD_FAILED
                                                                     : WGW_RELOAD_UNDER_WAY;
}

/* --- the rhythm ----------------------------------------------------------------------- */

bool wgw_sup_look_is_due(const wgw_look_t *look, int64_t now_us)
{
    return look->sweep_us <= now_us;
}

int64_t wgw_sup_look_tick(wgw_look_t *look, int64_t now_us)
{
    if (wgw_sup_look_is_due(look, now_us)) {
        sweep(look, now_us);
        if (wgw_sup_wear_is_watched(look->spec))
            look_at_wear(look, now_us);
    }
    if (look->queue_us <= now_us)
        look_at_queue(look, now_us);
    return look->sweep_us < look->queue_us ? look->sweep_us : look->queue_us;
}

void wgw_sup_look_move(wgw_look_t *look, uint32_t r, wgw_state_t *state)
{
    wgw_look_row_t *row = &look->rows[r];
    int32_t pid = row->pid;

    wgw_sup_state_i32(state, &pid);
    wgw_sup_state_u32(state, &row->epoch);
    wgw_sup_state_u32(state, &row->version);
    wgw_sup_state_i64(state, &row->begun_us);
    wgw_sup_state_u64(state, &row->wear.request_count);
    wgw_sup_state_i64(state, &row->wear.active_us);
    wgw_sup_state_bool(state, &row->is_known);
    row->pid = pid;
}
