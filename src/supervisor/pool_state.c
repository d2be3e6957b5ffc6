/* A pool on its way to a successor of this process. Its processes do not notice: they keep their parent,
 * their sockets and their pipes. */
#include "supervisor/pool_parts.h"

static void move_process(wgw_sup_pool_t *pool, uint32_t r, wgw_state_t *state)
{
    wgw_process_t *row = &pool->rows[r];
    int32_t pid = row->pid;

    wgw_sup_listener_move(&row->listener, state);
    wgw_sup_state_bool(state, &row->is_shut);
    wgw_sup_state_i32(state, &pid);
    wgw_sup_state_u32(state, &row->epoch);
    wgw_sup_state_u32(state, &row->version);
    wgw_sup_state_bool(state, &row->has_to_load);
    wgw_sup_state_bool(state, &row->is_cold);
    wgw_sup_state_bool(state, &row->was_ready);
    wgw_sup_state_bool(state, &row->has_left);
    wgw_sup_state_bool(state, &row->has_asked);
    wgw_sup_look_move(&pool->look, r, state);
    wgw_sup_state_fd(state, &row->exit.fd);
    wgw_sup_state_fd(state, &row->control.fd);
    wgw_sup_source_move(&pool->sources, state, &row->source);
    row->pid = pid;
}

/* What is due is due at once again: nothing of it is lost by being looked at. */
static void move(wgw_sup_pool_t *pool, wgw_state_t *state)
{
    wgw_sup_state_u32(state, &pool->board.last_epoch);
    wgw_sup_step_move(pool->step, state);
    wgw_sup_state_bytes(state, &pool->warm.texts);
    wgw_sup_state_u32(state, &pool->warm.count);
    wgw_sup_state_bytes(state, &pool->stale);
    wgw_sup_state_i64(state, &pool->reload_us);
    wgw_sup_state_i64(state, &pool->reloaded_us);
    wgw_sup_state_i64(state, &pool->wake_us);
    wgw_sup_state_bool(state, &pool->is_over);
    wgw_sup_tally_move(&pool->tally, state);
    for (uint32_t r = 0; r < pool->spec.row_count; r++)
        move_process(pool, r, state);
    wgw_sup_sources_move_orphans(&pool->sources, state);
}

void wgw_sup_pool_save(wgw_sup_pool_t *pool, wgw_state_t *state)
{
    wgw_buffer_t spec = { 0 };

    wgw_pool_spec_encode(&spec, &pool->spec);
    wgw_sup_state_bytes(state, &spec);
    state->out.is_short = state->out.is_short || spec.is_short;
    wgw_buffer_deinit(&spec);
    wgw_sup_state_fd(state, &pool->board.fd);
    wgw_sup_state_fd(state, &pool->logfile.fd);
    move(pool, state);
}

wgw_sup_pool_t *wgw_sup_pool_restore(const wgw_loop_t *loop, wgw_state_t *state)
{
    wgw_buffer_t record = { 0 };
    wgw_pool_spec_t spec;
    wgw_sup_pool_t *pool = NULL;
    void *memory;
    int board_fd = -1, log_fd = -1;
    char why[256];

    wgw_sup_state_bytes(state, &record);
    wgw_sup_state_fd(state, &board_fd);
    wgw_sup_state_fd(state, &log_fd);
    if (!state->in.is_bad && wgw_pool_spec_decode(record.data, record.len, &spec, &memory))
        pool = wgw_sup_pool_make(loop, &spec, memory, board_fd, log_fd, why, sizeof why);
    wgw_buffer_deinit(&record);
    state->in.is_bad = state->in.is_bad || !pool;
    if (!pool)
        return NULL;
    move(pool, state);
    pool->versions = wgw_sup_step_versions(pool->step);
    for (uint32_t r = 0; r < pool->spec.row_count; r++)
        if (!wgw_sup_pool_watch(pool, r))
            state->in.is_bad = true;
    return pool;
}
