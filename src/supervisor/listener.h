/* The listening socket of one row: a file below the server's runtime folder. */
#ifndef WGW_SUPERVISOR_LISTENER_H
#define WGW_SUPERVISOR_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "supervisor/state.h"
#include "wire/spec.h"

typedef struct wgw_listener_t {
    int fd;             /* -1 none */
    dev_t device;       /* with `inode`: which file is ours */
    ino_t inode;
    struct sockaddr_un address;
} wgw_listener_t;

/* Bind the socket of a row; a stale file is removed first.
 * Returns: true; or false with a sentence in `why`, and nothing left behind. */
bool wgw_sup_listener_open(wgw_listener_t *listener, const wgw_pool_spec_t *spec, uint32_t row,
                           char *why, size_t why_size);

/* Listen at `path`, as who we are, mode 0600, unless another process does; a stale file is replaced.
 * Returns: true; or false, with a sentence in `why`. */
bool wgw_sup_listener_open_at(wgw_listener_t *listener, const char *path, char *why, size_t why_size);

/* Tell whether its file is still there. */
bool wgw_sup_listener_is_there(const wgw_listener_t *listener);

/* Close it, and remove its file if that is still ours. */
void wgw_sup_listener_close(wgw_listener_t *listener);

/* Save it, or restore it into one that has none. */
void wgw_sup_listener_move(wgw_listener_t *listener, wgw_state_t *state);

/* Close the connections that nobody has accepted: who has made them goes elsewhere. */
void wgw_sup_listener_refuse(const wgw_listener_t *listener);

#endif
