/* Another build of this program, which becomes this process by exec() and goes on with all that it
 * knows. It is tried in a child first, so that nothing is given up that cannot be taken. */
#ifndef WGW_SUPERVISOR_SUCCESSOR_H
#define WGW_SUPERVISOR_SUCCESSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/state.h"

/* How a successor is started: one of these, and the number of the state's descriptor. */
#define WGW_SUP_CHECK "--check"   /* restore, do nothing, and exit with a wgw_successor_t */
#define WGW_SUP_RESUME "--resume" /* restore, and go on */

typedef enum wgw_successor_t {
    WGW_SUCCESSOR_FITS,
    WGW_SUCCESSOR_DIFFERS = 81, /* it knows pools in another form */
    WGW_SUCCESSOR_BROKEN = 82   /* it cannot be run, or not in time */
} wgw_successor_t;

/* Tell whether `program` is there, and is another one than runs. `version`: the text that goes with it. */
bool wgw_sup_successor_is_other(const char *version, const char *program);

/* Try it, with a state that is stored in `fd`. Blocks: 5 s at most. */
wgw_successor_t wgw_sup_successor_check(const char *program, const wgw_state_t *state, int fd);

/* Become it. Returns: only when that has failed, with errno, and nothing has changed. */
void wgw_sup_successor_become(const char *program, const wgw_state_t *state, int fd);

#endif
