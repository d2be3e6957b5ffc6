/* The records that cross processes: what decodes must encode to the same bytes.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -Iinclude tests/fuzz/fuzz_spec.c \
 *     src/wire/spec.c src/base/cursor.c src/base/buffer.c -o fuzz_spec */
#include <stdlib.h>
#include <string.h>

#include "wire/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(wgw_buffer_t *b, const uint8_t *data, size_t size)
{
    if (!b->is_short && (b->len != size || memcmp(b->data, data, size) != 0))
        abort();
    wgw_buffer_deinit(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wgw_pool_spec_t pool;
    wgw_worker_spec_t worker;
    wgw_buffer_t b = { 0 };
    void *memory;

    if (wgw_pool_spec_decode((const char *)data, size, &pool, &memory)) {
        wgw_pool_spec_encode(&b, &pool);
        compare(&b, data, size);
    }
    free(memory);
    if (wgw_worker_spec_decode((const char *)data, size, &worker, &memory)) {
        wgw_worker_spec_encode(&b, &worker);
        compare(&b, data, size);
    }
    free(memory);
    return 0;
}
