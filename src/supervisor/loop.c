#include "supervisor/loop.h"

#include <unistd.h>

#include "base/deadline.h"

enum { WAIT_MOST_MS = 3600 * 1000 };

bool wgw_sup_loop_init(wgw_loop_t *loop)
{
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->fd >= 0;
}

bool wgw_sup_loop_add(const wgw_loop_t *loop, wgw_watch_t *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, watch->fd, &event) == 0)
        return true;
    watch->fd = -1;
    return false;
}

void wgw_sup_loop_change(const wgw_loop_t *loop, wgw_watch_t *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    if (watch->fd >= 0)
        epoll_ctl(loop->fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void wgw_sup_loop_remove(const wgw_loop_t *loop, wgw_watch_t *watch)
{
    if (watch->fd >= 0)
        epoll_ctl(loop->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
}

void wgw_sup_loop_close(const wgw_loop_t *loop, wgw_watch_t *watch)
{
    int fd = watch->fd;

    wgw_sup_loop_remove(loop, watch);
    if (fd >= 0)
        close(fd);
}

void wgw_sup_loop_run(const wgw_loop_t *loop, int64_t deadline_us)
{
    struct epoll_event event;
    int64_t left_ms = (wgw_deadline_left_us((wgw_deadline_t){ deadline_us }) + 999) / 1000;

    if (epoll_wait(loop->fd, &event, 1, left_ms < WAIT_MOST_MS ? (int)left_ms : WAIT_MOST_MS) != 1)
        return;
    const wgw_watch_t *watch = event.data.ptr;
    watch->call(watch->ctx, watch->index, event.events);
}
