/* Small files of /proc. */
#ifndef WGW_BASE_PROC_H
#define WGW_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>

/* Read the beginning of a file as text, NUL-terminated, in one read; "" after a failure.
 * Returns: false when nothing could be read. */
bool wgw_proc_read(const char *path, char *text, size_t size);

#endif
