/* The fields to which each proxy appends the one that it got a request from, read from the right:
 * what stands there was written last, by who is nearest. X-Forwarded-For, and Forwarded (RFC 7239).
 * Pure; looks no name up. What a client wrote into the left of a field cannot change how its right
 * is read. */
#ifndef WGW_EXCHANGE_HOP_H
#define WGW_EXCHANGE_HOP_H

#include "base/address.h"
#include "wsgigw/exchange.h"

typedef enum wgw_hop_kind_t {
    WGW_HOP_ADDRESS, /* an IP address */
    WGW_HOP_HIDDEN,  /* "unknown", "_name", or no for= in an element of Forwarded */
    WGW_HOP_BAD      /* not allowed there */
} wgw_hop_kind_t;

/* What one proxy wrote. Borrows: the field. */
typedef struct wgw_hop_t {
    wgw_hop_kind_t kind;
    const char *at;        /* where it begins in the field */
    wgw_address_t address; /* of WGW_HOP_ADDRESS */
    uint16_t port;         /* 0 when it is not said */
    wgw_span_t host;       /* of Forwarded: host=, proto=; data NULL when not said */
    wgw_span_t proto;
} wgw_hop_t;

/* Tell whether a span is this word, without case. */
bool wgw_span_is(wgw_span_t span, const char *word);

/* Leave out the spaces around a value. */
wgw_span_t wgw_span_trim(const char *start, const char *end);

/* Take the last element of the list from `start` to *end, and move *end before it. Empty elements
 * are passed over (RFC 9110, 5.6.1.2). With `has_quotes` a comma in a quoted string is part of it.
 * Returns: false when there is none. */
bool wgw_list_take_last(const char *start, const char **end, bool has_quotes, wgw_span_t *element_out);

/* Read an element of X-Forwarded-For, or the whole of X-Real-IP: an address, also with a port. */
void wgw_hop_read(wgw_span_t element, wgw_hop_t *hop_out);

/* Read an element of Forwarded (RFC 7239, 4). */
void wgw_hop_read_forwarded(wgw_span_t element, wgw_hop_t *hop_out);

/* Read a port, 1 to 65535. Returns: false when it is not one. */
bool wgw_port_read(wgw_span_t text, uint16_t *port_out);

#endif
