#include "exchange/message.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cursor.h"
#include "exchange/head.h"
#include "wire/frame.h"

enum {
    IS_MULTITHREAD = 1,
    IS_MULTIPROCESS = 2,
    IS_BODILESS = 4,
    IS_RELOADING = 8,
    IS_MODULE = 16, /* the target is a module, not a script */
    HAS_BODY = 32,
    ALL_BITS = 63
};

/* --- request -------------------------------------------------------------------------- */

/* Write through a pointer that has room: the size was computed before. */
static char *put(char *at, const void *data, size_t len)
{
    if (len)
        memcpy(at, data, len);
    return at + len;
}

static char *put_var(char *at, const wgw_var_t *var)
{
    uint16_t key = htole16((uint16_t)var->key), name_len = htole16((uint16_t)var->name_len);
    uint32_t value_len = htole32(var->value_len);

    at = put(at, &key, sizeof key);
    at = put(at, &name_len, sizeof name_len);
    at = put(at, &value_len, sizeof value_len);
    at = put(at, var->name, var->name_len);
    return put(at, var->value, var->value_len);
}

enum { VAR_SIZE = 8 };

static bool is_sendable(const wgw_var_t *var)
{
    return var->name_len <= UINT16_MAX;
}

/* Returns: bytes of all variables; *count_out of them can be sent. */
static size_t measure_vars(const wgw_request_t *request, uint32_t *count_out)
{
    size_t size = 0;

    *count_out = 0;
    for (size_t i = 0; i < request->var_count; i++) {
        const wgw_var_t *var = &request->vars[i];
        if (!is_sendable(var))
            continue; /* a name of more than 64 KiB, which no application looks for */
        size += VAR_SIZE + var->name_len + var->value_len;
        (*count_out)++;
    }
    return size;
}

static uint32_t bits_of(const wgw_request_t *request, const wgw_request_note_t *note)
{
    return (request->is_multithread ? IS_MULTITHREAD : 0u) |
           (request->is_multiprocess ? IS_MULTIPROCESS : 0u) |
           (request->is_bodiless ? IS_BODILESS : 0u) |
           (request->target.is_reloading ? IS_RELOADING : 0u) |
           (request->target.module ? IS_MODULE : 0u) | (note->has_body ? HAS_BODY : 0u);
}

static uint64_t microseconds(double seconds)
{
    return (uint64_t)(seconds * 1e6 + 0.5);
}

static void put_fixed(wgw_buffer_t *b, const wgw_request_t *request,
                      const wgw_request_note_t *note, uint32_t var_count)
{
    const wgw_target_t *target = &request->target;

    wgw_put_u32(b, note->entry);
    wgw_put_u32(b, note->epoch);
    wgw_put_u32(b, bits_of(request, note));
    wgw_put_u64(b, (uint64_t)request->content_length);
    wgw_put_u64(b, (uint64_t)request->deadline.at_us);
    wgw_put_u64(b, (uint64_t)request->ends_by.at_us);
    wgw_put_u64(b, microseconds(request->request_start));
    wgw_put_u64(b, microseconds(request->queue_start));
    wgw_put_u64(b, target->file.dev);
    wgw_put_u64(b, target->file.ino);
    wgw_put_u64(b, (uint64_t)target->file.mtime_us);
    wgw_put_u64(b, (uint64_t)target->file.size);
    wgw_put_text(b, target->module ? target->module : target->script);
    wgw_put_text(b, target->callable);
    wgw_put_text(b, target->group);
    wgw_put_u32(b, var_count);
}

/* What CALL has before the request. */
static void put_question(wgw_buffer_t *b, const wgw_request_t *request)
{
    wgw_put_u8(b, (uint8_t)request->question);
    wgw_put_u8(b, request->is_https);
    for (size_t i = 0; i < WGW_ARGUMENT_COUNT; i++) {
        wgw_put_u32(b, (uint32_t)request->arguments[i].len);
        wgw_buffer_append(b, request->arguments[i].data, request->arguments[i].len);
    }
}

bool wgw_request_encode(wgw_buffer_t *b, const wgw_request_t *request,
                        const wgw_request_note_t *note, unsigned flags)
{
    wgw_frame_type_t type = request->question ? WGW_FRAME_CALL : WGW_FRAME_REQUEST;
    size_t start = b->len;
    uint32_t var_count;
    size_t vars_size = measure_vars(request, &var_count);

    wgw_buffer_reserve(b, vars_size + note->body.len + 4096);
    wgw_buffer_append(b, (char[WGW_FRAME_HEADER_SIZE]){ 0 }, WGW_FRAME_HEADER_SIZE);
    if (request->question)
        put_question(b, request);
    put_fixed(b, request, note, var_count);
    if (!wgw_buffer_reserve(b, vars_size))
        return false;
    char *at = b->data + b->len;
    for (size_t i = 0; i < request->var_count; i++)
        if (is_sendable(&request->vars[i]))
            at = put_var(at, &request->vars[i]);
    b->len += vars_size;
    wgw_buffer_append(b, note->body.data, note->body.len);
    size_t len = b->len - start - WGW_FRAME_HEADER_SIZE;
    if (b->is_short || len > wgw_frame_most(type))
        return false;
    wgw_frame_encode(b->data + start, type, flags, len);
    return true;
}

static bool reserve_vars(wgw_var_store_t *store, size_t count)
{
    if (count <= store->size)
        return true;
    wgw_var_t *vars = realloc(store->vars, count * sizeof *vars);
    if (!vars)
        return false;
    store->vars = vars;
    store->size = count;
    return true;
}

static void get_var(wgw_cursor_t *c, wgw_var_t *var)
{
    uint16_t key = wgw_cursor_u16(c);
    uint16_t name_len = wgw_cursor_u16(c);
    uint32_t value_len = wgw_cursor_u32(c);

    if (key >= WGW_KEY_COUNT || (key != WGW_KEY_NONE) != (name_len == 0))
        c->is_bad = true;
    var->key = (wgw_key_t)key;
    var->name_len = name_len;
    var->value_len = value_len;
    var->name = wgw_cursor_bytes(c, name_len);
    var->value = wgw_cursor_bytes(c, value_len);
}

static bool get_vars(wgw_cursor_t *c, wgw_var_store_t *store, wgw_request_t *request)
{
    size_t count = wgw_cursor_u32(c);

    if (c->is_bad || count > (size_t)(c->end - c->at) / VAR_SIZE || !reserve_vars(store, count))
        return false;
    for (size_t i = 0; i < count; i++)
        get_var(c, &store->vars[i]);
    request->vars = store->vars;
    request->var_count = count;
    return !c->is_bad;
}

static void get_target(wgw_cursor_t *c, uint32_t bits, wgw_target_t *target)
{
    target->file.dev = wgw_cursor_u64(c);
    target->file.ino = wgw_cursor_u64(c);
    target->file.mtime_us = (int64_t)wgw_cursor_u64(c);
    target->file.size = (int64_t)wgw_cursor_u64(c);
    const char *name = wgw_cursor_text(c, NULL);
    target->script = bits & IS_MODULE ? NULL : name;
    target->module = bits & IS_MODULE ? name : NULL;
    target->callable = wgw_cursor_text(c, NULL);
    target->group = wgw_cursor_text(c, NULL);
    target->is_reloading = bits & IS_RELOADING;
}

bool wgw_request_decode(const char *payload, size_t len, wgw_var_store_t *store,
                        wgw_request_t *request_out, wgw_request_note_t *note_out)
{
    wgw_cursor_t c = { .at = payload, .end = payload + len };

    *request_out = (wgw_request_t){ 0 };
    note_out->entry = wgw_cursor_u32(&c);
    note_out->epoch = wgw_cursor_u32(&c);
    uint32_t bits = wgw_cursor_u32(&c);
    request_out->is_multithread = bits & IS_MULTITHREAD;
    request_out->is_multiprocess = bits & IS_MULTIPROCESS;
    request_out->is_bodiless = bits & IS_BODILESS;
    request_out->content_length = (int64_t)wgw_cursor_u64(&c);
    request_out->deadline.at_us = (int64_t)wgw_cursor_u64(&c);
    request_out->ends_by.at_us = (int64_t)wgw_cursor_u64(&c);
    request_out->request_start = (double)wgw_cursor_u64(&c) / 1e6;
    request_out->queue_start = (double)wgw_cursor_u64(&c) / 1e6;
    get_target(&c, bits, &request_out->target);
    if (bits & ~(uint32_t)ALL_BITS || !get_vars(&c, store, request_out))
        return false;
    note_out->has_body = bits & HAS_BODY;
    note_out->body = (wgw_span_t){ c.at, (size_t)(c.end - c.at) };
    return note_out->has_body || note_out->body.len == 0;
}

bool wgw_call_decode(const char *payload, size_t len, wgw_var_store_t *store,
                     wgw_request_t *request_out, wgw_request_note_t *note_out)
{
    wgw_cursor_t c = { .at = payload, .end = payload + len };
    wgw_span_t arguments[WGW_ARGUMENT_COUNT];
    unsigned question = wgw_cursor_u8(&c), is_https = wgw_cursor_u8(&c);

    for (size_t i = 0; i < WGW_ARGUMENT_COUNT; i++) {
        arguments[i].len = wgw_cursor_u32(&c);
        arguments[i].data = wgw_cursor_bytes(&c, arguments[i].len);
    }
    if (c.is_bad || question == WGW_ASK_NOTHING || question >= WGW_ASK_COUNT || is_https > 1 ||
        !wgw_request_decode(c.at, (size_t)(c.end - c.at), store, request_out, note_out))
        return false;
    request_out->question = (wgw_question_t)question;
    request_out->is_https = is_https;
    memcpy(request_out->arguments, arguments, sizeof arguments);
    return !note_out->has_body;
}

/* --- head ----------------------------------------------------------------------------- */

bool wgw_head_encode(wgw_buffer_t *b, const wgw_head_t *head)
{
    size_t start = b->len, len;

    wgw_buffer_append(b, (char[WGW_FRAME_HEADER_SIZE]){ 0 }, WGW_FRAME_HEADER_SIZE);
    wgw_put_u16(b, (uint16_t)head->status);
    wgw_put_text(b, head->reason);
    wgw_put_u32(b, (uint32_t)head->field_count);
    for (size_t i = 0; i < head->field_count; i++) {
        wgw_put_text(b, head->fields[i].name);
        wgw_put_text(b, head->fields[i].value);
    }
    len = b->len - start - WGW_FRAME_HEADER_SIZE;
    if (b->is_short || len > wgw_frame_most(WGW_FRAME_HEAD))
        return false;
    wgw_frame_encode(b->data + start, WGW_FRAME_HEAD, 0, len);
    return true;
}

static bool reserve_fields(wgw_field_store_t *store, size_t count)
{
    if (count <= store->size)
        return true;
    wgw_field_t *fields = realloc(store->fields, count * sizeof *fields);
    if (!fields)
        return false;
    store->fields = fields;
    store->size = count;
    return true;
}

static const char *check_field(const char *name, size_t name_len, const char *value,
                               size_t value_len, int64_t *length)
{
    wgw_head_fault_t fault = wgw_head_check_name(name, name_len);

    if (!fault)
        fault = wgw_head_check_value(value, value_len);
    if (!fault && wgw_head_is_hop_by_hop(name, name_len))
        return "a hop-by-hop header field is in it (RFC 9110, 7.6.1)";
    if (!fault && strcasecmp(name, "Content-Length") == 0) {
        if (*length != -1)
            return "it has two Content-Length fields";
        fault = wgw_head_parse_length(value, value_len, length);
    }
    return fault ? wgw_head_fault_text(fault) : NULL;
}

static const char LONG_LINE[] = "a header line is longer than header-buffer-size";

static const char *get_fields(wgw_cursor_t *c, const wgw_head_limits_t *limits,
                              wgw_field_store_t *store, wgw_head_t *head, int64_t *length_out)
{
    enum { FIELD_LEAST = 10 };
    size_t count = wgw_cursor_u32(c), name_len, value_len;
    const char *wrong = NULL;

    if (c->is_bad || count > (size_t)(c->end - c->at) / FIELD_LEAST)
        return "it is malformed";
    if (!reserve_fields(store, count))
        return "there is no memory for it";
    for (size_t i = 0; i < count && !wrong; i++) {
        const char *name = wgw_cursor_text(c, &name_len), *value = wgw_cursor_text(c, &value_len);
        store->fields[i] = (wgw_field_t){ name, value };
        wrong = name_len + value_len > limits->line_most
            ? LONG_LINE
            : check_field(name, name_len, value, value_len, length_out);
    }
    head->fields = store->fields;
    head->field_count = count;
    return c->is_bad ? "it is malformed" : wrong;
}

const char *wgw_head_decode(const char *payload, size_t len, const wgw_head_limits_t *limits,
                            wgw_field_store_t *store, wgw_head_t *head_out, int64_t *length_out)
{
    wgw_cursor_t c = { .at = payload, .end = payload + len };
    size_t reason_len;

    *length_out = -1;
    head_out->status = wgw_cursor_u16(&c);
    head_out->reason = wgw_cursor_text(&c, &reason_len);
    if (c.is_bad)
        return "it is malformed";
    if (head_out->status < 200 || head_out->status > 599)
        return wgw_head_fault_text(WGW_HEAD_STATUS_RANGE);
    if (wgw_head_check_value(head_out->reason, reason_len))
        return wgw_head_fault_text(WGW_HEAD_STATUS_CONTROL);
    if (reason_len > limits->line_most)
        return LONG_LINE;
    const char *wrong = get_fields(&c, limits, store, head_out, length_out);
    return wrong ? wrong : wgw_cursor_is_done(&c) ? NULL : "it is malformed";
}
