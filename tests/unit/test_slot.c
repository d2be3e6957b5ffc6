#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/slot.h"
#include "worker/task.h"
#include "worker/trace.h"

/* --- slots ---------------------------------------------------------------------------- */

static bool look(wgw_slot_t *slot, int64_t now_us, int64_t *wake_us)
{
    *wake_us = INT64_MAX;
    return wgw_slot_look(slot, now_us, 50, wake_us);
}

static void a_slot_without_a_request_is_quiet(void **state)
{
    wgw_slot_t slot = { 0 };
    int64_t wake_us;

    (void)state;
    assert_false(look(&slot, INT64_MAX - 1, &wake_us));
    assert_true(wake_us == INT64_MAX);
    wgw_slot_leave(&slot); /* a request without an end was inside */
    assert_false(look(&slot, INT64_MAX - 1, &wake_us));
}

static void a_request_is_late_and_then_overdue(void **state)
{
    wgw_slot_t slot = { 0 };
    int64_t wake_us;

    (void)state;
    wgw_slot_enter(&slot, 1000, 7);
    assert_false(look(&slot, 999, &wake_us));
    assert_true(wake_us == 1000);
    assert_true(look(&slot, 1000, &wake_us));
    assert_int_equal(slot.stage, WGW_SLOT_LATE);
    assert_true(wgw_slot_is_in(&slot, slot.seen) && atomic_load(&slot.entry) == 7);
    assert_false(look(&slot, 1049, &wake_us));
    assert_true(wake_us == 1050);
    assert_true(look(&slot, 1050, &wake_us));
    assert_int_equal(slot.stage, WGW_SLOT_OVERDUE);
    assert_false(look(&slot, 9999, &wake_us));
    assert_true(wake_us == INT64_MAX);
}

static void the_next_request_is_in_time_again(void **state)
{
    wgw_slot_t slot = { 0 };
    int64_t wake_us;

    (void)state;
    wgw_slot_enter(&slot, 1000, 0);
    assert_true(look(&slot, 5000, &wake_us) && look(&slot, 5000, &wake_us));
    uint64_t before = slot.seen;
    wgw_slot_leave(&slot);
    assert_false(wgw_slot_is_in(&slot, before));
    wgw_slot_enter(&slot, 6000, 0);
    assert_false(look(&slot, 5000, &wake_us));
    assert_true(wake_us == 6000 && slot.stage == WGW_SLOT_IN_TIME);
    assert_false(wgw_slot_is_in(&slot, before));
}

/* --- traces --------------------------------------------------------------------------- */

static const char DUMP[] =
    "Thread 0x00007f293314e040 (most recent call first):\n"
    "  File \"/srv/a.py\", line 4 in inner\n"
    "  File \"/srv/a.py\", line 9 in outer\n"
    "\n"
    "Thread 0x00007f29314fe6c0 (most recent call first):\n"
    "  <no Python frame>\n"
    "\n"
    "Current thread 0x0000000000000abc [name] (most recent call first):\n"
    "  Garbage-collecting\n"
    "  File \"/srv/b.py\", line 1 in last";

static void a_dump_is_read_thread_by_thread(void **state)
{
    const char *at = DUMP, *end = DUMP + sizeof DUMP - 1;
    wgw_trace_t trace;

    (void)state;
    assert_true(wgw_trace_next(&at, end, &trace));
    assert_true(trace.ident == 0x7f293314e040 && trace.is_in_python);
    assert_int_equal(trace.len, strlen("  File \"/srv/a.py\", line 4 in inner\n"
                                       "  File \"/srv/a.py\", line 9 in outer\n"));
    assert_true(wgw_trace_next(&at, end, &trace));
    assert_true(trace.ident == 0x7f29314fe6c0 && !trace.is_in_python);
    assert_true(wgw_trace_next(&at, end, &trace));
    assert_true(trace.ident == 0xabc && trace.is_in_python);
    assert_true(trace.lines + trace.len == end);
    assert_false(wgw_trace_next(&at, end, &trace));
}

static void no_part_of_a_dump_does_harm(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof DUMP; len++) {
        char *copy = unit_copy(DUMP, len);
        const char *at = copy;
        wgw_trace_t trace;
        int count = 0;
        while (wgw_trace_next(&at, copy + len, &trace))
            count++;
        assert_true(count <= 3 && at == copy + len);
        free(copy);
    }
}

/* --- tasks ---------------------------------------------------------------------------- */

static int pipe_of_test[2];
static _Atomic pid_t reader;

static void *read_it(void *unused)
{
    char byte;

    (void)unused;
    atomic_store(&reader, gettid());
    (void)!read(pipe_of_test[0], &byte, 1);
    return NULL;
}

static void what_a_thread_waits_in_is_named(void **state)
{
    pthread_t thread;
    char text[160];
    const char *found = "";

    (void)state;
    assert_int_equal(pipe(pipe_of_test), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_it, NULL), 0);
    for (int i = 0; i < 5000 && !strstr(found, "waiting in"); i++) {
        usleep(1000);
        found = atomic_load(&reader) ? wgw_task_describe(reader, text, sizeof text) : "";
    }
    assert_non_null(strstr(found, "waiting in"));
    assert_true(strstr(found, "system call read") || strstr(found, "in the kernel"));
    assert_int_equal(write(pipe_of_test[1], "x", 1), 1);
    pthread_join(thread, NULL);
    assert_string_equal(wgw_task_describe(gettid(), text, sizeof text), "running on a processor");
    assert_string_equal(wgw_task_describe(0, text, sizeof text), "gone");
    close(pipe_of_test[0]);
    close(pipe_of_test[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_slot_without_a_request_is_quiet),
    cmocka_unit_test(a_request_is_late_and_then_overdue),
    cmocka_unit_test(the_next_request_is_in_time_again),
    cmocka_unit_test(a_dump_is_read_thread_by_thread),
    cmocka_unit_test(no_part_of_a_dump_does_harm),
    cmocka_unit_test(what_a_thread_waits_in_is_named),
};

UNIT_GROUP(slot_group, tests);
