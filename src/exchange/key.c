#include "exchange/key.h"

#include <string.h>

static const wgw_key_info_t KEYS[WGW_KEY_COUNT] = {
#define WGW_KEY_ROW(symbol, text, key_flags) \
    [WGW_KEY_##symbol] = { .name = text, .len = sizeof text - 1, .flags = key_flags },
    WGW_KEYS(WGW_KEY_ROW)
#undef WGW_KEY_ROW
};

enum { SLOT_COUNT = 256 }; /* open addressing, a power of two, at most half full */

static unsigned char slots[SLOT_COUNT];

static unsigned hash_name(const char *name, size_t len)
{
    unsigned hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash ^ hash >> 16;
}

/* Filled when the library is loaded, read-only afterwards: no lock is needed. */
__attribute__((constructor)) static void fill_slots(void)
{
    _Static_assert(WGW_KEY_COUNT < SLOT_COUNT / 2, "the table of keys is too full");
    for (unsigned key = 1; key < WGW_KEY_COUNT; key++) {
        unsigned slot = hash_name(KEYS[key].name, KEYS[key].len);
        while (slots[slot % SLOT_COUNT])
            slot++;
        slots[slot % SLOT_COUNT] = (unsigned char)key;
    }
}

const wgw_key_info_t *wgw_key_info(wgw_key_t key)
{
    return &KEYS[key];
}

wgw_key_t wgw_key_find(const char *name, size_t len)
{
    for (unsigned slot = hash_name(name, len);; slot++) {
        unsigned key = slots[slot % SLOT_COUNT];
        if (!key || (KEYS[key].len == len && memcmp(KEYS[key].name, name, len) == 0))
            return (wgw_key_t)key;
    }
}
