#include "worker/trace.h"

#include <stdlib.h>
#include <string.h>

size_t wgw_trace_line(const char **at, const char *end, const char **line_out)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((newline ? newline : end) - *at);

    *line_out = *at;
    *at += len + (newline != NULL);
    return len;
}

static bool starts_with(const char *line, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0;
}

/* "Thread 0x00007f0123456789 (most recent call first):", or the same of the "Current thread". */
static bool read_heading(const char *line, size_t len, unsigned long *ident_out)
{
    static const char *const PREFIXES[] = { "Thread 0x", "Current thread 0x" };
    char digits[20] = "";

    for (size_t i = 0; i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        size_t skip = strlen(PREFIXES[i]);
        if (!starts_with(line, len, PREFIXES[i]))
            continue;
        size_t count = len - skip < sizeof digits - 1 ? len - skip : sizeof digits - 1;
        memcpy(digits, line + skip, count);
        *ident_out = strtoul(digits, NULL, 16);
        return true;
    }
    return false;
}

bool wgw_trace_next(const char **at, const char *end, wgw_trace_t *trace_out)
{
    const char *line;
    bool is_found = false;

    while (*at < end && !is_found) {
        size_t len = wgw_trace_line(at, end, &line);
        is_found = read_heading(line, len, &trace_out->ident);
    }
    trace_out->lines = *at;
    trace_out->is_in_python = false;
    while (*at < end && **at == ' ') {
        size_t len = wgw_trace_line(at, end, &line);
        trace_out->is_in_python = trace_out->is_in_python || starts_with(line, len, "  File ");
    }
    trace_out->len = (size_t)(*at - trace_out->lines);
    return is_found;
}
