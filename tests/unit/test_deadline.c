#include "unit.h"

#include "base/deadline.h"

static void a_deadline_ahead_has_time_left(void **state)
{
    wgw_deadline_t deadline = wgw_deadline_in_us(60 * 1000000);

    (void)state;
    assert_in_range(wgw_deadline_left_us(deadline), 1, 60 * 1000000);
}

static void a_deadline_past_has_none(void **state)
{
    (void)state;
    assert_int_equal(wgw_deadline_left_us((wgw_deadline_t){ .at_us = 1 }), 0);
    assert_int_equal(wgw_deadline_left_us(wgw_deadline_in_us(-5)), 0);
}

static void timespec_has_the_same_time(void **state)
{
    struct timespec ts = wgw_deadline_timespec((wgw_deadline_t){ .at_us = 12345678 });

    (void)state;
    assert_int_equal(ts.tv_sec, 12);
    assert_int_equal(ts.tv_nsec, 345678000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_deadline_ahead_has_time_left),
    cmocka_unit_test(a_deadline_past_has_none),
    cmocka_unit_test(timespec_has_the_same_time),
};

UNIT_GROUP(deadline_group, tests);
