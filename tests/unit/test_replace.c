#include "step_rig.h"

static void send_cause(rig_t *rig, wgw_event_kind_t kind, uint32_t row, wgw_cause_t cause)
{
    take(rig, (wgw_event_t){ .kind = kind, .row = row, .cause = cause });
}

static void reload(rig_t *rig)
{
    send_cause(rig, WGW_EVENT_RELOAD, 0, WGW_CAUSE_SCRIPT);
}

/* A pool whose processes are ready; three rows a place. */
static rig_t make_all_ready(uint32_t process_count)
{
    rig_t rig = make(process_count, 3 * process_count);

    send(&rig, WGW_EVENT_START, 0);
    for (uint32_t r = 0; r < process_count; r++)
        send(&rig, WGW_EVENT_READY, r);
    return rig;
}

static void assert_trial(const rig_t *rig, uint32_t row, wgw_cause_t cause)
{
    assert_one(rig, WGW_ACTION_SPAWN, row);
    assert_true(rig->last.items[0].is_trial);
    assert_int_equal(rig->last.items[0].cause, cause);
}

static void assert_versions(const rig_t *rig, uint32_t newest, uint32_t failed)
{
    wgw_versions_t versions = wgw_sup_step_versions(rig->step);

    assert_int_equal(versions.newest, newest);
    assert_int_equal(versions.failed, failed);
}

static void a_successor_is_ready_before_the_old_one_is_drained(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_MAXIMUM_REQUESTS);
    assert_trial(&rig, 1, WGW_CAUSE_MAXIMUM_REQUESTS);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_READY);
    send(&rig, WGW_EVENT_READY, 1);
    assert_one(&rig, WGW_ACTION_DRAIN, 0);
    assert_int_equal(rig.last.items[0].reason, WGW_REASON_REPLACED);
    assert_int_equal(rig.last.items[0].cause, WGW_CAUSE_MAXIMUM_REQUESTS);
    exit_in_order(&rig, 0);
    assert_int_equal(rig.last.count, 0);
    wgw_sup_step_destroy(rig.step);
}

static void it_is_asked_for_once(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_EVICTION);
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_MEMORY);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_READY, 1);
    assert_int_equal(rig.last.items[0].cause, WGW_CAUSE_EVICTION);
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_MEMORY); /* it is on its way out already */
    assert_int_equal(rig.last.count, 0);
    wgw_sup_step_destroy(rig.step);
}

static void a_reload_rolls(void **state)
{
    rig_t rig = make_all_ready(8);

    (void)state;
    reload(&rig);
    assert_int_equal(rig.last.count, 2); /* a quarter of the places at a time */
    assert_action(&rig, 0, WGW_ACTION_SPAWN, 8);
    assert_action(&rig, 1, WGW_ACTION_SPAWN, 9);
    for (uint32_t r = 0; r < 8; r++) {
        send(&rig, WGW_EVENT_READY, 8 + r);
        assert_action(&rig, 0, WGW_ACTION_DRAIN, r);
        exit_in_order(&rig, r);
    }
    assert_int_equal(rig.last.count, 0);
    assert_versions(&rig, 2, 0);
    wgw_sup_step_destroy(rig.step);
}

static void where_the_first_successor_fails_the_old_ones_stay(void **state)
{
    rig_t rig = make_all_ready(2);

    (void)state;
    reload(&rig);
    assert_trial(&rig, 2, WGW_CAUSE_SCRIPT);
    send(&rig, WGW_EVENT_EXITED, 2);
    assert_int_equal(rig.last.count, 0);
    assert_versions(&rig, 2, 2);
    wait(&rig, 10 * MIN);
    assert_int_equal(rig.last.count, 0); /* nothing before the next change */
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_READY);
    reload(&rig);
    assert_trial(&rig, 2, WGW_CAUSE_SCRIPT);
    send(&rig, WGW_EVENT_READY, 2);
    assert_versions(&rig, 3, 0);
    wgw_sup_step_destroy(rig.step);
}

static void who_hangs_on_trial_is_killed(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    reload(&rig);
    wait(&rig, 15 * SEC);
    assert_one(&rig, WGW_ACTION_KILL, 1);
    assert_int_equal(rig.last.items[0].reason, WGW_REASON_STARTUP_TIMEOUT);
    assert_versions(&rig, 2, 2);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_READY);
    wgw_sup_step_destroy(rig.step);
}

static void a_trial_has_a_bound_without_startup_timeout(void **state)
{
    const wgw_step_config_t config = { .process_count = 1, .row_count = 3 };
    rig_t rig = make_of(&config);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    assert_true(rig.last.wake_us == WGW_STEP_NEVER);
    send(&rig, WGW_EVENT_READY, 0);
    reload(&rig);
    assert_true(rig.last.wake_us == rig.now + MIN);
    wait(&rig, MIN);
    assert_one(&rig, WGW_ACTION_KILL, 1);
    wgw_sup_step_destroy(rig.step);
}

static void once_one_was_ready_a_failure_is_tried_again(void **state)
{
    rig_t rig = make_all_ready(2);

    (void)state;
    reload(&rig);
    send(&rig, WGW_EVENT_READY, 2);
    assert_int_equal(rig.last.count, 2);
    assert_action(&rig, 1, WGW_ACTION_SPAWN, 3);
    send(&rig, WGW_EVENT_EXITED, 3);
    assert_versions(&rig, 2, 0);
    assert_true(rig.last.wake_us == rig.now + SEC);
    wait(&rig, SEC);
    assert_trial(&rig, 3, WGW_CAUSE_SCRIPT);
    wgw_sup_step_destroy(rig.step);
}

static void a_recycled_process_whose_successor_fails_stays_and_is_tried_again(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_MEMORY);
    send(&rig, WGW_EVENT_EXITED, 1);
    assert_int_equal(wgw_sup_step_phase(rig.step, 0), WGW_ROW_READY);
    wait(&rig, SEC);
    assert_trial(&rig, 1, WGW_CAUSE_MEMORY);
    send(&rig, WGW_EVENT_EXITED, 1);
    wait(&rig, SEC);
    assert_int_equal(rig.last.count, 0);
    wait(&rig, SEC);
    assert_trial(&rig, 1, WGW_CAUSE_MEMORY);
    wgw_sup_step_destroy(rig.step);
}

static void a_crash_during_a_trial_leaves_the_place_to_it(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    reload(&rig);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_READY, 1);
    assert_int_equal(rig.last.count, 0);
    reload(&rig);
    assert_trial(&rig, 0, WGW_CAUSE_SCRIPT);
    send(&rig, WGW_EVENT_EXITED, 1);
    send(&rig, WGW_EVENT_EXITED, 0); /* both are gone: an ordinary one is started, after a while */
    wait(&rig, SEC);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    assert_false(rig.last.items[0].is_trial);
    wgw_sup_step_destroy(rig.step);
}

static void a_reload_during_a_trial_is_another_one(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    reload(&rig);
    reload(&rig);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_READY, 1);
    assert_int_equal(rig.last.count, 2);
    assert_action(&rig, 0, WGW_ACTION_DRAIN, 0);
    assert_action(&rig, 1, WGW_ACTION_SPAWN, 2); /* what it loaded may be older */
    wgw_sup_step_destroy(rig.step);
}

static void the_failure_of_an_older_trial_does_not_count(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    reload(&rig);
    reload(&rig);
    send(&rig, WGW_EVENT_EXITED, 1);
    assert_versions(&rig, 3, 0);
    assert_trial(&rig, 1, WGW_CAUSE_SCRIPT);
    wgw_sup_step_destroy(rig.step);
}

static void without_a_free_row_the_trial_waits(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    for (uint32_t r = 1; r < 3; r++) {
        reload(&rig);
        send(&rig, WGW_EVENT_READY, r);
    }
    reload(&rig);
    assert_int_equal(rig.last.count, 0);
    exit_in_order(&rig, 0);
    assert_trial(&rig, 0, WGW_CAUSE_SCRIPT);
    wgw_sup_step_destroy(rig.step);
}

static void restart_interval_replaces(void **state)
{
    const wgw_step_config_t config = { .process_count = 1, .row_count = 3,
                                       .restart_interval_us = MIN };
    rig_t rig = make_of(&config);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_READY, 0);
    assert_true(rig.last.wake_us == rig.now + MIN);
    wait(&rig, MIN);
    assert_trial(&rig, 1, WGW_CAUSE_RESTART_INTERVAL);
    send(&rig, WGW_EVENT_READY, 1);
    assert_action(&rig, 0, WGW_ACTION_DRAIN, 0);
    wgw_sup_step_destroy(rig.step);
}

static void eviction_has_a_timeout_of_its_own(void **state)
{
    const wgw_step_config_t config = { .process_count = 1, .row_count = 3,
                                       .graceful_timeout_us = MIN, .eviction_timeout_us = SEC };
    rig_t rig = make_of(&config);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    send(&rig, WGW_EVENT_READY, 0);
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_EVICTION);
    send(&rig, WGW_EVENT_READY, 1);
    assert_true(rig.last.items[0].timeout_us == SEC);
    send_cause(&rig, WGW_EVENT_REPLACE, 1, WGW_CAUSE_MEMORY);
    assert_int_equal(rig.last.count, 0); /* a process could ask for it without end */
    wait(&rig, SEC / 4);
    assert_trial(&rig, 2, WGW_CAUSE_MEMORY);
    send(&rig, WGW_EVENT_READY, 2);
    assert_true(rig.last.items[0].timeout_us == MIN);
    wgw_sup_step_destroy(rig.step);
}

static void a_failed_reload_does_not_stand_in_the_way(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    reload(&rig);
    send(&rig, WGW_EVENT_EXITED, 1);
    assert_versions(&rig, 2, 2);
    wait(&rig, 10 * SEC);
    assert_int_equal(rig.last.count, 0);
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_MEMORY);
    assert_trial(&rig, 1, WGW_CAUSE_MEMORY);
    wgw_sup_step_destroy(rig.step);
}

static void who_is_deadlocked_does_not_stay(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    send_cause(&rig, WGW_EVENT_REPLACE, 0, WGW_CAUSE_DEADLOCK);
    assert_trial(&rig, 1, WGW_CAUSE_DEADLOCK);
    send(&rig, WGW_EVENT_EXITED, 1);
    assert_action(&rig, 0, WGW_ACTION_STOP, 0);
    wgw_sup_step_destroy(rig.step);
}

static void after_a_failed_reload_a_crash_brings_no_broken_process(void **state)
{
    rig_t rig = make_all_ready(2);

    (void)state;
    reload(&rig);
    send(&rig, WGW_EVENT_EXITED, 2);
    assert_versions(&rig, 2, 2);
    send(&rig, WGW_EVENT_EXITED, 0); /* an old one crashes */
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    assert_true(rig.last.items[0].has_to_load);
    assert_false(rig.last.items[0].is_trial);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_versions(&rig, 2, 2);
    assert_int_equal(wgw_sup_step_phase(rig.step, 1), WGW_ROW_READY);
    wait(&rig, 2 * SEC);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    send(&rig, WGW_EVENT_READY, 0); /* repaired meanwhile: it has shown that the version can be started */
    assert_versions(&rig, 2, 0);
    wgw_sup_step_destroy(rig.step);
}

static void who_could_not_be_made_says_nothing_about_the_code(void **state)
{
    rig_t rig = make_all_ready(1);

    (void)state;
    reload(&rig);
    take(&rig, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = 1, .is_unmade = true });
    assert_versions(&rig, 2, 0);
    wait(&rig, SEC);
    assert_trial(&rig, 1, WGW_CAUSE_SCRIPT);
    wgw_sup_step_destroy(rig.step);
}

static void a_service_is_never_there_twice(void **state)
{
    const wgw_step_config_t config = { .process_count = 1, .row_count = 3, .is_service = true,
                                       .graceful_timeout_us = MIN, .shutdown_timeout_us = SEC };
    rig_t rig = make_of(&config);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    reload(&rig); /* it has not been READY, and may never be */
    assert_one(&rig, WGW_ACTION_STOP, 0);
    wait(&rig, SEC);
    assert_one(&rig, WGW_ACTION_KILL, 0);
    send(&rig, WGW_EVENT_EXITED, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    assert_false(rig.last.items[0].is_trial);
    send(&rig, WGW_EVENT_READY, 0);
    reload(&rig);
    assert_one(&rig, WGW_ACTION_STOP, 0);
    exit_in_order(&rig, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    wgw_sup_step_destroy(rig.step);
}

static void an_elastic_pool_grows_and_shrinks(void **state)
{
    const wgw_step_config_t config = { .process_count = 3, .row_count = 9, .process_least = 1,
                                       .graceful_timeout_us = MIN };
    rig_t rig = make_of(&config);

    (void)state;
    send(&rig, WGW_EVENT_START, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    assert_true(wgw_sup_step_is_starting(rig.step));
    send(&rig, WGW_EVENT_READY, 0);
    send(&rig, WGW_EVENT_SHRINK, 0); /* never below the least */
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_GROW, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 1);
    send(&rig, WGW_EVENT_READY, 1);
    send(&rig, WGW_EVENT_GROW, 0);
    send(&rig, WGW_EVENT_GROW, 0); /* nor above the most */
    assert_int_equal(rig.last.count, 0);
    assert_int_equal(wgw_sup_step_open_count(rig.step), 3);
    send(&rig, WGW_EVENT_SHRINK, 0);
    assert_one(&rig, WGW_ACTION_DRAIN, 0);
    assert_int_equal(rig.last.items[0].reason, WGW_REASON_UNNEEDED);
    exit_in_order(&rig, 0);
    assert_int_equal(rig.last.count, 0);
    send(&rig, WGW_EVENT_GROW, 0);
    assert_one(&rig, WGW_ACTION_SPAWN, 0);
    wgw_sup_step_destroy(rig.step);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_successor_is_ready_before_the_old_one_is_drained),
    cmocka_unit_test(it_is_asked_for_once),
    cmocka_unit_test(a_reload_rolls),
    cmocka_unit_test(where_the_first_successor_fails_the_old_ones_stay),
    cmocka_unit_test(who_hangs_on_trial_is_killed),
    cmocka_unit_test(a_trial_has_a_bound_without_startup_timeout),
    cmocka_unit_test(once_one_was_ready_a_failure_is_tried_again),
    cmocka_unit_test(a_recycled_process_whose_successor_fails_stays_and_is_tried_again),
    cmocka_unit_test(a_crash_during_a_trial_leaves_the_place_to_it),
    cmocka_unit_test(a_reload_during_a_trial_is_another_one),
    cmocka_unit_test(the_failure_of_an_older_trial_does_not_count),
    cmocka_unit_test(without_a_free_row_the_trial_waits),
    cmocka_unit_test(restart_interval_replaces),
    cmocka_unit_test(eviction_has_a_timeout_of_its_own),
    cmocka_unit_test(a_failed_reload_does_not_stand_in_the_way),
    cmocka_unit_test(who_is_deadlocked_does_not_stay),
    cmocka_unit_test(after_a_failed_reload_a_crash_brings_no_broken_process),
    cmocka_unit_test(who_could_not_be_made_says_nothing_about_the_code),
    cmocka_unit_test(a_service_is_never_there_twice),
    cmocka_unit_test(an_elastic_pool_grows_and_shrinks),
};

UNIT_GROUP(replace_group, tests);
