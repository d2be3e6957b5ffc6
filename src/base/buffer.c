#include "base/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 256 };

bool wgw_buffer_reserve(wgw_buffer_t *b, size_t len)
{
    if (b->is_short)
        return false;
    if (len <= b->size - b->len)
        return true;
    size_t size = b->size ? b->size : FIRST_SIZE;
    while (size - b->len < len && size <= SIZE_MAX / 2)
        size *= 2;
    char *data = size - b->len < len ? NULL : realloc(b->data, size);
    if (!data) {
        b->is_short = true;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

bool wgw_buffer_append(wgw_buffer_t *b, const void *data, size_t len)
{
    if (!wgw_buffer_reserve(b, len))
        return false;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    return true;
}

void wgw_buffer_consume(wgw_buffer_t *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    b->len -= len;
    if (b->len && len)
        memmove(b->data, b->data + len, b->len);
}

void wgw_buffer_clear(wgw_buffer_t *b, size_t keep_bytes)
{
    b->len = 0;
    b->is_short = false;
    if (b->size > keep_bytes)
        wgw_buffer_deinit(b);
}

void wgw_buffer_deinit(wgw_buffer_t *b)
{
    free(b->data);
    *b = (wgw_buffer_t){ 0 };
}
