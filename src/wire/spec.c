/* The records' tables as code. A decoder lays everything into one block: the
 * copied bytes, then the arrays that point into them, whose size the message's
 * own length bounds. */
#include "wire/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

/* --- encoding ------------------------------------------------------------------------- */

static void put_TEXT(wgw_buffer_t *b, const char *value)
{
    wgw_put_text(b, value);
}

static void put_BLOB(wgw_buffer_t *b, wgw_blob_t value)
{
    wgw_put_u32(b, (uint32_t)value.len);
    wgw_buffer_append(b, value.data, value.len);
}

static void put_LIST(wgw_buffer_t *b, wgw_texts_t value)
{
    wgw_put_u32(b, (uint32_t)value.count);
    for (size_t i = 0; i < value.count; i++)
        wgw_put_text(b, value.items[i]);
}

static void put_NUMBERS(wgw_buffer_t *b, wgw_numbers_t value)
{
    wgw_put_u32(b, (uint32_t)value.count);
    for (size_t i = 0; i < value.count; i++)
        wgw_put_u32(b, value.items[i]);
}

static void put_U32(wgw_buffer_t *b, uint32_t value)
{
    wgw_put_u32(b, value);
}

static void put_U64(wgw_buffer_t *b, uint64_t value)
{
    wgw_put_u64(b, value);
}

/* --- decoding ------------------------------------------------------------------------- */

typedef struct {
    wgw_cursor_t cursor; /* over the copied bytes */
    char *array;         /* where the next array goes, aligned for pointers */
} reader_t;

static const char *get_TEXT(reader_t *r)
{
    return wgw_cursor_text(&r->cursor, NULL);
}

static wgw_blob_t get_BLOB(reader_t *r)
{
    size_t len = wgw_cursor_u32(&r->cursor);
    const char *data = wgw_cursor_bytes(&r->cursor, len);

    return (wgw_blob_t){ .data = data ? data : "", .len = data ? len : 0 };
}

/* Take room for an array; each item takes at least `least` bytes of what is left to read, which
 * bounds the sum of all arrays by the size of the block. */
static void *take_array(reader_t *r, uint32_t count, size_t least, size_t item_size)
{
    void *array = r->array;

    if (count > (size_t)(r->cursor.end - r->cursor.at) / least) {
        r->cursor.is_bad = true;
        return NULL;
    }
    r->array += (count * item_size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    return array;
}

static wgw_texts_t get_LIST(reader_t *r)
{
    uint32_t count = wgw_cursor_u32(&r->cursor);
    const char **items = take_array(r, count, 5, sizeof *items);

    for (uint32_t i = 0; items && i < count; i++)
        items[i] = wgw_cursor_text(&r->cursor, NULL);
    return (wgw_texts_t){ .items = items, .count = items ? count : 0 };
}

static wgw_numbers_t get_NUMBERS(reader_t *r)
{
    uint32_t count = wgw_cursor_u32(&r->cursor);
    uint32_t *items = take_array(r, count, sizeof *items, sizeof *items);

    for (uint32_t i = 0; items && i < count; i++)
        items[i] = wgw_cursor_u32(&r->cursor);
    return (wgw_numbers_t){ .items = items, .count = items ? count : 0 };
}

static uint32_t get_U32(reader_t *r)
{
    return wgw_cursor_u32(&r->cursor);
}

static uint64_t get_U64(reader_t *r)
{
    return wgw_cursor_u64(&r->cursor);
}

/* Copy the message into a block with room for its arrays: a text takes 5 bytes at least, its
 * pointer 8; and each array may be padded by less than a pointer. */
static void *make_block(const char *data, size_t len, reader_t *r)
{
    size_t text_size = (len + sizeof(void *)) / sizeof(void *) * sizeof(void *);
    char *block = malloc(text_size + 3 * len + 16 * sizeof(void *));

    if (!block)
        return NULL;
    memcpy(block, data, len);
    *r = (reader_t){ .cursor = { .at = block, .end = block + len }, .array = block + text_size };
    if (wgw_cursor_u32(&r->cursor) != WGW_SPEC_VERSION)
        r->cursor.is_bad = true;
    return block;
}

static bool finish(const reader_t *r, void *block, void **memory_out)
{
    bool is_right = wgw_cursor_is_done(&r->cursor);

    *memory_out = is_right ? block : NULL;
    if (!is_right)
        free(block);
    return is_right;
}

/* --- the records ---------------------------------------------------------------------- */

#define PUT_FIELD(kind, field) put_##kind(b, spec->field);
#define GET_FIELD(kind, field) spec_out->field = get_##kind(&r);

void wgw_pool_spec_encode(wgw_buffer_t *b, const wgw_pool_spec_t *spec)
{
    wgw_put_u32(b, WGW_SPEC_VERSION);
    WGW_POOL_FIELDS(PUT_FIELD)
}

void wgw_worker_spec_encode(wgw_buffer_t *b, const wgw_worker_spec_t *spec)
{
    wgw_put_u32(b, WGW_SPEC_VERSION);
    WGW_WORKER_FIELDS(PUT_FIELD)
}

bool wgw_pool_spec_decode(const char *data, size_t len, wgw_pool_spec_t *spec_out,
                          void **memory_out)
{
    reader_t r;
    void *block = make_block(data, len, &r);

    *memory_out = NULL;
    if (!block)
        return false;
    WGW_POOL_FIELDS(GET_FIELD)
    return finish(&r, block, memory_out);
}

bool wgw_worker_spec_decode(const char *data, size_t len, wgw_worker_spec_t *spec_out,
                            void **memory_out)
{
    reader_t r;
    void *block = make_block(data, len, &r);

    *memory_out = NULL;
    if (!block)
        return false;
    WGW_WORKER_FIELDS(GET_FIELD)
    return finish(&r, block, memory_out);
}
