/* The pools that the supervisor runs: what of them outlives one reading of the configuration.
 * A pool that is declared as before goes on with its sockets, its key, its scoreboard and its
 * processes; any change makes another one. Context: httpd's parent. */
#ifndef WGW_SERVER_RUNNING_H
#define WGW_SERVER_RUNNING_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "server/pool.h"

typedef struct wgw_running_t wgw_running_t;

/* What a reading of the configuration before this one has left, or nothing. Lives: as long as httpd. */
wgw_running_t *wgw_running_get(void);

/* Give a pool its scoreboard, its key, and the path of its sockets: those it has, or new ones. They
 * go with `pconf`. Returns: false with errno set. */
bool wgw_running_make(const wgw_running_t *running, apr_pool_t *pconf, wgw_pool_t *pool,
                      const char *prefix, unsigned generation);

/* These pools, and no others, are what the supervisor runs now; their sockets begin with `prefix`. */
void wgw_running_note(wgw_running_t *running, const apr_array_header_t *pools, const char *prefix);

/* The supervisor runs none of them any more. */
void wgw_running_forget(wgw_running_t *running);

/* Close what only the parent needs. Context: a child of httpd. */
void wgw_running_child_init(wgw_running_t *running);

/* Say in a scoreboard what it is. Again for each supervisor: a daemon process may have written
 * anything there. */
void wgw_running_mark_board(const wgw_pool_t *pool);

#endif
