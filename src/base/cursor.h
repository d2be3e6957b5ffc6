/* Numbers and texts in a byte string: written at the end of a buffer, read
 * through a cursor that never leaves its bounds. Little-endian, no alignment.
 * A cursor that met a fault stays bad, so that a decoder asks once, at the end. */
#ifndef WGW_BASE_CURSOR_H
#define WGW_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct wgw_cursor_t {
    const char *at, *end; /* Borrowed bytes; at <= end */
    bool is_bad;          /* something did not fit; every later read gives 0, NULL or "" */
} wgw_cursor_t;

/* Read the next number. Returns: 0 when the cursor is bad. */
uint8_t wgw_cursor_u8(wgw_cursor_t *c);
uint16_t wgw_cursor_u16(wgw_cursor_t *c);
uint32_t wgw_cursor_u32(wgw_cursor_t *c);
uint64_t wgw_cursor_u64(wgw_cursor_t *c);

/* Take the next `len` bytes. Returns: where they are; NULL when there are not as many. */
const char *wgw_cursor_bytes(wgw_cursor_t *c, size_t len);

/* Take a text: u32 length, bytes, a NUL that the length does not count.
 * Returns: it, NUL-terminated, with no other NUL in it; "" when the cursor is bad. */
const char *wgw_cursor_text(wgw_cursor_t *c, size_t *len_out);

/* Tell whether everything was read and nothing is left. */
bool wgw_cursor_is_done(const wgw_cursor_t *c);

/* Append a number, or a text as wgw_cursor_text() takes it (NULL: ""). Failure is sticky. */
void wgw_put_u8(wgw_buffer_t *b, uint8_t value);
void wgw_put_u16(wgw_buffer_t *b, uint16_t value);
void wgw_put_u32(wgw_buffer_t *b, uint32_t value);
void wgw_put_u64(wgw_buffer_t *b, uint64_t value);
void wgw_put_text(wgw_buffer_t *b, const char *text);
void wgw_put_text_len(wgw_buffer_t *b, const char *text, size_t len);

#endif
