/* A byte buffer that grows at its end.
 * Failure to allocate is sticky: later appends do nothing, and the caller asks
 * once, at the end, whether everything fitted. */
#ifndef WGW_BASE_BUFFER_H
#define WGW_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct wgw_buffer_t {
    char *data;    /* malloc'ed; NULL while nothing was appended */
    size_t len;    /* bytes used */
    size_t size;   /* bytes allocated */
    bool is_short; /* an allocation failed; the content is incomplete */
} wgw_buffer_t;

/* Make room for `len` more bytes. Returns: false when memory is short. */
bool wgw_buffer_reserve(wgw_buffer_t *b, size_t len);

/* Append `len` bytes. Returns: false when memory is, or was, short. */
bool wgw_buffer_append(wgw_buffer_t *b, const void *data, size_t len);

/* Drop the first `len` bytes (at most all). */
void wgw_buffer_consume(wgw_buffer_t *b, size_t len);

/* Empty the buffer; its memory is kept up to `keep_bytes`, for the next use. */
void wgw_buffer_clear(wgw_buffer_t *b, size_t keep_bytes);

/* Free the memory; the buffer can be used again. */
void wgw_buffer_deinit(wgw_buffer_t *b);

#endif
