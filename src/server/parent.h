/* Daemon pools, as the httpd parent sees them: their scoreboards and keys, and the
 * supervisor that runs them, over graceful restarts and its own death. */
#ifndef WGW_SERVER_PARENT_H
#define WGW_SERVER_PARENT_H

#include <httpd.h>

#include "server/pool.h"

/* Make what the pools need for this generation, and hand them to the supervisor, which is
 * started if there is none. To be called in every real post_config, also without pools: a
 * supervisor that runs from before is then told to end.
 * `pools`: of wgw_pool_t *; their part "made in post_config" is written.
 * `program`: the supervisor; NULL: the installed one. `socket_prefix`: begin of the sockets' paths.
 * Context: hook post_config, not under -t. Lives: until pconf is cleared, which at httpd's end
 * stops the supervisor, and waits for it. Blocks: 10 s for the answer.
 * Returns: OK; HTTP_INTERNAL_SERVER_ERROR at the start of httpd, when the pools cannot run;
 * at a restart that is logged, and tried again by wgw_parent_monitor(). */
int wgw_parent_start_pools(apr_pool_t *pconf, server_rec *main_server, apr_array_header_t *pools,
                           const char *program, const char *socket_prefix);

/* Hook monitor: start a supervisor again that has died too soon, and read its answers. */
int wgw_parent_monitor(apr_pool_t *p, server_rec *main_server);

/* Close what only the parent needs. The write end of the generation's pipe stays open: as long
 * as one child has it, the supervisor keeps the generation. Context: hook child_init. */
void wgw_parent_child_init(void);

#endif
