/* Processes are the supervisor's own knowledge; requests and counters come from the scoreboard,
 * which may lie. A lie is shown as any text or number would be. */
#include "supervisor/status.h"

#include <stdlib.h>

_Static_assert((int)WGW_CAUSE_COUNT <= (int)WGW_BOARD_CAUSES, "the scoreboard has room for each cause");

static const char *const CAUSES[WGW_CAUSE_COUNT] = {
    [WGW_CAUSE_RELOAD] = "reload", [WGW_CAUSE_SCRIPT] = "script", [WGW_CAUSE_EVICTION] = "eviction",
    [WGW_CAUSE_MAXIMUM_REQUESTS] = "maximum-requests",
    [WGW_CAUSE_RESTART_INTERVAL] = "restart-interval",
    [WGW_CAUSE_INACTIVITY] = "inactivity-timeout", [WGW_CAUSE_CPU_TIME] = "cpu-time-limit",
    [WGW_CAUSE_MEMORY] = "memory-reload", [WGW_CAUSE_REQUEST_TIMEOUT] = "request-timeout",
    [WGW_CAUSE_DEADLOCK] = "deadlock-timeout", [WGW_CAUSE_ORDER] = "order",
};

/* The requests of a pool, as they were at one moment. */
typedef struct {
    wgw_request_seen_t *items; /* NULL: memory is short */
    size_t count, surplus;     /* surplus: that had no room */
    size_t waiting_count;
    int64_t oldest_us;         /* of those that wait; 0 none does */
} requests_t;

static requests_t see_requests(const wgw_sup_board_t *board, int64_t now_us)
{
    requests_t all = { .items = calloc(WGW_STATUS_REQUESTS_MOST, sizeof *all.items) };
    wgw_request_seen_t one;
    uint32_t at = 0;

    while (wgw_sup_board_next_request(board, &at, now_us, &one)) {
        if (one.state == WGW_ENTRY_WAITING) {
            all.waiting_count++;
            all.oldest_us = one.state_us > all.oldest_us ? one.state_us : all.oldest_us;
        }
        if (all.items && all.count < WGW_STATUS_REQUESTS_MOST)
            all.items[all.count++] = one;
        else
            all.surplus++;
    }
    return all;
}

static const char *request_phase(const wgw_request_seen_t *request)
{
    switch (request->state) {
    case WGW_ENTRY_WAITING:
        return "waiting";
    case WGW_ENTRY_SENT:
        return "sent";
    case WGW_ENTRY_BEGUN:
        return request->has_head ? "responding" : "running";
    default:
        return "sending";
    }
}

static void put_request(wgw_json_t *json, const wgw_request_seen_t *request)
{
    wgw_json_open(json, NULL, '{');
    wgw_json_text(json, "request", request->line);
    wgw_json_text(json, "client", request->client);
    wgw_json_text(json, "id", request->log_id);
    wgw_json_text(json, "phase", request_phase(request));
    wgw_json_seconds(json, "age", request->age_us);
    wgw_json_seconds(json, "phase_age", request->state_us);
    wgw_json_close(json, '}');
}

/* httpd writes the row when it has claimed a thread, the process its epoch when it has begun. */
static bool is_of(const wgw_request_seen_t *request, uint32_t row, uint32_t epoch)
{
    return request->state != WGW_ENTRY_WAITING && request->row == row &&
           (request->state == WGW_ENTRY_SENT || request->epoch == epoch);
}

static const char *process_phase(wgw_row_phase_t phase)
{
    static const char *const NAMES[] = {
        [WGW_ROW_EMPTY] = "gone", [WGW_ROW_STARTING] = "starting", [WGW_ROW_READY] = "ready",
        [WGW_ROW_DRAINING] = "draining", [WGW_ROW_STOPPING] = "stopping",
        [WGW_ROW_KILLED] = "killed",
    };

    return NAMES[phase];
}

static void put_process(wgw_json_t *json, const wgw_look_t *look, uint32_t r,
                        const requests_t *requests, int64_t now_us)
{
    const wgw_look_row_t *row = &look->rows[r];
    wgw_row_use_t use = wgw_sup_board_use(look->board, r);

    wgw_json_open(json, NULL, '{');
    wgw_json_number(json, "pid", row->pid);
    wgw_json_text(json, "phase", process_phase(wgw_sup_step_phase(look->step, r)));
    wgw_json_number(json, "version", row->version);
    wgw_json_seconds(json, "age", now_us - row->begun_us);
    wgw_json_number(json, "served", (int64_t)use.request_count);
    wgw_json_number(json, "threads", use.thread_count);
    wgw_json_number(json, "busy", use.busy_count);
    wgw_json_open(json, "requests", '[');
    for (size_t i = 0; i < requests->count; i++)
        if (is_of(&requests->items[i], r, row->epoch))
            put_request(json, &requests->items[i]);
    wgw_json_close(json, ']');
    wgw_json_close(json, '}');
}

static void put_queue(wgw_json_t *json, const wgw_look_t *look, const requests_t *requests)
{
    const wgw_board_t *map = look->board->map;

    wgw_json_open(json, "queue", '{');
    wgw_json_number(json, "waiting", (int64_t)requests->waiting_count);
    wgw_json_number(json, "most", look->spec->listen_backlog);
    wgw_json_seconds(json, "oldest_wait", requests->oldest_us);
    wgw_json_number(json, "waits", atomic_load(&map->wait_count));
    wgw_json_seconds(json, "waited", (int64_t)atomic_load(&map->waited_us));
    wgw_json_open(json, "requests", '[');
    for (size_t i = 0; i < requests->count; i++)
        if (requests->items[i].state == WGW_ENTRY_WAITING)
            put_request(json, &requests->items[i]);
    wgw_json_close(json, ']');
    wgw_json_close(json, '}');
}

static void put_counters(wgw_json_t *json, const wgw_board_t *map)
{
    const struct { const char *name; const _Atomic uint32_t *value; } COUNTERS[] = {
        { "refused", &map->refused_count }, { "retried", &map->retried_count },
        { "cut", &map->cut_count }, { "502", &map->bad_gateway_count },
        { "503", &map->unavailable_count }, { "504", &map->gateway_timeout_count },
        { "failed_loads", &map->unloaded_count }, { "failed_versions", &map->failed_count },
        { "crashes", &map->crash_count }, { "failed_starts", &map->unstarted_count },
        { "broken", &map->broken_count },
    };

    wgw_json_open(json, "counters", '{');
    for (size_t i = 0; i < sizeof COUNTERS / sizeof *COUNTERS; i++)
        wgw_json_number(json, COUNTERS[i].name, atomic_load(COUNTERS[i].value));
    wgw_json_close(json, '}');
    wgw_json_open(json, "replaced", '{');
    for (int cause = 0; cause < WGW_CAUSE_COUNT; cause++)
        wgw_json_number(json, CAUSES[cause], atomic_load(&map->cause_counts[cause]));
    wgw_json_close(json, '}');
}

static void put_failure(wgw_json_t *json, const wgw_tally_t *tally, int64_t now_us)
{
    if (!tally->failed_us) {
        wgw_json_null(json, "failure");
        return;
    }
    wgw_json_open(json, "failure", '{');
    wgw_json_text(json, "text", tally->failure);
    wgw_json_seconds(json, "age", now_us - tally->failed_us);
    wgw_json_close(json, '}');
}

/* How long the first place waits that has to wait for its next process. */
static void put_next_start(wgw_json_t *json, const wgw_look_t *look, int64_t now_us)
{
    int64_t first_us = 0;

    for (uint32_t p = 0; p < look->spec->process_count; p++) {
        int64_t wait_us = wgw_sup_step_wait_us(look->step, p, now_us);
        if (wait_us && (!first_us || wait_us < first_us))
            first_us = wait_us;
    }
    if (first_us)
        wgw_json_seconds(json, "next_start", first_us);
    else
        wgw_json_null(json, "next_start");
}

static void put_version(wgw_json_t *json, const wgw_look_t *look)
{
    wgw_versions_t versions = wgw_sup_step_versions(look->step);

    wgw_json_number(json, "version", versions.newest);
    wgw_json_bool(json, "has_failed", versions.failed != 0);
}

void wgw_sup_status_put(wgw_json_t *json, const wgw_pool_status_t *pool, int64_t now_us)
{
    const wgw_look_t *look = pool->look;
    requests_t requests = see_requests(look->board, now_us);

    wgw_json_open(json, NULL, '{');
    wgw_json_text(json, "name", look->spec->name);
    wgw_json_text(json, "server", look->spec->server);
    wgw_json_number(json, "generation", pool->generation);
    wgw_json_bool(json, "is_ending", pool->is_ending);
    put_version(json, look);
    wgw_json_bool(json, "is_up", wgw_sup_step_is_up(look->step, now_us));
    wgw_json_number(json, "wanted", wgw_sup_step_open_count(look->step));
    wgw_json_number(json, "most", look->spec->process_count);
    put_next_start(json, look, now_us);
    put_failure(json, pool->tally, now_us);
    put_queue(json, look, &requests);
    put_counters(json, look->board->map);
    wgw_json_open(json, "processes", '[');
    for (uint32_t r = 0; r < look->spec->row_count; r++)
        if (wgw_sup_step_phase(look->step, r) != WGW_ROW_EMPTY)
            put_process(json, look, r, &requests, now_us);
    wgw_json_close(json, ']');
    wgw_json_number(json, "requests_left_out", (int64_t)requests.surplus);
    wgw_json_close(json, '}');
    free(requests.items);
}
