/* One daemon process from fork to exec: everything that it is allowed is here, and comes from
 * one wgw_pool_spec_t. Knows nothing of rows, scoreboards or back-off. */
#ifndef WGW_SUPERVISOR_SPAWN_H
#define WGW_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "supervisor/state.h"
#include "wire/spec.h"

/* What the caller gives, and keeps. */
typedef struct wgw_spawn_files_t {
    int listener, board;
} wgw_spawn_files_t;

typedef struct wgw_spawned_t {
    pid_t pid;
    int pid_fd;      /* readable when the process has ended */
    int control;     /* our end of its control channel, O_NONBLOCK */
    int log;         /* read end of its log pipe, O_NONBLOCK */
} wgw_spawned_t;

/* Let the supervisor have as many open files as it may; processes get the limit as it was.
 * Context: once, before the first spawn. */
void wgw_sup_spawn_init(void);

/* Save the limit as it was, or restore it instead. */
void wgw_sup_spawn_move(wgw_state_t *state);

/* Start a process. What fails in it before exec is said in its log pipe, and is WGW_EXIT_EXEC.
 * Owns: the caller owns the descriptors in *spawned_out, which are CLOEXEC, and reaps the pid.
 * Returns: NULL; or what failed, with errno set and nothing left open. */
const char *wgw_sup_spawn(const wgw_pool_spec_t *spec, const wgw_spawn_files_t *files,
                          wgw_spawned_t *spawned_out);

#endif
