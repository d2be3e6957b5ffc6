#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

/* The length of "::ffff:" as bytes: what IPv4 addresses begin with in IPv6 sockets. */
enum { MAPPED_BYTES = 12 };

static const uint8_t MAPPED[MAPPED_BYTES] = { [10] = 0xff, [11] = 0xff };

/* --- addresses ------------------------------------------------------------------------ */

static void unmap(wgw_address_t *address)
{
    if (address->kind != WGW_ADDRESS_V6 || memcmp(address->bytes, MAPPED, MAPPED_BYTES) != 0)
        return;
    wgw_address_t v4 = { .kind = WGW_ADDRESS_V4 };
    memcpy(v4.bytes, address->bytes + MAPPED_BYTES, 4);
    *address = v4;
}

/* Without unmapping. */
static bool read_literal(const char *text, size_t len, wgw_address_t *address_out)
{
    char copy[WGW_ADDRESS_TEXT_SIZE];

    *address_out = (wgw_address_t){ 0 };
    if (len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    bool is_v6 = strchr(copy, ':') != NULL;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, copy, address_out->bytes) != 1)
        return false;
    address_out->kind = is_v6 ? WGW_ADDRESS_V6 : WGW_ADDRESS_V4;
    return true;
}

bool wgw_address_read(const char *text, size_t len, wgw_address_t *address_out)
{
    if (!read_literal(text, len, address_out))
        return false;
    unmap(address_out);
    return true;
}

void wgw_address_print(const wgw_address_t *address, char text[WGW_ADDRESS_TEXT_SIZE])
{
    int family = address->kind == WGW_ADDRESS_V4 ? AF_INET : AF_INET6;

    if (address->kind == WGW_ADDRESS_NONE ||
        !inet_ntop(family, address->bytes, text, WGW_ADDRESS_TEXT_SIZE))
        text[0] = '\0';
}

/* --- networks ------------------------------------------------------------------------- */

static unsigned width_of(const wgw_address_t *address)
{
    return address->kind == WGW_ADDRESS_V4 ? 32 : 128;
}

static void clear_after(wgw_address_t *address, unsigned bits)
{
    for (unsigned bit = bits; bit < width_of(address); bit++)
        address->bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
}

static bool begin_alike(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* "24". Returns: false when it is not a number, or more than `most`. */
static bool read_bits(const char *text, unsigned most, unsigned *bits_out)
{
    size_t len = strlen(text);

    if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
        return false;
    *bits_out = 0;
    for (size_t i = 0; i < len; i++)
        *bits_out = *bits_out * 10 + (unsigned)(text[i] - '0');
    return *bits_out <= most;
}

/* "255.255.255.0". Returns: false when it is not ones and then zeros. */
static bool read_mask(const char *text, unsigned *bits_out)
{
    wgw_address_t mask;
    uint32_t ones;

    if (!read_literal(text, strlen(text), &mask) || mask.kind != WGW_ADDRESS_V4)
        return false;
    memcpy(&ones, mask.bytes, sizeof ones);
    ones = ntohl(ones);
    *bits_out = ones ? 32 - (unsigned)__builtin_ctz(ones) : 0;
    return (~ones & (~ones + 1)) == 0;
}

bool wgw_network_read(const char *text, wgw_network_t *network_out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    wgw_address_t *base = &network_out->base;

    *network_out = (wgw_network_t){ 0 };
    if (strcmp(text, "*") == 0)
        return true;
    if (!read_literal(text, len, base))
        return false;
    unsigned width = width_of(base), bits = width;
    if (slash && !read_bits(slash + 1, width, &bits) &&
        !(base->kind == WGW_ADDRESS_V4 && read_mask(slash + 1, &bits)))
        return false;
    clear_after(base, bits);
    if (bits >= MAPPED_BYTES * 8)
        unmap(base);
    network_out->bits = bits - (width - width_of(base));
    return true;
}

static bool contains(const wgw_network_t *network, const wgw_address_t *address)
{
    if (network->base.kind == WGW_ADDRESS_NONE)
        return true;
    return network->base.kind == address->kind &&
           begin_alike(network->base.bytes, address->bytes, network->bits);
}

bool wgw_networks_contain(const wgw_network_t *networks, size_t count, const wgw_address_t *address)
{
    for (size_t i = 0; i < count; i++)
        if (contains(&networks[i], address))
            return true;
    return false;
}
