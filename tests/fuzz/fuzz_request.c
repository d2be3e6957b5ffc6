/* The payload of a REQUEST or a CALL frame as the daemon process sees it: what decodes lies within the
 * payload, and encodes to a request that is the same. */
#include <stdlib.h>
#include <string.h>

#include "exchange/message.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const char *at, size_t len, const char *data, size_t size)
{
    if (at < data || at > data + size || len > (size_t)(data + size - at))
        abort();
}

static void check_text(const char *text, const char *data, size_t size)
{
    check_inside(text, 0, data, size);
    check_inside(text, strlen(text) + 1, data, size);
}

static void check_bounds(const wgw_request_t *request, const char *data, size_t size)
{
    const wgw_target_t *target = &request->target;

    if (!target->script == !target->module || request->var_count > size)
        abort();
    check_text(target->script ? target->script : target->module, data, size);
    check_text(target->callable, data, size);
    check_text(target->group, data, size);
    for (size_t i = 0; i < request->var_count; i++) {
        const wgw_var_t *var = &request->vars[i];
        if (var->key >= WGW_KEY_COUNT || (var->key == WGW_KEY_NONE) != (var->name_len > 0))
            abort();
        check_inside(var->name, var->name_len, data, size);
        check_inside(var->value, var->value_len, data, size);
    }
}

static bool is_same(const wgw_request_t *a, const wgw_request_t *b)
{
    if (a->var_count != b->var_count || a->content_length != b->content_length ||
        a->deadline.at_us != b->deadline.at_us || a->is_bodiless != b->is_bodiless ||
        a->is_multithread != b->is_multithread || a->is_multiprocess != b->is_multiprocess ||
        a->target.is_reloading != b->target.is_reloading ||
        memcmp(&a->target.file, &b->target.file, sizeof a->target.file) != 0)
        return false;
    for (size_t i = 0; i < a->var_count; i++)
        if (a->vars[i].key != b->vars[i].key || a->vars[i].value_len != b->vars[i].value_len ||
            memcmp(a->vars[i].value, b->vars[i].value, a->vars[i].value_len) != 0 ||
            memcmp(a->vars[i].name, b->vars[i].name, a->vars[i].name_len) != 0)
            return false;
    return true;
}

static bool decode(bool is_call, const char *payload, size_t len, wgw_var_store_t *store,
                   wgw_request_t *request, wgw_request_note_t *note)
{
    return is_call ? wgw_call_decode(payload, len, store, request, note)
                   : wgw_request_decode(payload, len, store, request, note);
}

static void check_question(const wgw_request_t *a, const wgw_request_t *b)
{
    if (a->question != b->question || a->is_https != b->is_https)
        abort();
    for (size_t i = 0; i < WGW_ARGUMENT_COUNT; i++)
        if (a->arguments[i].len != b->arguments[i].len ||
            (a->arguments[i].len &&
             memcmp(a->arguments[i].data, b->arguments[i].data, a->arguments[i].len) != 0))
            abort();
}

static void check_again(const wgw_request_t *request, const wgw_request_note_t *note)
{
    wgw_buffer_t b = { 0 };
    wgw_var_store_t store = { 0 };
    wgw_request_t again, given = *request;
    wgw_request_note_t noted;

    given.request_start = given.queue_start = 0; /* a double does not hold every u64 */
    if (!wgw_request_encode(&b, &given, note, 0) ||
        !decode(request->question, b.data + WGW_FRAME_HEADER_SIZE, b.len - WGW_FRAME_HEADER_SIZE, &store,
                &again, &noted) ||
        !is_same(request, &again) || note->entry != noted.entry || note->epoch != noted.epoch ||
        note->has_body != noted.has_body || note->body.len != noted.body.len)
        abort();
    check_question(request, &again);
    wgw_buffer_deinit(&b);
    free(store.vars);
}

static void take(bool is_call, const char *payload, size_t size)
{
    wgw_var_store_t store = { 0 };
    wgw_request_t request;
    wgw_request_note_t note;

    if (decode(is_call, payload, size, &store, &request, &note)) {
        if (is_call != (request.question != WGW_ASK_NOTHING) || (is_call && note.has_body))
            abort();
        for (size_t i = 0; is_call && i < WGW_ARGUMENT_COUNT; i++)
            check_inside(request.arguments[i].data, request.arguments[i].len, payload, size);
        check_bounds(&request, payload, size);
        check_inside(note.body.data, note.body.len, payload, size);
        check_again(&request, &note);
    }
    free(store.vars);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take(false, (const char *)data, size);
    take(true, (const char *)data, size);
    return 0;
}
