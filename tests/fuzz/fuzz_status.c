/* A scoreboard in which a process has written anything: what people are shown of it is one JSON
 * object without control characters.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -Iinclude tests/fuzz/fuzz_status.c
 *     and the sources that tests/fuzz/run.py names */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/deadline.h"
#include "supervisor/status.h"

enum { ROWS = 2, ENTRIES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wgw_pool_spec_t spec = { .name = "p", .server = "s", .process_count = 1, .row_count = ROWS,
                                .entry_count = ENTRIES };
static wgw_sup_board_t board;
static wgw_look_t look;
static wgw_tally_t tally;

static void ignore(void *ctx, wgw_event_t found)
{
    (void)ctx, (void)found;
}

static void make(void)
{
    size_t size = wgw_board_size(ROWS, ENTRIES);
    int fd = memfd_create("board", MFD_ALLOW_SEALING);
    wgw_step_t *step = wgw_sup_step_create(&(wgw_step_config_t){ .process_count = 1, .row_count = ROWS });

    if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0 ||
        wgw_sup_board_open(&board, fd, ROWS, ENTRIES) ||
        !wgw_sup_look_init(&look, &spec, &board, step, (wgw_log_sink_t){ .write = NULL }, ignore))
        abort();
    tally.map = board.map;
    wgw_sup_step(step, (wgw_event_t){ .kind = WGW_EVENT_START }, 1);
    wgw_sup_look_begin(&look, 0, 77, 5, 1);
}

/* Outside of strings there are brackets that match, and nothing that JSON does not have. */
static void check(const char *text, size_t len)
{
    int depth = 0;
    bool is_inside = false;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            abort();
        if (is_inside && c == '\\')
            i++;
        else if (c == '"')
            is_inside = !is_inside;
        else if (!is_inside && !strchr("{}[]:,.-0123456789truefalsn", c))
            abort();
        else if (!is_inside)
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    if (depth || is_inside)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wgw_json_t json = { .has_item = false };
    size_t room = wgw_board_size(ROWS, ENTRIES);

    if (!board.map)
        make();
    memset(board.map, 0, room);
    memcpy(board.map, data, size < room ? size : room);
    wgw_sup_status_put(&json, &(wgw_pool_status_t){ .look = &look, .tally = &tally }, wgw_now_us());
    if (!json.out.is_short)
        check(json.out.data, json.out.len);
    wgw_buffer_deinit(&json.out);
    return 0;
}
