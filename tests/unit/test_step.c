#include "unit.h"

#include "step_rig.h"

static void start_spawns_one_process_for_each_place(void **state)
{
    rig_t rig = make(3, 6);

    (void)state;
    send(&rig, WGW_EVENT_TICK, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_START, 0);
    assert_int_equal(rig.last.count, 3);
    for (uint32_t r = 0; r < 3; r++)
        assert_action(&rig, r, WGW_ACTION_SPAWN, r);
    assert_false(rig.last.is_over);
    wgw_sup_step_destroy(rig.step);
}

static void ready_wants_no_timer(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    assert_int_equal(rig.last.count, 0);
    assert_true(rig.last.wake_us == WGW_STEP_NEVER);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_READY);
    wgw_sup_step_destroy(rig.step);
}

static void startup_timeout_kills(void **state)
{
    rig_t rig = make(1, 1);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    assert_true(rig.last.wake_us == rig.now + 15 * SEC);
    wait(&rig, 15 * SEC - 1);
    assert_int_equal(rig.last.count, 0);
    wait(&rig, 1);
    assert_one(&rig, WGW_ACTION_KILL, 0);
    assert_int_equal(rig.last.items[0].reason, WGW_REASON_STARTUP_TIMEOUT);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    assert_true(rig.last.wake_us == rig.now + SEC);
    wait(&rig, SEC);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    wgw_sup_step_destroy(rig.step);
}

static void no_startup_timeout_waits_for_ever(void **state)
{
    const wgw_step_config_t config = { .process_count = 1, .row_count = 1 };
    rig_t rig = make_of(&config);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    assert_true(rig.last.wake_us == WGW_STEP_NEVER);
    wait(&rig, 10000 * MIN);
    assert_int_equal(rig.last.count, 0);
    wgw_sup_step_destroy(rig.step);
}

static void first_crash_is_replaced_at_once(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    wgw_sup_step_destroy(rig.step);
}

static void further_crashes_wait_longer_each_time(void **state)
{
    static const int SECONDS[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60, 60 };
    rig_t rig = make_ready(1);

    (void)state;
    for (size_t i = 0; i < sizeof SECONDS / sizeof *SECONDS; i++) {
        send(&rig, WGW_EVENT_EXITED, 0);
        if (SECONDS[i]) {
            assert_int_equal(rig.last.count, 0);
            assert_int_equal(rig.last.wake_us - rig.now, SECONDS[i] * SEC);
            assert_int_equal(wgw_sup_step_wait_us(rig.step, 0, rig.now), SECONDS[i] * SEC);
            wait(&rig, SECONDS[i] * SEC);
        }
        assert_one(&rig, WGW_ACTION_SPAWN, 0);
        send(&rig, WGW_EVENT_READY, 0);
    }
    wgw_sup_step_destroy(rig.step);
}

static void who_has_served_is_replaced_within_a_second(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    for (int i = 0; i < 10; i++) {
        if (i == 5) /* one that has not: the place does not forget how often it has failed */
            send(&rig, WGW_EVENT_EXITED, 0);
        else
            take(&rig, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = 0, .has_served = true });
        if (i)
            assert_int_equal(rig.last.wake_us - rig.now, (i == 5 ? 2 : 1) * SEC);
        wait(&rig, 2 * SEC);
        send(&rig, WGW_EVENT_READY, 0);
    }
    wgw_sup_step_destroy(rig.step);
}

static void service_for_as_long_as_the_wait_forgives(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    for (int i = 0; i < 3; i++) {
        send(&rig, WGW_EVENT_EXITED, 0);
        assert_one(&rig, WGW_ACTION_SPAWN, 0);
        send(&rig, WGW_EVENT_READY, 0);
        rig.now += 2 * SEC;
    }
    send(&rig, WGW_EVENT_EXITED, 0);
    send(&rig, WGW_EVENT_READY, 0);
    rig.now += SEC;
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.wake_us - rig.now, SEC);
    wgw_sup_step_destroy(rig.step);
}

static void never_ready_waits_from_a_second_on(void **state)
{
    static const int SECONDS[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
    rig_t rig = make(1, 1);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    for (size_t i = 0; i < sizeof SECONDS / sizeof *SECONDS; i++) {
        send(&rig, WGW_EVENT_EXITED, 0);
        assert_int_equal(rig.last.wake_us - rig.now, SECONDS[i] * SEC);
        wait(&rig, SECONDS[i] * SEC);
        assert_one(&rig, WGW_ACTION_SPAWN, 0);
    }
    wgw_sup_step_destroy(rig.step);
}

static void places_fail_on_their_own(void **state)
{
    rig_t rig = make(2, 2);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_READY, 1);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_EXITED, 1);
    assert_one(&rig, WGW_ACTION_SPAWN, 1);
    wgw_sup_step_destroy(rig.step);
}

static void leaving_has_its_successor_before_it_is_gone(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    rig.now += 10 * SEC;
    send(&rig, WGW_EVENT_LEAVING, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 1);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_DRAINING);
    exit_in_order(&rig, 0);
    assert_int_equal(rig.last.count, 0);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_EMPTY);
    wgw_sup_step_destroy(rig.step);
}

static void without_a_free_row_the_successor_waits(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    rig.now += 10 * SEC;
    send(&rig, WGW_EVENT_LEAVING, 0);
    assert_int_equal(rig.last.count, 0);
    exit_in_order(&rig, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    wgw_sup_step_destroy(rig.step);
}

static void leaving_in_order_is_no_failure(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    for (int i = 0; i < 5; i++) {
        rig.now += 2 * SEC;
        exit_in_order(&rig, 0);
        assert_one(&rig, WGW_ACTION_SPAWN, 0);
        send(&rig, WGW_EVENT_READY, 0);
    }
    wgw_sup_step_destroy(rig.step);
}

static void leaving_at_once_is_one(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    exit_in_order(&rig, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    send(&rig, WGW_EVENT_READY, 0);
    exit_in_order(&rig, 0);
    assert_int_equal(rig.last.count, 0);
    assert_int_equal(rig.last.wake_us - rig.now, SEC);
    wgw_sup_step_destroy(rig.step);
}

static void who_leaves_and_stays_is_stopped_and_killed(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    rig.now += 2 * SEC;
    send(&rig, WGW_EVENT_LEAVING, 0);
    wait(&rig, 60 * SEC);
    assert_one(&rig, WGW_ACTION_STOP, 0);
    wait(&rig, 5 * SEC);
    assert_one(&rig, WGW_ACTION_KILL, 0);
    wgw_sup_step_destroy(rig.step);
}

static void retire_drains_stops_and_kills(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    send(&rig, WGW_EVENT_RETIRE, 0);
    assert_one(&rig, WGW_ACTION_DRAIN, 0);
    assert_int_equal(rig.last.items[0].timeout_us, 60 * SEC);
    assert_true(rig.last.wake_us == rig.now + 60 * SEC);
    wait(&rig, 60 * SEC);
    assert_one(&rig, WGW_ACTION_STOP, 0);
    assert_int_equal(rig.last.items[0].reason, WGW_REASON_GRACEFUL_TIMEOUT);
    wait(&rig, 5 * SEC);
    assert_one(&rig, WGW_ACTION_KILL, 0);
    assert_int_equal(rig.last.items[0].reason, WGW_REASON_SHUTDOWN_TIMEOUT);
    assert_false(rig.last.is_over);
    wait(&rig, 100 * SEC);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    assert_true(rig.last.is_over);
    wgw_sup_step_destroy(rig.step);
}

static void retire_stops_who_never_was_ready(void **state)
{
    rig_t rig = make(1, 1);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_RETIRE, 0);
    assert_one(&rig, WGW_ACTION_STOP, 0);
    send(&rig, WGW_EVENT_READY, 0);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_STOPPING);
    wgw_sup_step_destroy(rig.step);
}

static void retire_without_processes_is_over_at_once(void **state)
{
    rig_t rig = make(1, 1);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_false(rig.last.is_over);
    send(&rig, WGW_EVENT_RETIRE, 0);
    assert_true(rig.last.is_over);
    wait(&rig, MIN);
    assert_int_equal(rig.last.count, 0);
    wgw_sup_step_destroy(rig.step);
}

static void nothing_starts_after_the_end_was_told(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    send(&rig, WGW_EVENT_RETIRE, 0);
    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_LEAVING, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    assert_true(rig.last.is_over);
    wgw_sup_step_destroy(rig.step);
}

static void stop_after_retire_hurries(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    send(&rig, WGW_EVENT_RETIRE, 0);
    send(&rig, WGW_EVENT_STOP, 0);
    assert_one(&rig, WGW_ACTION_STOP, 0);
    assert_true(rig.last.wake_us == rig.now + 5 * SEC);
    wgw_sup_step_destroy(rig.step);
}

static void limits_shorten_what_has_begun(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    send(&rig, WGW_EVENT_RETIRE, 0);
    take(&rig, (wgw_event_t){ .kind = WGW_EVENT_RETIRE, .graceful_limit_us = 3 * SEC, .shutdown_limit_us = 2 * SEC });
    assert_true(rig.last.wake_us == rig.now + 3 * SEC);
    wait(&rig, 3 * SEC);
    assert_one(&rig, WGW_ACTION_STOP, 0);
    wait(&rig, 2 * SEC);
    assert_one(&rig, WGW_ACTION_KILL, 0);
    wgw_sup_step_destroy(rig.step);
}

static void limits_never_lengthen(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    take(&rig, (wgw_event_t){ .kind = WGW_EVENT_RETIRE, .graceful_limit_us = 600 * SEC, .shutdown_limit_us = 600 * SEC });
    assert_true(rig.last.wake_us == rig.now + 60 * SEC);
    wgw_sup_step_destroy(rig.step);
}

static void broken_is_killed_and_replaced(void **state)
{
    rig_t rig = make_ready(1);

    (void)state;
    send(&rig, WGW_EVENT_BROKEN, 0);
    assert_one(&rig, WGW_ACTION_KILL, 0);
    send(&rig, WGW_EVENT_BROKEN, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    send(&rig, WGW_EVENT_BROKEN, 0);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    assert_int_equal(rig.last.wake_us - rig.now, 2 * SEC);
    wgw_sup_step_destroy(rig.step);
}

static void events_of_empty_rows_change_nothing(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    send(&rig, WGW_EVENT_READY, 1);
    send(&rig, WGW_EVENT_LEAVING, 1);
    send(&rig, WGW_EVENT_BROKEN, 1);
    send(&rig, WGW_EVENT_EXITED, 1);
    send(&rig, WGW_EVENT_READY, 7);
    assert_int_equal(rig.last.count, 0);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_READY);
    assert_int_equal(wgw_sup_step_phase(rig.step, 1), WGW_ROW_EMPTY);
    wgw_sup_step_destroy(rig.step);
}

static void the_old_process_does_not_count_for_the_new_one(void **state)
{
    rig_t rig = make_ready(2);

    (void)state;
    rig.now += 10 * SEC;
    send(&rig, WGW_EVENT_LEAVING, 0);
    send(&rig, WGW_EVENT_READY, 1);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_EXITED, 1);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    wgw_sup_step_destroy(rig.step);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(start_spawns_one_process_for_each_place),
    cmocka_unit_test(ready_wants_no_timer),
    cmocka_unit_test(startup_timeout_kills),
    cmocka_unit_test(no_startup_timeout_waits_for_ever),
    cmocka_unit_test(first_crash_is_replaced_at_once),
    cmocka_unit_test(further_crashes_wait_longer_each_time),
    cmocka_unit_test(who_has_served_is_replaced_within_a_second),
    cmocka_unit_test(service_for_as_long_as_the_wait_forgives),
    cmocka_unit_test(never_ready_waits_from_a_second_on),
    cmocka_unit_test(places_fail_on_their_own),
    cmocka_unit_test(leaving_has_its_successor_before_it_is_gone),
    cmocka_unit_test(without_a_free_row_the_successor_waits),
    cmocka_unit_test(leaving_in_order_is_no_failure),
    cmocka_unit_test(leaving_at_once_is_one),
    cmocka_unit_test(who_leaves_and_stays_is_stopped_and_killed),
    cmocka_unit_test(retire_drains_stops_and_kills),
    cmocka_unit_test(retire_stops_who_never_was_ready),
    cmocka_unit_test(retire_without_processes_is_over_at_once),
    cmocka_unit_test(nothing_starts_after_the_end_was_told),
    cmocka_unit_test(stop_after_retire_hurries),
    cmocka_unit_test(limits_shorten_what_has_begun),
    cmocka_unit_test(limits_never_lengthen),
    cmocka_unit_test(broken_is_killed_and_replaced),
    cmocka_unit_test(events_of_empty_rows_change_nothing),
    cmocka_unit_test(the_old_process_does_not_count_for_the_new_one),
};

UNIT_GROUP(step_group, tests);
