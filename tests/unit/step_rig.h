/* A pool as a pure function, with its clock, for the tests of it. */
#ifndef WGW_TESTS_STEP_RIG_H
#define WGW_TESTS_STEP_RIG_H

#include "unit.h"

#include "supervisor/step.h"

#define SEC INT64_C(1000000)
#define MIN (60 * SEC)

/* One pool, its clock, and what the last event led to. */
typedef struct {
    wgw_step_config_t config;
    wgw_step_t *step;
    int64_t now;
    wgw_actions_t last;
} rig_t;

static inline rig_t make_of(const wgw_step_config_t *config)
{
    return (rig_t){ .config = *config, .step = wgw_sup_step_create(config), .now = 5 };
}

static inline rig_t make(uint32_t process_count, uint32_t row_count)
{
    const wgw_step_config_t config = {
        .process_count = process_count, .row_count = row_count, .startup_timeout_us = 15 * SEC,
        .graceful_timeout_us = 60 * SEC, .shutdown_timeout_us = 5 * SEC,
    };
    rig_t rig = make_of(&config);

    rig.now = 1000 * SEC;
    return rig;
}

/* Go on with another one that has what this one has, as a successor of the supervisor does. */
static inline void succeed(rig_t *rig)
{
    wgw_state_t saved = { .is_saving = true }, restored = { .is_saving = false };

    wgw_sup_step_move(rig->step, &saved);
    assert_true(wgw_sup_state_is_whole(&saved));
    wgw_sup_step_destroy(rig->step);
    rig->step = wgw_sup_step_create(&rig->config);
    restored.in = (wgw_cursor_t){ .at = saved.out.data, .end = saved.out.data + saved.out.len };
    wgw_sup_step_move(rig->step, &restored);
    assert_true(wgw_sup_state_is_whole(&restored));
    wgw_sup_state_deinit(&saved);
}

/* Each event meets a successor: whatever a test shows holds over an upgrade at any time, too. */
static inline void take(rig_t *rig, wgw_event_t event)
{
    succeed(rig);
    rig->last = wgw_sup_step(rig->step, event, rig->now);
}

static inline void send(rig_t *rig, wgw_event_kind_t kind, uint32_t row)
{
    take(rig, (wgw_event_t){ .kind = kind, .row = row });
}

static inline void exit_in_order(rig_t *rig, uint32_t row)
{
    take(rig, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = row, .is_in_order = true });
}

static inline void wait(rig_t *rig, int64_t us)
{
    rig->now += us;
    send(rig, WGW_EVENT_TICK, 0);
}

static inline void assert_action(const rig_t *rig, size_t i, wgw_action_kind_t kind, uint32_t row)
{
    assert_true(rig->last.count > i);
    assert_int_equal(rig->last.items[i].kind, kind);
    assert_int_equal(rig->last.items[i].row, row);
}

static inline void assert_one(const rig_t *rig, wgw_action_kind_t kind, uint32_t row)
{
    assert_int_equal(rig->last.count, 1);
    assert_action(rig, 0, kind, row);
}

/* A pool of one whose process is ready. */
static inline rig_t make_ready(uint32_t row_count)
{
    rig_t rig = make(1, row_count);

    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_READY, 0);
    return rig;
}

#endif
