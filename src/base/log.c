#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void wgw_log(const wgw_log_sink_t *sink, wgw_level_t level, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    sink->write(sink->ctx, level, line, strlen(line));
}
