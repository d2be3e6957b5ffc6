/* IP addresses and networks, as they are written in configurations and header fields.
 * Literals only: no name is ever looked up, so that no text can cause traffic or a wait. */
#ifndef WGW_BASE_ADDRESS_H
#define WGW_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wgw_address_kind_t {
    WGW_ADDRESS_NONE, /* not an IP address: the peer of a Unix socket, say */
    WGW_ADDRESS_V4,
    WGW_ADDRESS_V6
} wgw_address_kind_t;

typedef struct wgw_address_t {
    wgw_address_kind_t kind;
    uint8_t bytes[16]; /* network order; the first 4 of V4; the others are 0 */
} wgw_address_t;

enum { WGW_ADDRESS_TEXT_SIZE = 46 }; /* the longest text of an address, and its NUL */

typedef struct wgw_network_t {
    wgw_address_t base; /* bits after the prefix are 0; WGW_ADDRESS_NONE: everybody */
    unsigned bits;      /* of the prefix */
} wgw_network_t;

/* Read "192.0.2.1" or "2001:db8::1", without brackets, port or zone. "::ffff:192.0.2.1" is the
 * IPv4 address that it stands for (RFC 4291, 2.5.5.2). Returns: false when it is nothing of that. */
bool wgw_address_read(const char *text, size_t len, wgw_address_t *address_out);

/* Write an address in its shortest form (RFC 5952); "" for WGW_ADDRESS_NONE. */
void wgw_address_print(const wgw_address_t *address, char text[WGW_ADDRESS_TEXT_SIZE]);

/* Read an address, "address/bits", "192.0.2.0/255.255.255.0", or "*" for everybody.
 * Returns: false when it is nothing of that. */
bool wgw_network_read(const char *text, wgw_network_t *network_out);

/* Tell whether an address is in one of the networks. */
bool wgw_networks_contain(const wgw_network_t *networks, size_t count, const wgw_address_t *address);

#endif
