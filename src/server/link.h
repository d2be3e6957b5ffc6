/* A connection from this httpd child to one daemon process. */
#ifndef WGW_SERVER_LINK_H
#define WGW_SERVER_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "server/pool.h"
#include "wire/frame.h"

typedef struct wgw_link_t {
    int sock;
    unsigned row;        /* of the process */
    uint32_t epoch;      /* of the process it was opened to */
    wgw_phase_t phase;
    int64_t used_us;     /* monotonic time when it was last given back */
    int64_t limit_us;    /* until a receive that gets nothing returns */
    struct wgw_link_t *next;
} wgw_link_t;

/* Connect to a row whose process is, or was a moment ago, `epoch`; OPEN is not sent yet.
 * Blocks: until `deadline` while the socket is being made again, or its queue is full.
 * Returns: 0 and *link_out, Owned by the caller; else errno. */
int wgw_link_open(const wgw_pool_t *pool, unsigned row, uint32_t epoch, wgw_deadline_t deadline,
                  wgw_link_t **link_out);

void wgw_link_close(wgw_link_t *link);

/* Bound the receives that follow: one that gets nothing fails with EAGAIN after `us`. */
void wgw_link_set_limit(wgw_link_t *link, int64_t us);

/* Send all of it, with a descriptor (-1 none) at its first byte.
 * Blocks: until `deadline`.
 * Returns: 0; else errno (EAGAIN: the time is over). */
int wgw_link_send(wgw_link_t *link, const char *data, size_t len, int fd, wgw_deadline_t deadline);

/* Wait until the daemon process or the client has something, or takes something.
 * `client` is a descriptor that input may come from, -1 none.
 * Returns: as poll(): 0 at the deadline. */
int wgw_link_wait(const wgw_link_t *link, bool wants_room, int client, wgw_deadline_t deadline);

#endif
