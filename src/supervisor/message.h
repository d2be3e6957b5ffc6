/* Messages of the httpd parent and of daemon processes, decoded. Pure: bytes in, a struct
 * out. Knows no descriptors; wsgigw/control.h and wsgigw/exec.h say what the messages mean. */
#ifndef WGW_SUPERVISOR_MESSAGE_H
#define WGW_SUPERVISOR_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "supervisor/warm.h"
#include "wire/spec.h"
#include "wsgigw/control.h"
#include "wsgigw/exec.h"

/* More rows or entries than any sensible pool has; bounds what is allocated for one. */
enum { WGW_SUP_ROWS_MOST = 20000, WGW_SUP_ENTRIES_MOST = 1000000 };

typedef struct wgw_parent_message_t {
    wgw_control_message_t kind;
    uint32_t generation;      /* GENERATION */
    uint64_t keep_us;         /* GENERATION: how long the generation before is kept at most */
    const char *control_path; /* GENERATION; points into the message */
    bool is_graceful;         /* STOP */
    const char *version, *program; /* HELLO; they point into the message */
    wgw_pool_spec_t spec;     /* POOL; lies in `memory` */
    void *memory;             /* POOL; Owns: whoever called the decoder frees it */
} wgw_parent_message_t;

/* Decode a message of the parent. Returns: NULL; or what is wrong with it, and nothing is owned. */
const char *wgw_sup_message_decode(const char *data, size_t len, wgw_parent_message_t *out);

typedef struct wgw_worker_message_t {
    wgw_exec_message_t kind;   /* READY, LEAVING, WANTS, LOADED or STALE */
    wgw_leave_reason_t reason; /* LEAVING */
    wgw_cause_t cause;         /* WANTS */
    const char *what, *name, *group, *callable; /* LOADED; they point into the message */
} wgw_worker_message_t;

/* Decode a message of a daemon process. Returns: false when it is none. */
bool wgw_sup_worker_message_decode(const char *data, size_t len, wgw_worker_message_t *out);

/* What START says beside what the pool is. */
typedef struct wgw_start_t {
    uint32_t row, epoch;
    bool has_to_load;
    const wgw_warm_t *warm; /* Borrowed */
} wgw_start_t;

/* Append START for a process. Failure to allocate is sticky in the buffer. */
void wgw_sup_start_encode(wgw_buffer_t *b, const wgw_pool_spec_t *spec, const wgw_start_t *start);

/* Append DRAIN or STOP. */
void wgw_sup_end_encode(wgw_buffer_t *b, wgw_exec_message_t kind, int64_t timeout_us);

#endif
