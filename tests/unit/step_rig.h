/* A pool as a pure function, with its clock, for the tests of it. */
#ifndef WGW_TESTS_STEP_RIG_H
#define WGW_TESTS_STEP_RIG_H

#include "unit.h"

#include "supervisor/step.h"

#define SEC INT64_C(1000000)
#define MIN (60 * SEC)

/* One pool, its clock, and what the last event led to. */
typedef struct {
    wgw_step_t *step;
    int64_t now;
    wgw_actions_t last;
} rig_t;

static inline rig_t make(uint32_t process_count, uint32_t row_count)
{
    const wgw_step_config_t config = {
        .process_count = process_count, .row_count = row_count, .startup_timeout_us = 15 * SEC,
        .graceful_timeout_us = 60 * SEC, .shutdown_timeout_us = 5 * SEC,
    };

    return (rig_t){ .step = wgw_sup_step_create(&config), .now = 1000 * SEC };
}

static inline void send(rig_t *rig, wgw_event_kind_t kind, uint32_t row)
{
    rig->last = wgw_sup_step(rig->step, (wgw_event_t){ .kind = kind, .row = row }, rig->now);
}

static inline void exit_in_order(rig_t *rig, uint32_t row)
{
    rig->last = wgw_sup_step(rig->step, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = row,
                                                       .is_in_order = true }, rig->now);
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
