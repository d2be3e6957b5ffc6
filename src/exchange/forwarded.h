/* What a trusted proxy says of the request that it got, and which of its header fields an
 * application may see. Pure: neither httpd nor Python, no name is looked up.
 *
 * Every field has purposes. Where one field of a purpose is trusted, the purpose is governed: all
 * other fields of it are kept from the application, whoever sent them, and all of them when the
 * peer is not a trusted proxy. Fields without a governed purpose are none of our business.
 * Values are checked before they are believed; one that is not allowed counts as not sent. */
#ifndef WGW_EXCHANGE_FORWARDED_H
#define WGW_EXCHANGE_FORWARDED_H

#include "base/address.h"
#include "wsgigw/exchange.h"

/* What a field tells; bits. */
enum {
    WGW_TELLS_CLIENT = 1,
    WGW_TELLS_HOST = 2,
    WGW_TELLS_SERVER = 4,
    WGW_TELLS_PORT = 8,
    WGW_TELLS_SCRIPT = 16,
    WGW_TELLS_SCHEME = 32
};

/* X(symbol, field name, what it tells) */
#define WGW_PROXY_FIELDS(X) \
    X(FORWARDED, "Forwarded", WGW_TELLS_CLIENT | WGW_TELLS_HOST | WGW_TELLS_SCHEME) \
    X(X_FORWARDED_FOR, "X-Forwarded-For", WGW_TELLS_CLIENT) \
    X(X_CLIENT_IP, "X-Client-IP", WGW_TELLS_CLIENT) \
    X(X_REAL_IP, "X-Real-IP", WGW_TELLS_CLIENT) \
    X(X_FORWARDED_HOST, "X-Forwarded-Host", WGW_TELLS_HOST) \
    X(X_HOST, "X-Host", WGW_TELLS_HOST) \
    X(X_FORWARDED_SERVER, "X-Forwarded-Server", WGW_TELLS_SERVER) \
    X(X_FORWARDED_PORT, "X-Forwarded-Port", WGW_TELLS_PORT) \
    X(X_SCRIPT_NAME, "X-Script-Name", WGW_TELLS_SCRIPT) \
    X(X_FORWARDED_SCRIPT_NAME, "X-Forwarded-Script-Name", WGW_TELLS_SCRIPT) \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto", WGW_TELLS_SCHEME) \
    X(X_FORWARDED_SCHEME, "X-Forwarded-Scheme", WGW_TELLS_SCHEME) \
    X(X_SCHEME, "X-Scheme", WGW_TELLS_SCHEME) \
    X(X_FORWARDED_HTTPS, "X-Forwarded-HTTPS", WGW_TELLS_SCHEME) \
    X(X_FORWARDED_SSL, "X-Forwarded-SSL", WGW_TELLS_SCHEME) \
    X(X_HTTPS, "X-HTTPS", WGW_TELLS_SCHEME)

typedef enum wgw_proxy_field_t {
#define WGW_PROXY_FIELD_ENUM(symbol, name, tells) WGW_PROXY_##symbol,
    WGW_PROXY_FIELDS(WGW_PROXY_FIELD_ENUM)
#undef WGW_PROXY_FIELD_ENUM
    WGW_PROXY_FIELD_COUNT /* also: none */
} wgw_proxy_field_t;

/* Name a field as it is usually written. */
const char *wgw_proxy_field_name(wgw_proxy_field_t field);

/* Find a field by its name, without case. Returns: WGW_PROXY_FIELD_COUNT when there is none. */
wgw_proxy_field_t wgw_proxy_field_find(const char *name);

/* What the configuration says. Borrowed. */
typedef struct wgw_trust_t {
    const wgw_network_t *proxies;
    size_t proxy_count;
    const wgw_proxy_field_t *fields; /* of one purpose, the first that a request has counts */
    size_t field_count;
} wgw_trust_t;

typedef struct wgw_forwarded_input_t {
    const char *peer;   /* address of who sent the request, as text */
    const char *client; /* whom the server takes for the client; as a rule the peer */
    const char *values[WGW_PROXY_FIELD_COUNT]; /* fields of the request, several of a name joined by
                                                  ", "; NULL: none */
} wgw_forwarded_input_t;

/* Borrows: the values of the input. */
typedef struct wgw_forwarded_t {
    bool is_trusted; /* the peer is a trusted proxy */
    uint32_t governed; /* a bit per field: what of them the application sees is in `values` */
    uint32_t ignored;  /* a bit per field: its value is not allowed */
    const char *values[WGW_PROXY_FIELD_COUNT]; /* NULL: not shown; of a list, the part that trusted
                                                  proxies have written */
    char client[WGW_ADDRESS_TEXT_SIZE]; /* "": not said; so is all that follows */
    uint16_t client_port;
    wgw_span_t host;     /* with a port, if it has one */
    wgw_span_t server;
    uint16_t port;
    wgw_span_t script;   /* "" or "/..." */
    const char *scheme;  /* "http", "https" */
} wgw_forwarded_t;

/* Decide what to believe. */
void wgw_forwarded_read(const wgw_trust_t *trust, const wgw_forwarded_input_t *input,
                        wgw_forwarded_t *forwarded_out);

#endif
