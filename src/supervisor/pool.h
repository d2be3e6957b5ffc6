/* A pool as it runs: step.h's decisions, carried out on processes, sockets, logs and the
 * scoreboard. Knows nothing of generations and of the httpd parent. */
#ifndef WGW_SUPERVISOR_POOL_H
#define WGW_SUPERVISOR_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "supervisor/look.h"
#include "supervisor/loop.h"
#include "supervisor/state.h"
#include "wire/spec.h"

typedef struct wgw_sup_pool_t wgw_sup_pool_t;

/* Make a pool without sockets and processes.
 * Owns: memory (of spec), board_fd and log_fd (-1 none), in every case.
 * Returns: NULL, with a sentence in `why`. */
wgw_sup_pool_t *wgw_sup_pool_create(const wgw_loop_t *loop, const wgw_pool_spec_t *spec,
                                    void *memory, int board_fd, int log_fd, char *why,
                                    size_t why_size);

/* Save a pool for a successor of this process. */
void wgw_sup_pool_save(wgw_sup_pool_t *pool, wgw_state_t *state);

/* Make a pool as it was saved; its processes do not notice. Returns: NULL, and the state is bad. */
wgw_sup_pool_t *wgw_sup_pool_restore(const wgw_loop_t *loop, wgw_state_t *state);

/* Bind the sockets of all rows. Returns: false, with a sentence in `why`. */
bool wgw_sup_pool_listen(wgw_sup_pool_t *pool, char *why, size_t why_size);

/* Start the processes. */
void wgw_sup_pool_start(wgw_sup_pool_t *pool);

/* End the processes: drained, or stopped at once. Limits of 0 are those of the configuration. */
void wgw_sup_pool_end(wgw_sup_pool_t *pool, bool drains, int64_t graceful_limit_us,
                      int64_t shutdown_limit_us);

/* Tell whether it was told to end and has. */
bool wgw_sup_pool_is_over(const wgw_sup_pool_t *pool);

/* The path that its sockets begin with: no two pools have the same. */
const char *wgw_sup_pool_path(const wgw_sup_pool_t *pool);

/* httpd has read its configuration again, and this pool is in it as it was.
 * Owns: log_fd (-1 none), where lines go from now on. */
void wgw_sup_pool_go_on(wgw_sup_pool_t *pool, int log_fd);

const char *wgw_sup_pool_name(const wgw_sup_pool_t *pool);

/* Replace all processes, because somebody asked for it. Returns: the version of the new ones. */
uint32_t wgw_sup_pool_reload(wgw_sup_pool_t *pool);

/* How far that is, which was asked for at `since_us`. *why_out: of one that has failed.
 * Lives: *why_out, until the next event. */
wgw_reload_state_t wgw_sup_pool_look_at_reload(const wgw_sup_pool_t *pool, uint32_t version,
                                               int64_t since_us, const char **why_out);

/* Write what people are to see of it. `is_ending`: another configuration has none of it. */
void wgw_sup_pool_show(const wgw_sup_pool_t *pool, wgw_json_t *json, uint32_t generation,
                       bool is_ending, int64_t now_us);

/* Do what is due. Returns: when it wants to be called next. */
int64_t wgw_sup_pool_tick(wgw_sup_pool_t *pool, int64_t now_us);

/* Remove the sockets and free the pool. Context: it is over, or was never started. */
void wgw_sup_pool_destroy(wgw_sup_pool_t *pool);

#endif
