/* Messages that the supervisor reads: of httpd's parent, and of daemon processes. What it takes lies
 * within the message and within its bounds, and a pool encodes to the same bytes.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -Iinclude tests/fuzz/fuzz_control.c \
 *     src/supervisor/message.c src/supervisor/warm.c src/wire/spec.c src/base/cursor.c src/base/buffer.c \
 *     -o fuzz_control */
#include <stdlib.h>
#include <string.h>

#include "supervisor/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wgw_warm_t warm; /* of all that has ever been said to be loaded */

static void check_text(const char *text, const char *data, size_t size)
{
    if (text < data || text + strlen(text) >= data + size)
        abort();
}

static void check_worker(const wgw_worker_message_t *message, const char *data, size_t size)
{
    bool is_short = message->kind == WGW_EXEC_READY || message->kind == WGW_EXEC_LEAVING ||
                    message->kind == WGW_EXEC_WANTS;

    if (is_short && size > 2)
        abort();
    if (message->kind != WGW_EXEC_LOADED)
        return;
    const char *const texts[] = { message->what, message->name, message->group, message->callable };
    for (int t = 0; t < WGW_WARM_TEXTS; t++)
        check_text(texts[t], data, size);
    wgw_sup_warm_add(&warm, texts);
    if (warm.texts.len > WGW_EXEC_WARM_MOST || warm.count % WGW_WARM_TEXTS)
        abort();
}

static void check_pool(const wgw_pool_spec_t *spec, const char *data, size_t size)
{
    wgw_buffer_t b = { 0 }, start = { 0 };

    if (!spec->process_count || spec->process_count > spec->row_count ||
        spec->row_count > WGW_SUP_ROWS_MOST || !spec->entry_count ||
        spec->entry_count > WGW_SUP_ENTRIES_MOST)
        abort();
    wgw_pool_spec_encode(&b, spec);
    if (b.len != size || memcmp(b.data, data, size) != 0)
        abort();
    wgw_sup_start_encode(&start, spec, &(wgw_start_t){ .epoch = 1, .warm = &warm });
    if (start.len > WGW_EXEC_START_MOST)
        abort();
    wgw_buffer_deinit(&b);
    wgw_buffer_deinit(&start);
}

static void check(const wgw_parent_message_t *message, const char *data, size_t size)
{
    if (message->kind == WGW_CONTROL_POOL)
        check_pool(&message->spec, data + 1, size - 1);
    else if (message->memory)
        abort();
    if (message->kind == WGW_CONTROL_GENERATION &&
        (message->control_path < data ||
         message->control_path + strlen(message->control_path) >= data + size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wgw_parent_message_t message;
    wgw_worker_message_t worker;

    if (!wgw_sup_message_decode((const char *)data, size, &message)) {
        check(&message, (const char *)data, size);
        free(message.memory);
    } else if (message.memory) {
        abort(); /* a refused message owns nothing */
    }
    if (wgw_sup_worker_message_decode((const char *)data, size, &worker))
        check_worker(&worker, (const char *)data, size);
    return 0;
}
