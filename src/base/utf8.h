/* UTF-8 that may be shown: which bytes of a text from elsewhere are a character. */
#ifndef WGW_BASE_UTF8_H
#define WGW_BASE_UTF8_H

#include <stddef.h>

/* How long the character at `at` is, which is before `end`.
 * Returns: 0 when there is none (RFC 3629), or when it is one that controls a terminal. */
size_t wgw_utf8_shown_len(const char *at, const char *end);

#endif
