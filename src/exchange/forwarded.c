#include "exchange/forwarded.h"

#include <string.h>
#include <strings.h>

#include "exchange/hop.h"

/* Proxies in a row; a longer list is not read to its end. */
enum { MOST_HOPS = 50 };

static const struct {
    const char *name;
    unsigned tells;
} FIELDS[WGW_PROXY_FIELD_COUNT] = {
#define WGW_PROXY_FIELD_ROW(symbol, text, what) \
    [WGW_PROXY_##symbol] = { .name = text, .tells = what },
    WGW_PROXY_FIELDS(WGW_PROXY_FIELD_ROW)
#undef WGW_PROXY_FIELD_ROW
};

typedef struct {
    const wgw_trust_t *trust;
    const wgw_forwarded_input_t *input;
    wgw_forwarded_t *out;
    bool is_client_known; /* the server knows the client by other means */
    size_t depth;         /* trusted proxies between the one that met the client and us */
    wgw_hop_t met;        /* of Forwarded: what the proxy wrote that met the client */
} reading_t;

const char *wgw_proxy_field_name(wgw_proxy_field_t field)
{
    return FIELDS[field].name;
}

wgw_proxy_field_t wgw_proxy_field_find(const char *name)
{
    int field = 0;

    while (field < WGW_PROXY_FIELD_COUNT && strcasecmp(FIELDS[field].name, name) != 0)
        field++;
    return (wgw_proxy_field_t)field;
}

static wgw_span_t whole(const char *text)
{
    return wgw_span_trim(text, text + strlen(text));
}

/* --- who the client is ---------------------------------------------------------------- */

static bool is_proxy(const reading_t *reading, const wgw_address_t *address)
{
    return wgw_networks_contain(reading->trust->proxies, reading->trust->proxy_count, address);
}

/* Go from the nearest proxy away from us for as long as who was named is a trusted proxy, so that
 * everything that is read was written by one. `met_out` is what the last of them wrote, and
 * `client_out` the farthest address that is known, WGW_HOP_BAD when there is none. */
static void walk(reading_t *reading, wgw_proxy_field_t field, wgw_hop_t *met_out,
                 wgw_hop_t *client_out)
{
    bool is_rfc7239 = field == WGW_PROXY_FORWARDED;
    const char *start = reading->input->values[field], *end = start + strlen(start);
    wgw_span_t element;
    size_t count = 0;

    *met_out = *client_out = (wgw_hop_t){ .kind = WGW_HOP_BAD };
    while (count < MOST_HOPS && wgw_list_take_last(start, &end, is_rfc7239, &element)) {
        (is_rfc7239 ? wgw_hop_read_forwarded : wgw_hop_read)(element, met_out);
        count++;
        if (met_out->kind == WGW_HOP_ADDRESS)
            *client_out = *met_out;
        if (met_out->kind != WGW_HOP_ADDRESS || !is_proxy(reading, &met_out->address))
            break;
    }
    reading->depth = count ? count - 1 : 0;
}

static bool take_client(reading_t *reading, wgw_proxy_field_t field)
{
    wgw_hop_t met, client;

    if (reading->is_client_known)
        return true;
    if (field == WGW_PROXY_FORWARDED || field == WGW_PROXY_X_FORWARDED_FOR) {
        walk(reading, field, &met, &client);
    } else {
        wgw_hop_read(whole(reading->input->values[field]), &met);
        client = met;
    }
    if (client.kind == WGW_HOP_ADDRESS) {
        wgw_address_print(&client.address, reading->out->client);
        reading->out->client_port = client.port;
        reading->out->values[field] = met.kind == WGW_HOP_BAD ? client.at : met.at;
    }
    return met.kind != WGW_HOP_BAD;
}

/* --- what else it has asked for ------------------------------------------------------- */

/* What the proxy wrote that met the client. Proxies that append to their list of clients do so to
 * the other lists; where one of them only sets a field, the list is shorter. */
static wgw_span_t element_of(const reading_t *reading, wgw_proxy_field_t field)
{
    const char *start = reading->input->values[field], *end = start + strlen(start);
    wgw_span_t element = { 0 };

    for (size_t i = 0; i <= reading->depth; i++)
        wgw_list_take_last(start, &end, false, &element);
    return element;
}

/* Returns: false, as the value is not allowed. Otherwise the application sees the field from it on. */
static bool show(reading_t *reading, wgw_proxy_field_t field, const char *from, bool is_right)
{
    if (is_right)
        reading->out->values[field] = field == WGW_PROXY_FORWARDED ? reading->met.at : from;
    return is_right;
}

static bool is_host_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

/* A name as of DNS, or an address: what a URL can be made of without harm, and httpd itself takes as
 * Host. */
static bool is_host(wgw_span_t host)
{
    enum { LONGEST_NAME = 255 };
    wgw_address_t address;

    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        return memchr(host.data, ':', host.len) &&
               wgw_address_read(host.data + 1, host.len - 2, &address);
    if (host.len == 0 || host.len > LONGEST_NAME || host.data[0] == '.')
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!is_host_character(host.data[i]) ||
            (i > 0 && host.data[i] == '.' && host.data[i - 1] == '.'))
            return false;
    return true;
}

static bool is_host_and_port(wgw_span_t host)
{
    const char *colon = host.len ? memrchr(host.data, ':', host.len) : NULL;
    uint16_t port;

    if (!colon || host.data[host.len - 1] == ']')
        return is_host(host);
    size_t len = (size_t)(colon - host.data);
    return is_host((wgw_span_t){ host.data, len }) &&
           wgw_port_read((wgw_span_t){ colon + 1, host.len - len - 1 }, &port);
}

static bool take_host(reading_t *reading, wgw_proxy_field_t field)
{
    wgw_span_t host = field == WGW_PROXY_FORWARDED ? reading->met.host : element_of(reading, field);
    bool is_right = is_host_and_port(host);

    if (is_right)
        reading->out->host = host;
    return show(reading, field, host.data, is_right);
}

static bool take_server(reading_t *reading, wgw_proxy_field_t field)
{
    wgw_span_t server = element_of(reading, field);
    bool is_right = is_host(server);

    if (is_right)
        reading->out->server = server;
    return show(reading, field, server.data, is_right);
}

static bool take_port(reading_t *reading, wgw_proxy_field_t field)
{
    wgw_span_t text = element_of(reading, field);
    uint16_t port;
    bool is_right = wgw_port_read(text, &port);

    if (is_right)
        reading->out->port = port;
    return show(reading, field, text.data, is_right);
}

/* The start of a path, which applications put before their own URLs: "//" would begin the name of
 * another host. */
static bool is_script(wgw_span_t path)
{
    if (path.data[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c <= ' ' || c == 0x7f || c == '?' || c == '#' || c == '\\' ||
            (c == '/' && i > 0 && path.data[i - 1] == '/'))
            return false;
    }
    return true;
}

static bool take_script(reading_t *reading, wgw_proxy_field_t field)
{
    wgw_span_t path = whole(reading->input->values[field]);
    bool is_right = is_script(path);

    if (is_right) {
        reading->out->script = path;
        if (path.data[path.len - 1] == '/') /* PATH_INFO has it */
            reading->out->script.len--;
    }
    return show(reading, field, path.data, is_right);
}

static const char *scheme_of_name(wgw_span_t text)
{
    return wgw_span_is(text, "https") ? "https" : wgw_span_is(text, "http") ? "http" : NULL;
}

/* Of fields that say whether it was TLS. */
static const char *scheme_of_flag(wgw_span_t text)
{
    static const char *const YES[] = { "on", "true", "1", "yes" };
    static const char *const NO[] = { "off", "false", "0", "no" };

    for (size_t i = 0; i < sizeof YES / sizeof *YES; i++)
        if (wgw_span_is(text, YES[i]) || wgw_span_is(text, NO[i]))
            return wgw_span_is(text, YES[i]) ? "https" : "http";
    return NULL;
}

static bool is_flag(wgw_proxy_field_t field)
{
    return field == WGW_PROXY_X_FORWARDED_HTTPS || field == WGW_PROXY_X_FORWARDED_SSL ||
           field == WGW_PROXY_X_HTTPS;
}

static bool take_scheme(reading_t *reading, wgw_proxy_field_t field)
{
    wgw_span_t text = field == WGW_PROXY_FORWARDED ? reading->met.proto : element_of(reading, field);
    const char *scheme = (is_flag(field) ? scheme_of_flag : scheme_of_name)(text);

    reading->out->scheme = scheme;
    return show(reading, field, text.data, scheme != NULL);
}

/* --- all of it ------------------------------------------------------------------------ */

/* The client comes first: how far away it was met tells where to look in the other lists. */
static const struct {
    unsigned tells;
    bool (*take)(reading_t *reading, wgw_proxy_field_t field); /* false: the value is not allowed */
} PURPOSES[] = {
    { WGW_TELLS_CLIENT, take_client }, { WGW_TELLS_HOST, take_host },
    { WGW_TELLS_SERVER, take_server }, { WGW_TELLS_PORT, take_port },
    { WGW_TELLS_SCRIPT, take_script }, { WGW_TELLS_SCHEME, take_scheme },
};

enum { PURPOSE_COUNT = sizeof PURPOSES / sizeof *PURPOSES };

/* Whether the request has the field, and it says something of this purpose. */
static bool tells(const reading_t *reading, wgw_proxy_field_t field, unsigned purpose)
{
    const char *value = reading->input->values[field];

    if (!(FIELDS[field].tells & purpose) || !value || value[strspn(value, " \t,")] == '\0')
        return false;
    if (field != WGW_PROXY_FORWARDED || reading->met.kind == WGW_HOP_BAD)
        return true;
    return purpose == WGW_TELLS_HOST     ? reading->met.host.data != NULL
           : purpose == WGW_TELLS_SCHEME ? reading->met.proto.data != NULL
                                         : true;
}

/* The first field that is trusted and there decides, also when its value is not allowed: to go on to
 * the next one would let a client choose which one counts. */
static void decide(reading_t *reading, int purpose)
{
    const wgw_trust_t *trust = reading->trust;

    for (size_t i = 0; i < trust->field_count; i++)
        if (tells(reading, trust->fields[i], PURPOSES[purpose].tells)) {
            if (!PURPOSES[purpose].take(reading, trust->fields[i]))
                reading->out->ignored |= 1u << trust->fields[i];
            return;
        }
}

static uint32_t governed_by(const wgw_trust_t *trust)
{
    unsigned purposes = 0;
    uint32_t governed = 0;

    for (size_t i = 0; i < trust->field_count; i++)
        purposes |= FIELDS[trust->fields[i]].tells;
    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++)
        if (FIELDS[field].tells & purposes)
            governed |= 1u << field;
    return governed;
}

static bool names_proxy(const reading_t *reading, const char *text)
{
    wgw_address_t address;

    wgw_address_read(text, strlen(text), &address);
    return is_proxy(reading, &address);
}

void wgw_forwarded_read(const wgw_trust_t *trust, const wgw_forwarded_input_t *input,
                        wgw_forwarded_t *forwarded_out)
{
    reading_t reading = { .trust = trust, .input = input, .out = forwarded_out };

    *forwarded_out = (wgw_forwarded_t){ .governed = governed_by(trust) };
    forwarded_out->is_trusted = names_proxy(&reading, input->peer);
    if (!forwarded_out->is_trusted)
        return;
    reading.is_client_known = strcmp(input->peer, input->client) != 0 &&
                              !names_proxy(&reading, input->client);
    if (input->values[WGW_PROXY_FORWARDED]) {
        wgw_hop_t client;
        walk(&reading, WGW_PROXY_FORWARDED, &reading.met, &client);
        reading.depth = 0;
    }
    for (int purpose = 0; purpose < PURPOSE_COUNT; purpose++)
        decide(&reading, purpose);
}
