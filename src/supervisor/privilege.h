/* From the supervisor's privileges to those of a daemon process: users, groups,
 * capabilities. Irreversible; only for a process between fork and exec. */
#ifndef WGW_SUPERVISOR_PRIVILEGE_H
#define WGW_SUPERVISOR_PRIVILEGE_H

#include "wire/spec.h"

/* Give up all that the pool's spec does not grant.
 * Returns: NULL; or the step that failed, with errno set (0: refused by ourselves). */
const char *wgw_sup_privilege_drop(const wgw_pool_spec_t *spec);

#endif
