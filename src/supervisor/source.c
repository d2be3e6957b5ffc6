/* A pipe outlives its process while a child of that one holds it. */
#include "supervisor/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"

#define PAUSE_US INT64_C(100000) /* between reads of a pool that floods its log */
enum { ORPHANS_MOST = 16 };      /* pipes that only children of dead processes hold */

struct wgw_source_t {
    wgw_source_t *next;
    wgw_sources_t *all;
    wgw_source_t **holder; /* NULL: an orphan */
    wgw_watch_t watch;
    wgw_logpipe_t pipe;
    bool is_paused;
};

void wgw_sup_sources_init(wgw_sources_t *sources, const wgw_loop_t *loop, wgw_logfile_t *file,
                          wgw_level_t most)
{
    *sources = (wgw_sources_t){ .loop = loop, .file = file, .most = most };
    wgw_sup_log_rate_init(&sources->rate, wgw_now_us());
}

void wgw_sup_sources_deinit(wgw_sources_t *sources)
{
    while (sources->list)
        wgw_sup_source_drop(sources, sources->list);
}

static void let_go(wgw_source_t *source)
{
    if (source->holder)
        *source->holder = NULL;
    source->holder = NULL;
}

void wgw_sup_source_drop(wgw_sources_t *sources, wgw_source_t *source)
{
    wgw_source_t **at = &sources->list;

    if (!source)
        return;
    while (*at && *at != source)
        at = &(*at)->next;
    if (*at)
        *at = source->next;
    let_go(source);
    wgw_sup_loop_close(sources->loop, &source->watch);
    free(source);
}

static bool read_source(wgw_source_t *source)
{
    wgw_sources_t *all = source->all;

    return wgw_sup_logpipe_read(&source->pipe, all->file, all->most, &all->rate);
}

const char *wgw_sup_source_last(wgw_sources_t *sources, wgw_source_t *source, pid_t pid)
{
    if (!source)
        return sources->ended.pid == pid ? sources->ended.line : "";
    read_source(source);
    return source->pipe.last;
}

static void on_log(void *ctx, uint32_t index, uint32_t events)
{
    wgw_source_t *source = ctx;
    wgw_sources_t *all = source->all;
    uint32_t dropped_count = all->rate.dropped_count;

    (void)index, (void)events;
    if (!read_source(source)) {
        all->ended.pid = source->pipe.pid;
        memcpy(all->ended.line, source->pipe.last, sizeof all->ended.line);
        wgw_sup_source_drop(all, source);
    } else if (all->rate.dropped_count != dropped_count) {
        wgw_sup_loop_change(all->loop, &source->watch, 0);
        source->is_paused = true;
        all->resume_us = wgw_now_us() + PAUSE_US;
    }
}

int64_t wgw_sup_sources_tick(wgw_sources_t *sources, int64_t now_us)
{
    if (!sources->resume_us)
        return INT64_MAX;
    if (sources->resume_us > now_us)
        return sources->resume_us;
    sources->resume_us = 0;
    for (wgw_source_t *source = sources->list; source; source = source->next)
        if (source->is_paused) {
            source->is_paused = false;
            wgw_sup_loop_change(sources->loop, &source->watch, EPOLLIN);
        }
    return INT64_MAX;
}

void wgw_sup_source_add(wgw_sources_t *sources, int fd, pid_t pid, wgw_source_t **holder)
{
    wgw_source_t *source = calloc(1, sizeof *source);

    *holder = NULL;
    if (!source) {
        close(fd);
        return;
    }
    source->all = sources;
    source->pipe.fd = fd;
    source->pipe.pid = pid;
    source->watch = (wgw_watch_t){ .fd = fd, .call = on_log, .ctx = source };
    source->next = sources->list;
    sources->list = source;
    if (wgw_sup_loop_add(sources->loop, &source->watch, EPOLLIN)) {
        source->holder = holder;
        *holder = source;
        return;
    }
    close(fd);
    wgw_sup_source_drop(sources, source);
}

void wgw_sup_source_orphan(wgw_sources_t *sources, wgw_source_t *source)
{
    int orphan_count = 0;
    wgw_source_t *oldest = NULL;

    if (!source)
        return;
    if (!read_source(source)) {
        wgw_sup_source_drop(sources, source);
        return;
    }
    let_go(source);
    for (wgw_source_t *s = sources->list; s; s = s->next)
        if (!s->holder) {
            orphan_count++;
            oldest = s;
        }
    if (orphan_count > ORPHANS_MOST)
        wgw_sup_source_drop(sources, oldest);
}

/* --- over exec() ---------------------------------------------------------------------- */

static void move_line(wgw_state_t *state, wgw_logpipe_t *pipe)
{
    wgw_buffer_t line = { 0 };

    wgw_sup_state_enum(state, &pipe->level, WGW_LOG_DEBUG + 1);
    wgw_sup_state_bool(state, &pipe->is_inside);
    if (state->is_saving) {
        line = (wgw_buffer_t){ .data = pipe->buffer, .len = pipe->len };
        wgw_sup_state_bytes(state, &line);
        return;
    }
    wgw_sup_state_bytes(state, &line);
    if (line.len <= sizeof pipe->buffer) {
        if (line.len)
            memcpy(pipe->buffer, line.data, line.len);
        pipe->len = line.len;
    }
    wgw_buffer_deinit(&line);
}

void wgw_sup_source_move(wgw_sources_t *sources, wgw_state_t *state, wgw_source_t **holder)
{
    int fd = *holder ? (*holder)->pipe.fd : -1;
    int32_t pid = *holder ? (*holder)->pipe.pid : 0;
    wgw_logpipe_t forgotten = { .fd = -1 };

    wgw_sup_state_fd(state, &fd);
    wgw_sup_state_i32(state, &pid);
    if (!state->is_saving && fd >= 0)
        wgw_sup_source_add(sources, fd, pid, holder);
    move_line(state, *holder ? &(*holder)->pipe : &forgotten);
}

void wgw_sup_sources_move_orphans(wgw_sources_t *sources, wgw_state_t *state)
{
    wgw_source_t *source = sources->list, *restored = NULL;
    uint32_t count = 0;

    for (const wgw_source_t *s = sources->list; s; s = s->next)
        count += !s->holder;
    wgw_sup_state_u32(state, &count);
    for (; state->is_saving && source; source = source->next) {
        wgw_source_t *orphan = source;
        if (!source->holder)
            wgw_sup_source_move(sources, state, &orphan);
    }
    while (!state->is_saving && count-- && !state->in.is_bad) {
        wgw_sup_source_move(sources, state, &restored);
        if (restored)
            let_go(restored);
    }
}
