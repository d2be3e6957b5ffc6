/* What has become of the processes of a pool, for people: counted in the scoreboard, where it
 * outlives a supervisor, and the last failure in words. */
#ifndef WGW_SUPERVISOR_TALLY_H
#define WGW_SUPERVISOR_TALLY_H

#include <stdint.h>

#include "supervisor/board.h"
#include "supervisor/report.h"
#include "supervisor/state.h"
#include "supervisor/step.h"

typedef struct wgw_tally_t {
    wgw_board_t *map;      /* Borrowed */
    int64_t failed_us;     /* when a process was last not to be had; 0 never */
    char failure[320];     /* why; some of it may be the process's own words */
} wgw_tally_t;

/* Save the last failure, or restore it. */
void wgw_sup_tally_move(wgw_tally_t *tally, wgw_state_t *state);

/* A process has ended; `last_line` of what it has said at error, "" nothing. */
void wgw_sup_tally_end(wgw_tally_t *tally, const wgw_end_t *end, const char *last_line);

/* A process could not be made. */
void wgw_sup_tally_unmade(wgw_tally_t *tally, const char *why);

/* A process is told what the action says. */
void wgw_sup_tally_action(wgw_tally_t *tally, const wgw_action_t *action, pid_t pid);

/* The newest version has failed. */
void wgw_sup_tally_failed_version(wgw_tally_t *tally);

#endif
