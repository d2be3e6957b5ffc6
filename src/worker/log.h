/* The log pipe of a daemon process. */
#ifndef WGW_WORKER_LOG_H
#define WGW_WORKER_LOG_H

#include "base/log.h"

/* The sink that writes lines with their level to the log pipe, for the supervisor to put into
 * the error log. A full pipe drops lines and counts them. Blocks: never. */
extern const wgw_log_sink_t wgw_wrk_log;

#endif
