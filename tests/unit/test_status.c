/* What people are shown of a pool, how its reload is followed, and what is counted. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/deadline.h"
#include "supervisor/status.h"

typedef struct {
    wgw_pool_spec_t spec;
    wgw_sup_board_t board;
    wgw_step_t *step;
    wgw_look_t look;
    wgw_tally_t tally;
} pool_t;

static void found_nothing(void *ctx, wgw_event_t found)
{
    (void)ctx, (void)found;
}

static void make_pool_of(pool_t *pool, bool is_service)
{
    int fd = memfd_create("board", MFD_ALLOW_SEALING);

    *pool = (pool_t){ .spec = { .name = "p", .server = "s", .process_count = 1, .row_count = 2,
                                .entry_count = 3, .listen_backlog = 9 } };
    assert_int_equal(ftruncate(fd, (off_t)wgw_board_size(2, 3)), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_null(wgw_sup_board_open(&pool->board, fd, 2, 3));
    pool->step = wgw_sup_step_create(&(wgw_step_config_t){ .process_count = 1, .row_count = 2,
                                                             .is_service = is_service });
    pool->spec.is_service = is_service;
    assert_true(wgw_sup_look_init(&pool->look, &pool->spec, &pool->board, pool->step,
                                  (wgw_log_sink_t){ .write = NULL }, found_nothing));
    pool->tally.map = pool->board.map;
    wgw_sup_step(pool->step, (wgw_event_t){ .kind = WGW_EVENT_START }, wgw_now_us());
    wgw_sup_look_begin(&pool->look, 0, 77, 5, 1);
}

static void make_pool(pool_t *pool)
{
    make_pool_of(pool, false);
}

static void free_pool(pool_t *pool)
{
    wgw_sup_look_deinit(&pool->look);
    wgw_sup_step_destroy(pool->step);
    wgw_sup_board_close(&pool->board);
}

/* Returns: the document, to be freed. */
static char *show(const pool_t *pool)
{
    wgw_json_t json = { .has_item = false };

    wgw_sup_status_put(&json, &(wgw_pool_status_t){ .look = &pool->look, .tally = &pool->tally },
                       wgw_now_us());
    wgw_buffer_append(&json.out, "", 1);
    return json.out.data;
}

static void assert_shows(const pool_t *pool, const char *part, bool is_there)
{
    char *text = show(pool);

    if ((strstr(text, part) != NULL) != is_there)
        fail_msg("%s in %s", part, text);
    free(text);
}

static wgw_entry_t *entry_of(const pool_t *pool, int number, wgw_entry_state_t state, uint32_t row,
                             uint32_t epoch)
{
    wgw_entry_t *entry = &wgw_board_entries(pool->board.map, 2)[number];

    atomic_store(&entry->state, state);
    atomic_store(&entry->row, row);
    atomic_store(&entry->epoch, epoch);
    return entry;
}

static void a_pool_is_shown(void **state)
{
    pool_t pool;

    (void)state;
    make_pool(&pool);
    assert_shows(&pool, "\"pid\":77,\"phase\":\"starting\",\"version\":1", true);
    wgw_sup_step(pool.step, (wgw_event_t){ .kind = WGW_EVENT_READY }, wgw_now_us());
    assert_shows(&pool, "\"phase\":\"ready\"", true);
    assert_shows(&pool, "\"failure\":null", true);
    wgw_sup_tally_unmade(&pool.tally, "no \"room\"");
    assert_shows(&pool, "a process cannot be started: no \\\"room\\\"", true);
    assert_shows(&pool, "\"failed_starts\":1", true);
    free_pool(&pool);
}

static void requests_stand_with_their_process(void **state)
{
    pool_t pool;

    (void)state;
    make_pool(&pool);
    memset(entry_of(&pool, 0, WGW_ENTRY_BEGUN, 0, 5)->line, 'a', WGW_REQUEST_LINE_SIZE);
    strcpy(entry_of(&pool, 1, WGW_ENTRY_BEGUN, 0, 4)->line, "GET /of-another");
    strcpy(entry_of(&pool, 2, WGW_ENTRY_BEGUN, 4000000000u, 5)->line, "GET /of-no-row");
    assert_shows(&pool, "\"requests\":[{\"request\":\"aaaa", true);
    assert_shows(&pool, "/of-another", false);
    assert_shows(&pool, "/of-no-row", false);
    entry_of(&pool, 0, (wgw_entry_state_t)77, 0, 5);
    assert_shows(&pool, "aaaa", false);
    free_pool(&pool);
}

static void causes_and_ends_are_counted(void **state)
{
    pool_t pool;

    (void)state;
    make_pool(&pool);
    for (int cause = 0; cause < WGW_CAUSE_COUNT; cause++)
        wgw_sup_tally_action(&pool.tally, &(wgw_action_t){ .kind = WGW_ACTION_DRAIN, .cause = (wgw_cause_t)cause,
                                                           .reason = WGW_REASON_REPLACED }, 1);
    assert_shows(&pool, "\"reload\":1,\"script\":1,\"eviction\":1,\"maximum-requests\":1,"
                 "\"restart-interval\":1,\"inactivity-timeout\":1,\"cpu-time-limit\":1,"
                 "\"memory-reload\":1,\"request-timeout\":1,\"deadlock-timeout\":1,\"order\":1", true);
    wgw_sup_tally_end(&pool.tally, &(wgw_end_t){ .status = 11, .was_ready = true }, "");
    wgw_sup_tally_end(&pool.tally, &(wgw_end_t){ .status = 0, .was_ready = true }, "");
    wgw_sup_tally_end(&pool.tally, &(wgw_end_t){ .status = 9, .was_expected = true }, "");
    assert_shows(&pool, "\"crashes\":1,\"failed_starts\":0", true);
    wgw_sup_tally_end(&pool.tally, &(wgw_end_t){ .pid = 8, .status = 3 << 8 }, "SyntaxError: x");
    assert_string_equal(pool.tally.failure, "process 8 exited with code 3 before it was ready: SyntaxError: x");
    assert_shows(&pool, "\"crashes\":1,\"failed_starts\":1", true);
    free_pool(&pool);
}

static void a_reload_is_followed(void **state)
{
    pool_t pool;

    (void)state;
    make_pool(&pool);
    assert_int_equal(wgw_sup_look_at_reload(&pool.look, 1, false), WGW_RELOAD_UNDER_WAY);
    wgw_sup_step(pool.step, (wgw_event_t){ .kind = WGW_EVENT_READY }, wgw_now_us());
    assert_int_equal(wgw_sup_look_at_reload(&pool.look, 1, false), WGW_RELOAD_DONE);
    wgw_sup_step(pool.step, (wgw_event_t){ .kind = WGW_EVENT_RELOAD, .cause = WGW_CAUSE_ORDER },
                 wgw_now_us());
    wgw_sup_look_begin(&pool.look, 1, 78, 6, 2);
    assert_int_equal(wgw_sup_look_at_reload(&pool.look, 2, true), WGW_RELOAD_UNDER_WAY);
    wgw_sup_step(pool.step, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .row = 1 }, wgw_now_us());
    assert_int_equal(wgw_sup_look_at_reload(&pool.look, 2, true), WGW_RELOAD_FAILED);
    free_pool(&pool);
}

/* It ends before the next one starts, and may never say that it is ready. */
static void a_reload_of_a_service_is_followed(void **state)
{
    pool_t pool;

    (void)state;
    make_pool_of(&pool, true);
    wgw_sup_step(pool.step, (wgw_event_t){ .kind = WGW_EVENT_RELOAD, .cause = WGW_CAUSE_ORDER },
                 wgw_now_us());
    assert_int_equal(wgw_sup_look_at_reload(&pool.look, 2, false), WGW_RELOAD_UNDER_WAY);
    wgw_sup_step(pool.step, (wgw_event_t){ .kind = WGW_EVENT_EXITED, .is_in_order = true },
                 wgw_now_us());
    assert_int_equal(wgw_sup_step_phase(pool.step, 0), WGW_ROW_STARTING);
    wgw_sup_look_begin(&pool.look, 0, 78, 6, 2);
    assert_int_equal(wgw_sup_look_at_reload(&pool.look, 2, false), WGW_RELOAD_DONE);
    free_pool(&pool);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_pool_is_shown),
    cmocka_unit_test(requests_stand_with_their_process),
    cmocka_unit_test(causes_and_ends_are_counted),
    cmocka_unit_test(a_reload_is_followed),
    cmocka_unit_test(a_reload_of_a_service_is_followed),
};

UNIT_GROUP(status_group, tests);
