/* The text that Python's faulthandler writes: a paragraph for each thread. Pure. */
#ifndef WGW_WORKER_TRACE_H
#define WGW_WORKER_TRACE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct wgw_trace_t {
    unsigned long ident; /* of the thread */
    const char *lines;   /* its frames, the innermost first; with line ends, no NUL */
    size_t len;          /* bytes of them */
    bool is_in_python;   /* there is one */
} wgw_trace_t;

/* Read the next paragraph from *at on, which is moved. Borrows: the text.
 * Returns: false when there is none any more. */
bool wgw_trace_next(const char **at, const char *end, wgw_trace_t *trace_out);

/* Cut the next line off. Returns: its length without the line end; *line_out is its start. */
size_t wgw_trace_line(const char **at, const char *end, const char **line_out);

#endif
