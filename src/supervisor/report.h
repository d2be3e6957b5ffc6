/* What the log says when a process ends, or has ended, and what to do about it. */
#ifndef WGW_SUPERVISOR_REPORT_H
#define WGW_SUPERVISOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "supervisor/board.h"
#include "supervisor/step.h"
#include "wire/spec.h"
#include "wsgigw/exec.h"

/* How a process has ended. */
typedef struct wgw_end_t {
    pid_t pid;
    int status;        /* as of waitpid() */
    bool was_ready;    /* it had said READY */
    bool was_expected; /* it was told to end, or said that it would */
    uint32_t row, epoch;
} wgw_end_t;

/* The words for a cause, as of the log. */
const char *wgw_sup_cause_name(wgw_cause_t cause);

/* Log how a process has ended, and the requests that it took along. */
void wgw_sup_report_end(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                        const wgw_sup_board_t *board, const wgw_end_t *end);

/* Log why a process is stopped or killed, where that is somebody's concern. */
void wgw_sup_report_action(const wgw_log_sink_t *sink, const wgw_pool_spec_t *spec,
                           const wgw_action_t *action, pid_t pid);

#endif
