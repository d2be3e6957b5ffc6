#include "base/cursor.h"

#include <endian.h>
#include <string.h>

const char *wgw_cursor_bytes(wgw_cursor_t *c, size_t len)
{
    const char *bytes = c->at;

    if (c->is_bad || len > (size_t)(c->end - c->at)) {
        c->is_bad = true;
        return NULL;
    }
    c->at += len;
    return bytes;
}

uint8_t wgw_cursor_u8(wgw_cursor_t *c)
{
    const char *bytes = wgw_cursor_bytes(c, 1);

    return bytes ? (uint8_t)*bytes : 0;
}

uint16_t wgw_cursor_u16(wgw_cursor_t *c)
{
    const char *bytes = wgw_cursor_bytes(c, sizeof(uint16_t));
    uint16_t value = 0;

    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return le16toh(value);
}

uint32_t wgw_cursor_u32(wgw_cursor_t *c)
{
    const char *bytes = wgw_cursor_bytes(c, sizeof(uint32_t));
    uint32_t value = 0;

    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return le32toh(value);
}

uint64_t wgw_cursor_u64(wgw_cursor_t *c)
{
    const char *bytes = wgw_cursor_bytes(c, sizeof(uint64_t));
    uint64_t value = 0;

    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

const char *wgw_cursor_text(wgw_cursor_t *c, size_t *len_out)
{
    uint32_t len = wgw_cursor_u32(c);
    const char *text = wgw_cursor_bytes(c, (size_t)len + 1);

    if (text && (text[len] != '\0' || memchr(text, '\0', len))) {
        c->is_bad = true;
        text = NULL;
    }
    if (len_out)
        *len_out = text ? len : 0;
    return text ? text : "";
}

bool wgw_cursor_is_done(const wgw_cursor_t *c)
{
    return !c->is_bad && c->at == c->end;
}

void wgw_put_u8(wgw_buffer_t *b, uint8_t value)
{
    wgw_buffer_append(b, &value, sizeof value);
}

void wgw_put_u16(wgw_buffer_t *b, uint16_t value)
{
    value = htole16(value);
    wgw_buffer_append(b, &value, sizeof value);
}

void wgw_put_u32(wgw_buffer_t *b, uint32_t value)
{
    value = htole32(value);
    wgw_buffer_append(b, &value, sizeof value);
}

void wgw_put_u64(wgw_buffer_t *b, uint64_t value)
{
    value = htole64(value);
    wgw_buffer_append(b, &value, sizeof value);
}

void wgw_put_text_len(wgw_buffer_t *b, const char *text, size_t len)
{
    wgw_put_u32(b, (uint32_t)len);
    wgw_buffer_append(b, text, len);
    wgw_buffer_append(b, "", 1);
}

void wgw_put_text(wgw_buffer_t *b, const char *text)
{
    wgw_put_text_len(b, text ? text : "", text ? strlen(text) : 0);
}
