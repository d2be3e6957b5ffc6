/* Messages that the supervisor reads: of httpd's parent, and of daemon processes.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -Iinclude tests/fuzz/fuzz_control.c \
 *     src/supervisor/message.c src/wire/spec.c src/base/cursor.c src/base/buffer.c \
 *     -o fuzz_control */
#include <stdlib.h>

#include "supervisor/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wgw_parent_message_t message;
    wgw_worker_message_t worker;

    if (!wgw_sup_message_decode((const char *)data, size, &message))
        free(message.memory);
    else if (message.memory)
        abort(); /* a refused message owns nothing */
    if (wgw_sup_worker_message_decode((const char *)data, size, &worker) && size > 2)
        abort();
    return 0;
}
