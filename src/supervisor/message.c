/* Nothing is believed of a message before its last byte was accounted for. */
#include "supervisor/message.h"

#include <stdlib.h>

#include "base/cursor.h"

static const char *decode_generation(wgw_cursor_t *c, wgw_parent_message_t *out)
{
    uint8_t version = wgw_cursor_u8(c);

    out->generation = wgw_cursor_u32(c);
    out->keep_us = wgw_cursor_u64(c);
    out->control_path = wgw_cursor_text(c, NULL);
    if (version != WGW_CONTROL_VERSION)
        return "it is of another version of mod_wsgigw: stop httpd and start it";
    return wgw_cursor_is_done(c) ? NULL : "a GENERATION message is malformed";
}

static const char *check_spec(const wgw_pool_spec_t *spec)
{
    const uint64_t most_us = (uint64_t)INT64_MAX / 4;

    if (spec->process_count < 1 || spec->process_count > spec->row_count ||
        spec->row_count > WGW_SUP_ROWS_MOST)
        return "a pool has an impossible number of processes";
    if (spec->entry_count < 1 || spec->entry_count > WGW_SUP_ENTRIES_MOST)
        return "a pool has an impossible number of scoreboard entries";
    if (spec->startup_timeout_us > most_us || spec->graceful_timeout_us > most_us ||
        spec->shutdown_timeout_us > most_us)
        return "a timeout of a pool is out of range";
    if (!*spec->socket_path || !*spec->python || !*spec->extension)
        return "a pool lacks the path of its sockets, of its interpreter, or of the extension";
    if (spec->worker.len > WGW_EXEC_START_MOST - WGW_EXEC_WARM_MOST - 64)
        return "what the processes of a pool have to know is longer than 192 KiB: preload less";
    return NULL;
}

static const char *decode_pool(wgw_cursor_t *c, wgw_parent_message_t *out)
{
    const char *wrong;

    if (!wgw_pool_spec_decode(c->at, (size_t)(c->end - c->at), &out->spec, &out->memory))
        return "a POOL message is malformed, or memory is short";
    wrong = check_spec(&out->spec);
    if (wrong) {
        free(out->memory);
        out->memory = NULL;
    }
    return wrong;
}

const char *wgw_sup_message_decode(const char *data, size_t len, wgw_parent_message_t *out)
{
    wgw_cursor_t c = { .at = data, .end = data + len };

    *out = (wgw_parent_message_t){ .kind = (wgw_control_message_t)wgw_cursor_u8(&c) };
    switch (out->kind) {
    case WGW_CONTROL_GENERATION:
        return decode_generation(&c, out);
    case WGW_CONTROL_POOL:
        return decode_pool(&c, out);
    case WGW_CONTROL_STOP:
        out->is_graceful = wgw_cursor_u8(&c) == 1;
        return wgw_cursor_is_done(&c) ? NULL : "a STOP message is malformed";
    case WGW_CONTROL_HELLO:
        out->version = wgw_cursor_text(&c, NULL);
        out->program = wgw_cursor_text(&c, NULL);
        return wgw_cursor_is_done(&c) ? NULL : "a HELLO message is malformed";
    case WGW_CONTROL_COMMIT:
        return wgw_cursor_is_done(&c) ? NULL : "a COMMIT message is malformed";
    default:
        return "a message is of an unknown kind";
    }
}

static void skip_file(wgw_cursor_t *c)
{
    wgw_cursor_text(c, NULL);
    for (int i = 0; i < 4; i++)
        wgw_cursor_u64(c);
}

bool wgw_sup_worker_message_decode(const char *data, size_t len, wgw_worker_message_t *out)
{
    wgw_cursor_t c = { .at = data, .end = data + len };
    uint8_t number = 0, most = 0;

    *out = (wgw_worker_message_t){ .kind = (wgw_exec_message_t)wgw_cursor_u8(&c) };
    switch (out->kind) {
    case WGW_EXEC_READY:
        break;
    case WGW_EXEC_LEAVING:
        number = wgw_cursor_u8(&c);
        most = WGW_LEAVE_SHUTDOWN;
        out->reason = (wgw_leave_reason_t)number;
        break;
    case WGW_EXEC_WANTS:
        number = wgw_cursor_u8(&c);
        most = WGW_CAUSE_COUNT - 1;
        out->cause = (wgw_cause_t)number;
        break;
    case WGW_EXEC_LOADED:
        out->what = wgw_cursor_text(&c, NULL);
        out->name = wgw_cursor_text(&c, NULL);
        out->group = wgw_cursor_text(&c, NULL);
        out->callable = wgw_cursor_text(&c, NULL);
        break;
    case WGW_EXEC_STALE:
        skip_file(&c);
        break;
    default:
        return false;
    }
    return wgw_cursor_is_done(&c) && number <= most;
}

void wgw_sup_start_encode(wgw_buffer_t *b, const wgw_pool_spec_t *spec, const wgw_start_t *start)
{
    wgw_put_u8(b, WGW_EXEC_START);
    wgw_put_u8(b, WGW_EXEC_VERSION);
    wgw_put_u32(b, start->row);
    wgw_put_u32(b, start->epoch);
    wgw_put_u32(b, spec->row_count);
    wgw_put_u32(b, spec->entry_count);
    wgw_put_u8(b, start->has_to_load);
    wgw_put_u32(b, start->warm->count);
    if (start->warm->count)
        wgw_buffer_append(b, start->warm->texts.data, start->warm->texts.len);
    wgw_buffer_append(b, spec->worker.data, spec->worker.len);
}

void wgw_sup_end_encode(wgw_buffer_t *b, wgw_exec_message_t kind, int64_t timeout_us)
{
    int64_t ms = timeout_us / 1000;

    wgw_put_u8(b, (uint8_t)kind);
    wgw_put_u32(b, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
}
