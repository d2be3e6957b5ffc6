#include "unit.h"

#include "exchange/output.h"

static void a_response_goes_through_its_states(void **state)
{
    wgw_output_t out;

    (void)state;
    wgw_output_init(&out, false);
    assert_false(wgw_output_transit(&out, WGW_EV_WRITE));
    assert_false(wgw_output_transit(&out, WGW_EV_END));
    assert_true(wgw_output_transit(&out, WGW_EV_HEAD));
    assert_true(wgw_output_transit(&out, WGW_EV_HEAD)); /* replaced: nothing has left */
    assert_true(wgw_output_transit(&out, WGW_EV_WRITE));
    assert_false(wgw_output_transit(&out, WGW_EV_HEAD)); /* it has */
    assert_true(wgw_output_transit(&out, WGW_EV_WRITE));
    assert_true(wgw_output_transit(&out, WGW_EV_END));
    assert_int_equal(out.state, WGW_OUT_DONE);
    assert_false(wgw_output_transit(&out, WGW_EV_FAIL)); /* too late to cut */
}

static void a_cut_is_final(void **state)
{
    wgw_output_t out;

    (void)state;
    wgw_output_init(&out, false);
    assert_false(wgw_output_transit(&out, WGW_EV_FAIL)); /* nothing to cut: httpd answers */
    wgw_output_transit(&out, WGW_EV_HEAD);
    assert_false(wgw_output_transit(&out, WGW_EV_FAIL));
    wgw_output_transit(&out, WGW_EV_WRITE);
    assert_true(wgw_output_transit(&out, WGW_EV_FAIL));
    for (int event = 0; event < WGW_EV_COUNT; event++)
        assert_false(wgw_output_transit(&out, (wgw_output_event_t)event));
    assert_int_equal(out.state, WGW_OUT_CUT);
}

static void bytes_beyond_the_length_are_surplus(void **state)
{
    wgw_output_t out;

    (void)state;
    wgw_output_init(&out, false);
    wgw_output_set_head(&out, 200, 10);
    assert_int_equal(wgw_output_admit(&out, 4), 4);
    assert_true(wgw_output_is_short(&out));
    assert_int_equal(wgw_output_admit(&out, 9), 6);
    assert_true(wgw_output_is_full(&out));
    assert_int_equal(wgw_output_admit(&out, 5), 0);
    assert_int_equal(out.surplus_count, 8);
    assert_int_equal(out.sent_count, 10);
}

static void without_a_length_everything_is_admitted(void **state)
{
    wgw_output_t out;

    (void)state;
    wgw_output_init(&out, false);
    wgw_output_set_head(&out, 200, -1);
    assert_int_equal(wgw_output_admit(&out, 1 << 20), 1 << 20);
    assert_false(wgw_output_is_full(&out));
    assert_false(wgw_output_is_short(&out));
}

static void counts_stay_at_their_limit(void **state)
{
    wgw_output_t out;

    (void)state;
    wgw_output_init(&out, false);
    wgw_output_set_head(&out, 200, -1);
    for (int i = 0; i < 3; i++)
        assert_true(wgw_output_admit(&out, INT64_MAX) == INT64_MAX);
    assert_true(out.sent_count == INT64_MAX);
    wgw_output_init(&out, false);
    wgw_output_set_head(&out, 200, 1);
    for (int i = 0; i < 3; i++)
        wgw_output_admit(&out, INT64_MAX);
    assert_true(out.sent_count == 1 && out.surplus_count == INT64_MAX);
}

static void a_response_without_a_body_admits_nothing(void **state)
{
    static const struct { bool is_head; int status; } CASES[] = { { true, 200 }, { false, 204 },
                                                                  { false, 304 } };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        wgw_output_t out;
        wgw_output_init(&out, CASES[i].is_head);
        wgw_output_set_head(&out, CASES[i].status, 10);
        assert_int_equal(wgw_output_admit(&out, 5), 0);
        assert_int_equal(out.surplus_count, 0);
        assert_false(wgw_output_is_short(&out));
    }
}

static void a_replaced_head_decides_anew(void **state)
{
    wgw_output_t out;

    (void)state;
    wgw_output_init(&out, false);
    wgw_output_set_head(&out, 204, -1);
    wgw_output_set_head(&out, 500, 5);
    assert_int_equal(wgw_output_admit(&out, 5), 5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_response_goes_through_its_states),
    cmocka_unit_test(a_cut_is_final),
    cmocka_unit_test(bytes_beyond_the_length_are_surplus),
    cmocka_unit_test(without_a_length_everything_is_admitted),
    cmocka_unit_test(counts_stay_at_their_limit),
    cmocka_unit_test(a_response_without_a_body_admits_nothing),
    cmocka_unit_test(a_replaced_head_decides_anew),
};

UNIT_GROUP(output_group, tests);
