/* FNV-1a, 64 bits: tells apart what nobody has an interest in confusing. */
#ifndef WGW_BASE_HASH_H
#define WGW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define WGW_HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t wgw_hash_add(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
