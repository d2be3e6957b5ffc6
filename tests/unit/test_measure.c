#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "supervisor/elastic.h"
#include "supervisor/warm.h"
#include "supervisor/wear.h"
#include "wsgigw/exec.h"

#include <unistd.h>

#define SEC INT64_C(1000000)
#define IDLE (60 * SEC)

/* Two processes of two threads, nothing to do. */
static wgw_load_t calm(int64_t now_us)
{
    return (wgw_load_t){ .now_us = now_us, .process_count = 2, .thread_count = 2 };
}

static void a_long_wait_grows(void **state)
{
    wgw_elastic_t elastic = { 0 };
    wgw_load_t load = calm(100 * SEC);

    (void)state;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.oldest_wait_us = 99999;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.oldest_wait_us = 100000;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_GROW);
    load.is_starting = true;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
}

static void many_short_waits_grow(void **state)
{
    wgw_elastic_t elastic = { 0 };
    wgw_load_t load = calm(100 * SEC);

    (void)state;
    load.waited_us = 1000 * SEC; /* before it was looked at for the first time */
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.now_us += SEC;
    load.waited_us += SEC / 2 - 1;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.now_us += SEC;
    load.waited_us += SEC / 2;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_GROW);
    load.now_us += SEC;
    load.waited_us -= SEC; /* a daemon process has written it */
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
}

static void one_is_given_up_at_a_time(void **state)
{
    wgw_elastic_t elastic = { 0 };
    wgw_load_t load = calm(100 * SEC);

    (void)state;
    load.busy_count = 2; /* one process would do */
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.now_us += IDLE - 1;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.now_us += 1;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_SHRINK);
    load.now_us += SEC;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    load.now_us += IDLE;
    assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_SHRINK);
}

static void who_is_needed_stays(void **state)
{
    wgw_elastic_t elastic = { 0 };
    wgw_load_t load = calm(100 * SEC);

    (void)state;
    for (int i = 0; i < 100; i++) {
        load.busy_count = i % 10 ? 0 : 3; /* now and then two processes are */
        load.now_us += IDLE / 20;
        assert_int_equal(wgw_sup_elastic_decide(&elastic, &load, IDLE), WGW_ELASTIC_STAY);
    }
}

/* --- warm ----------------------------------------------------------------------------- */

static void what_was_loaded_is_known_once(void **state)
{
    static const char *const SITE[] = { "script", "/srv/site.wsgi", "", "application" };
    static const char *const OTHER[] = { "script", "/srv/site.wsgi", "", "other" };
    wgw_warm_t warm = { .count = 0 };

    (void)state;
    for (int i = 0; i < 3; i++)
        wgw_sup_warm_add(&warm, SITE);
    assert_int_equal(warm.count, WGW_WARM_TEXTS);
    wgw_sup_warm_add(&warm, OTHER);
    wgw_sup_warm_add(&warm, SITE);
    assert_int_equal(warm.count, 2 * WGW_WARM_TEXTS);
    wgw_cursor_t c = { .at = warm.texts.data, .end = warm.texts.data + warm.texts.len };
    for (int t = 0; t < WGW_WARM_TEXTS; t++)
        assert_string_equal(wgw_cursor_text(&c, NULL), SITE[t]);
    wgw_sup_warm_forget_callables(&warm);
    assert_int_equal(warm.count, WGW_WARM_TEXTS); /* the same script, twice */
    wgw_sup_warm_deinit(&warm);
}

static void what_was_loaded_has_a_bound(void **state)
{
    wgw_warm_t warm = { .count = 0 };
    char name[1001] = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        memset(name, 'a' + i % 26, 1000 - (size_t)(i / 26));
        name[1000 - i / 26] = '\0';
        wgw_sup_warm_add(&warm, (const char *const[]){ "module", name, "", "" });
    }
    assert_in_range(warm.texts.len, WGW_EXEC_WARM_MOST - 1100, WGW_EXEC_WARM_MOST);
    wgw_sup_warm_deinit(&warm);
}

/* --- wear ----------------------------------------------------------------------------- */

static bool look(wgw_wear_t *wear, const wgw_pool_spec_t *spec, uint64_t count, bool is_busy,
                 int64_t now_us, wgw_cause_t *cause)
{
    return wgw_sup_wear_look(wear, spec, getpid(), count, is_busy, now_us, cause);
}

static void an_idle_process_is_worn_out_once_it_has_served(void **state)
{
    const wgw_pool_spec_t spec = { .inactivity_timeout_us = 10 * SEC };
    wgw_wear_t wear = { 0 };
    wgw_cause_t cause;

    (void)state;
    assert_true(wgw_sup_wear_is_watched(&spec));
    assert_false(look(&wear, &spec, 0, false, 1 * SEC, &cause));
    assert_false(look(&wear, &spec, 0, false, 100 * SEC, &cause)); /* it has not served yet */
    assert_false(look(&wear, &spec, 1, true, 101 * SEC, &cause));
    assert_false(look(&wear, &spec, 1, true, 200 * SEC, &cause)); /* it still does */
    assert_false(look(&wear, &spec, 1, false, 209 * SEC, &cause));
    assert_true(look(&wear, &spec, 1, false, 210 * SEC, &cause));
    assert_int_equal(cause, WGW_CAUSE_INACTIVITY);
    assert_false(look(&wear, &spec, 2, false, 211 * SEC, &cause));
}

static void memory_and_processor_time_are_this_process_s(void **state)
{
    const wgw_pool_spec_t small = { .memory_reload_bytes = 4096 };
    const wgw_pool_spec_t large = { .memory_reload_bytes = UINT64_C(1) << 50,
                                    .cpu_time_limit_us = 3600 * SEC };
    const wgw_pool_spec_t none = { .memory_reload_bytes = 0 };
    wgw_wear_t wear = { 0 };
    wgw_cause_t cause;

    (void)state;
    assert_true(look(&wear, &small, 1, false, SEC, &cause));
    assert_int_equal(cause, WGW_CAUSE_MEMORY);
    assert_false(look(&wear, &large, 1, false, SEC, &cause));
    assert_false(wgw_sup_wear_is_watched(&none));
    assert_false(look(&wear, &none, 1, false, SEC, &cause));
}

static void a_process_that_is_gone_is_not_worn_out(void **state)
{
    const wgw_pool_spec_t spec = { .memory_reload_bytes = 1, .cpu_time_limit_us = 1 };
    wgw_wear_t wear = { 0 };
    wgw_cause_t cause;

    (void)state;
    assert_false(wgw_sup_wear_look(&wear, &spec, INT32_MAX, 1, false, SEC, &cause));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_long_wait_grows),
    cmocka_unit_test(many_short_waits_grow),
    cmocka_unit_test(one_is_given_up_at_a_time),
    cmocka_unit_test(who_is_needed_stays),
    cmocka_unit_test(what_was_loaded_is_known_once),
    cmocka_unit_test(what_was_loaded_has_a_bound),
    cmocka_unit_test(an_idle_process_is_worn_out_once_it_has_served),
    cmocka_unit_test(memory_and_processor_time_are_this_process_s),
    cmocka_unit_test(a_process_that_is_gone_is_not_worn_out),
};

UNIT_GROUP(measure_group, tests);
