#include "exchange/hop.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool wgw_span_is(wgw_span_t span, const char *word)
{
    return span.len == strlen(word) && strncasecmp(span.data, word, span.len) == 0;
}

/* --- lists ---------------------------------------------------------------------------- */

static bool is_escaped(const char *start, const char *at)
{
    const char *run = at;

    while (run > start && run[-1] == '\\')
        run--;
    return (at - run) % 2 != 0;
}

/* Where the element that ends at `end` begins. Read backwards: a quoted string that a client has
 * left open does not reach into what a proxy has appended to it. */
static const char *element_start(const char *start, const char *end, bool has_quotes)
{
    bool is_quoted = false;

    for (; end > start; end--) {
        char c = end[-1];
        if (has_quotes && c == '"' && !(is_quoted && is_escaped(start, end - 1)))
            is_quoted = !is_quoted;
        else if (c == ',' && !is_quoted)
            return end;
    }
    return start;
}

wgw_span_t wgw_span_trim(const char *start, const char *end)
{
    while (start < end && is_space(*start))
        start++;
    while (start < end && is_space(end[-1]))
        end--;
    return (wgw_span_t){ start, (size_t)(end - start) };
}

bool wgw_list_take_last(const char *start, const char **end, bool has_quotes, wgw_span_t *element_out)
{
    while (*end > start) {
        const char *begin = element_start(start, *end, has_quotes);
        *element_out = wgw_span_trim(begin, *end);
        *end = begin > start ? begin - 1 : start;
        if (element_out->len)
            return true;
    }
    return false;
}

/* --- nodes ---------------------------------------------------------------------------- */

bool wgw_port_read(wgw_span_t text, uint16_t *port_out)
{
    unsigned port = 0;

    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    *port_out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

/* "_SEVKISEK": what a proxy calls somebody whose address it does not tell (RFC 7239, 6.3). */
static bool is_obfuscated(wgw_span_t text)
{
    if (text.len < 2 || text.data[0] != '_')
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (!is_digit(text.data[i]) && !is_letter(text.data[i]) && !strchr("._-", text.data[i]))
            return false;
    return true;
}

/* What stands after the address or name: nothing, or ":port" (RFC 7239, 6). */
static bool read_node_port(wgw_span_t rest, wgw_hop_t *hop)
{
    if (rest.len == 0)
        return true;
    wgw_span_t port = { rest.data + 1, rest.len - 1 };
    return rest.data[0] == ':' && (wgw_port_read(port, &hop->port) || is_obfuscated(port));
}

/* Split at the ':' before a port: of "[...]:port", or the only one. A bare IPv6 address has more. */
static size_t name_length(wgw_span_t node)
{
    const char *last = memrchr(node.data, ':', node.len);

    if (node.len && node.data[0] == '[') {
        const char *bracket = memchr(node.data, ']', node.len);
        return bracket ? (size_t)(bracket + 1 - node.data) : node.len;
    }
    if (last && last == memchr(node.data, ':', node.len))
        return (size_t)(last - node.data);
    return node.len;
}

static wgw_hop_kind_t read_node(wgw_span_t node, bool allows_bare_v6, wgw_hop_t *hop)
{
    size_t len = name_length(node);
    wgw_span_t name = { node.data, len };

    if (!read_node_port((wgw_span_t){ node.data + len, node.len - len }, hop))
        return WGW_HOP_BAD;
    if (wgw_span_is(name, "unknown") || is_obfuscated(name))
        return WGW_HOP_HIDDEN;
    bool has_brackets = len >= 2 && name.data[0] == '[' && name.data[len - 1] == ']';
    bool has_colons = memchr(name.data, ':', len) != NULL;
    if (has_brackets)
        name = (wgw_span_t){ name.data + 1, len - 2 };
    if (has_colons != has_brackets && !(has_colons && allows_bare_v6))
        return WGW_HOP_BAD;
    return wgw_address_read(name.data, name.len, &hop->address) ? WGW_HOP_ADDRESS : WGW_HOP_BAD;
}

void wgw_hop_read(wgw_span_t element, wgw_hop_t *hop_out)
{
    *hop_out = (wgw_hop_t){ .at = element.data };
    hop_out->kind = read_node(element, true, hop_out);
}

/* --- Forwarded ------------------------------------------------------------------------ */

static bool is_token_character(char c)
{
    return is_digit(c) || is_letter(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* More than a token: addresses and hosts with ':' ought to be quoted, and often are not. */
static bool is_value_character(char c)
{
    return is_token_character(c) || c == ':' || c == '[' || c == ']';
}

/* Take a quoted string. What we read of it never needs an escape: with one it is not valid.
 * Returns: where it ends; NULL when it does not. */
static const char *take_quoted(const char *at, const char *end, wgw_span_t *value_out)
{
    const char *from = ++at;

    for (; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    if (at >= end)
        return NULL;
    *value_out = (wgw_span_t){ from, (size_t)(at - from) };
    return at + 1;
}

/* Take "name=value". Returns: where it ends; NULL when there is none. */
static const char *take_pair(const char *at, const char *end, wgw_span_t *name_out,
                             wgw_span_t *value_out)
{
    const char *from = at;

    while (at < end && is_token_character(*at))
        at++;
    *name_out = (wgw_span_t){ from, (size_t)(at - from) };
    if (at == from || at == end || *at++ != '=')
        return NULL;
    if (at < end && *at == '"')
        return take_quoted(at, end, value_out);
    from = at;
    while (at < end && is_value_character(*at))
        at++;
    *value_out = (wgw_span_t){ from, (size_t)(at - from) };
    return at > from ? at : NULL;
}

/* "MUST NOT occur more than once" (RFC 7239, 4). */
static bool set_once(wgw_span_t *field, wgw_span_t value)
{
    bool is_first = !field->data;

    *field = value;
    return is_first;
}

static bool read_pairs(const char *at, const char *end, wgw_span_t *node, wgw_hop_t *hop)
{
    wgw_span_t name, value;
    bool is_right = true;

    while (at && at < end && is_right) {
        if (is_space(*at) || *at == ';') {
            at++;
            continue;
        }
        at = take_pair(at, end, &name, &value);
        if (!at)
            return false;
        if (wgw_span_is(name, "for"))
            is_right = set_once(node, value);
        else if (wgw_span_is(name, "host"))
            is_right = set_once(&hop->host, value);
        else if (wgw_span_is(name, "proto"))
            is_right = set_once(&hop->proto, value);
        while (at < end && is_space(*at))
            at++;
        is_right = is_right && (at == end || *at == ';');
    }
    return is_right;
}

void wgw_hop_read_forwarded(wgw_span_t element, wgw_hop_t *hop_out)
{
    wgw_span_t node = { 0 };

    *hop_out = (wgw_hop_t){ .at = element.data, .kind = WGW_HOP_HIDDEN };
    if (!read_pairs(element.data, element.data + element.len, &node, hop_out))
        *hop_out = (wgw_hop_t){ .at = element.data, .kind = WGW_HOP_BAD };
    else if (node.data)
        hop_out->kind = read_node(node, false, hop_out);
}
