/* Descriptors that are waited for, one thread, one event at a time: whatever a callback closes
 * or frees cannot be met again, and the kernel goes round among those that are ready. */
#ifndef WGW_SUPERVISOR_LOOP_H
#define WGW_SUPERVISOR_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

typedef struct wgw_watch_t wgw_watch_t;
typedef void wgw_watch_fn(void *ctx, uint32_t index, uint32_t events);

/* Lives: where it was added, until it is removed. */
struct wgw_watch_t {
    int fd;             /* -1: not watched */
    wgw_watch_fn *call; /* with `ctx` and `index`, and the EPOLL bits */
    void *ctx;
    uint32_t index;
};

typedef struct wgw_loop_t {
    int fd;
} wgw_loop_t;

bool wgw_sup_loop_init(wgw_loop_t *loop);

/* Watch `watch->fd`, which the caller owns. Returns: false when the system has no room for it. */
bool wgw_sup_loop_add(const wgw_loop_t *loop, wgw_watch_t *watch, uint32_t events);

/* Watch for other events. */
void wgw_sup_loop_change(const wgw_loop_t *loop, wgw_watch_t *watch, uint32_t events);

/* Stop watching, and close the descriptor. Nothing happens when it is not watched. */
void wgw_sup_loop_close(const wgw_loop_t *loop, wgw_watch_t *watch);

/* Stop watching, and leave the descriptor open. */
void wgw_sup_loop_remove(const wgw_loop_t *loop, wgw_watch_t *watch);

/* Wait for one event until `deadline_us`, and make its call. */
void wgw_sup_loop_run(const wgw_loop_t *loop, int64_t deadline_us);

#endif
