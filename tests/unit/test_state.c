#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/source.h"
#include "supervisor/state.h"

/* What a state of every kind of value is made of. */
typedef struct {
    bool flag;
    uint32_t small;
    int32_t below;
    uint64_t large;
    int64_t time;
    unsigned kind;
    char text[8];
    wgw_buffer_t bytes;
    int fd, none;
} sample_t;

enum { KINDS = 3 };

static void move(wgw_state_t *state, sample_t *s)
{
    wgw_sup_state_bool(state, &s->flag);
    wgw_sup_state_u32(state, &s->small);
    wgw_sup_state_i32(state, &s->below);
    wgw_sup_state_u64(state, &s->large);
    wgw_sup_state_i64(state, &s->time);
    wgw_sup_state_enum(state, &s->kind, KINDS);
    wgw_sup_state_text(state, s->text, sizeof s->text);
    wgw_sup_state_bytes(state, &s->bytes);
    wgw_sup_state_fd(state, &s->fd);
    wgw_sup_state_fd(state, &s->none);
}

static wgw_state_t save_sample(void)
{
    wgw_state_t state = { .is_saving = true };
    sample_t s = { .flag = true, .small = 7, .below = -1, .large = UINT64_MAX, .time = -2, .kind = 2,
                   .text = "seven77", .fd = open("/dev/null", O_RDONLY | O_CLOEXEC), .none = -1 };

    wgw_buffer_append(&s.bytes, "a\0b", 3);
    move(&state, &s);
    wgw_buffer_deinit(&s.bytes);
    assert_true(wgw_sup_state_is_whole(&state));
    return state;
}

static int saved_fd(const wgw_state_t *state)
{
    int32_t fd;

    assert_int_equal(state->fds.len, sizeof fd);
    memcpy(&fd, state->fds.data, sizeof fd);
    return fd;
}

static void what_is_saved_is_restored(void **unused)
{
    wgw_state_t saved = save_sample(), restored;
    sample_t s = { .fd = -2 };
    char *memory;

    (void)unused;
    wgw_sup_state_expose(&saved, true);
    assert_int_equal(fcntl(saved_fd(&saved), F_GETFD), 0);
    assert_true(wgw_sup_state_load(&restored, wgw_sup_state_store(&saved), &memory));
    move(&restored, &s);
    assert_true(wgw_sup_state_is_whole(&restored));
    assert_true(s.flag && s.small == 7 && s.below == -1 && s.large == UINT64_MAX && s.time == -2);
    assert_true(s.kind == 2 && s.none == -1 && s.fd == saved_fd(&saved));
    assert_string_equal(s.text, "seven77");
    assert_int_equal(s.bytes.len, 3);
    assert_memory_equal(s.bytes.data, "a\0b", 3);
    assert_int_equal(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
    close(s.fd);
    wgw_buffer_deinit(&s.bytes);
    free(memory);
    wgw_sup_state_deinit(&saved);
}

/* Each shorter state is unusable, and each longer one. */
static void a_part_is_not_whole(void **unused)
{
    wgw_state_t saved = save_sample();
    int fd = saved_fd(&saved);

    (void)unused;
    wgw_buffer_append(&saved.out, "x", 1);
    for (size_t len = 0; len <= saved.out.len; len++) {
        char *copy = unit_copy(saved.out.data, len);
        wgw_state_t state = { .in = { .at = copy, .end = copy + len } };
        sample_t s = { .fd = -1 };
        move(&state, &s);
        assert_int_equal(wgw_sup_state_is_whole(&state), len == saved.out.len - 1);
        wgw_buffer_deinit(&s.bytes);
        free(copy);
    }
    close(fd);
    wgw_sup_state_deinit(&saved);
}

static void what_is_out_of_range_is_not_whole(void **unused)
{
    wgw_state_t saved = { .is_saving = true };
    unsigned kind = KINDS;
    int fd = 1000000;
    char text[2] = "";

    (void)unused;
    wgw_sup_state_u32(&saved, &kind);
    wgw_sup_state_i32(&saved, &fd);
    wgw_put_text(&saved.out, "long");
    for (int which = 0; which < 3; which++) {
        wgw_state_t state = { .in = { .at = saved.out.data + 4 * which,
                                      .end = saved.out.data + saved.out.len } };
        if (which == 0)
            wgw_sup_state_enum(&state, &kind, KINDS);
        else if (which == 1)
            wgw_sup_state_fd(&state, &fd);
        else
            wgw_sup_state_text(&state, text, sizeof text);
        assert_true(state.in.is_bad);
    }
    assert_true(kind == 0 && fd == -1 && !*text);
    wgw_sup_state_deinit(&saved);
}

/* A line that has begun before the upgrade goes on after it, also of a process that is gone. */
static void the_beginning_of_a_line_is_kept(void **unused)
{
    wgw_loop_t loop;
    wgw_logfile_t file;
    wgw_sources_t before, after;
    wgw_source_t *held, *gone, *held_after;
    int held_pipe[2], gone_pipe[2], log[2];
    wgw_state_t saved = { .is_saving = true };
    char text[512];

    (void)unused;
    assert_true(wgw_sup_loop_init(&loop) && pipe(held_pipe) == 0 && pipe(gone_pipe) == 0 && pipe(log) == 0);
    fcntl(held_pipe[0], F_SETFL, O_NONBLOCK);
    fcntl(gone_pipe[0], F_SETFL, O_NONBLOCK);
    wgw_sup_logfile_init(&file, log[1]);
    wgw_sup_sources_init(&before, &loop, &file, WGW_LOG_DEBUG);
    wgw_sup_source_add(&before, held_pipe[0], 5, &held);
    wgw_sup_source_add(&before, gone_pipe[0], 6, &gone);
    assert_int_equal(write(held_pipe[1], "<4>be", 5), 5);
    assert_int_equal(write(gone_pipe[1], "<3>en", 5), 5);
    wgw_sup_loop_run(&loop, 0);
    wgw_sup_source_orphan(&before, gone);
    wgw_sup_source_move(&before, &saved, &held);
    wgw_sup_sources_move_orphans(&before, &saved);
    int kept[2] = { dup(held_pipe[0]), dup(gone_pipe[0]) };
    wgw_sup_sources_deinit(&before);
    dup2(kept[0], held_pipe[0]);
    dup2(kept[1], gone_pipe[0]);

    wgw_state_t restored = { .in = { .at = saved.out.data, .end = saved.out.data + saved.out.len } };
    wgw_sup_sources_init(&after, &loop, &file, WGW_LOG_DEBUG);
    held_after = NULL;
    wgw_sup_source_move(&after, &restored, &held_after);
    wgw_sup_sources_move_orphans(&after, &restored);
    assert_true(wgw_sup_state_is_whole(&restored) && held_after);
    assert_int_equal(write(held_pipe[1], "gun\n", 4), 4);
    assert_int_equal(write(gone_pipe[1], "ded\n", 4), 4);
    wgw_sup_loop_run(&loop, 0);
    wgw_sup_loop_run(&loop, 0);
    ssize_t n = read(log[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "[wsgigw:warn] [pid 5] begun\n"));
    assert_non_null(strstr(text, "[wsgigw:error] [pid 6] ended\n"));
    wgw_sup_sources_deinit(&after);
    wgw_sup_logfile_deinit(&file);
    wgw_sup_state_deinit(&saved);
    close(held_pipe[1]), close(gone_pipe[1]), close(log[0]), close(loop.fd);
    close(kept[0]), close(kept[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_saved_is_restored),
    cmocka_unit_test(a_part_is_not_whole),
    cmocka_unit_test(what_is_out_of_range_is_not_whole),
    cmocka_unit_test(the_beginning_of_a_line_is_kept),
};

UNIT_GROUP(state_group, tests);
