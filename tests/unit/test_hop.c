#include "unit.h"

#include <stdlib.h>

#include "exchange/hop.h"

static wgw_span_t span(const char *text)
{
    return (wgw_span_t){ text, strlen(text) };
}

static void assert_span(wgw_span_t got, const char *text)
{
    assert_int_equal(got.data != NULL, text != NULL);
    if (text) {
        assert_int_equal(got.len, strlen(text));
        assert_memory_equal(got.data, text, got.len);
    }
}

/* --- lists ---------------------------------------------------------------------------- */

/* The elements from the right, '|' after each. */
static void assert_elements(const char *list, bool has_quotes, const char *expected)
{
    const char *end = list + strlen(list);
    char got[200] = "";
    wgw_span_t element;

    while (wgw_list_take_last(list, &end, has_quotes, &element)) {
        strncat(got, element.data, element.len);
        strcat(got, "|");
    }
    assert_string_equal(got, expected);
}

static void lists_are_read_from_the_right(void **state)
{
    (void)state;
    assert_elements("a, b,c", false, "c|b|a|");
    assert_elements("", false, "");
    assert_elements(" ,\t, ,", false, "");
    assert_elements(",a ,, b\t,", false, "b|a|");
    assert_elements("\"a,b\"", false, "b\"|\"a|");
}

static void commas_in_quotes_do_not_separate(void **state)
{
    (void)state;
    assert_elements("\"a,b\", c", true, "c|\"a,b\"|");
    assert_elements("x=\"a\\\",b\",c", true, "c|x=\"a\\\",b\"|");
    assert_elements("x=\"a\\\\\",c", true, "c|x=\"a\\\\\"|");
    assert_elements("\"\",\"\"", true, "\"\"|\"\"|");
}

/* What a client leaves open stays in its own part of the list. */
static void a_client_cannot_quote_what_a_proxy_appends(void **state)
{
    (void)state;
    assert_elements("for=\", for=192.0.2.1", true, "for=192.0.2.1|for=\"|");
    assert_elements("for=\"a, b, for=\"[::1]:80\"", true, "for=\"[::1]:80\"|b|for=\"a|");
    assert_elements("for=\"\\, for=192.0.2.1", true, "for=192.0.2.1|for=\"\\|");
}

/* --- nodes ---------------------------------------------------------------------------- */

typedef struct {
    const char *text;
    wgw_hop_kind_t kind;
    const char *address;
    unsigned port;
} node_t;

static void assert_node(const wgw_hop_t *hop, const node_t *node)
{
    char text[WGW_ADDRESS_TEXT_SIZE];

    print_message("%s\n", node->text);
    assert_int_equal(hop->kind, node->kind);
    if (node->kind != WGW_HOP_ADDRESS)
        return;
    wgw_address_print(&hop->address, text);
    assert_string_equal(text, node->address);
    assert_int_equal(hop->port, node->port);
}

static void entries_of_x_forwarded_for(void **state)
{
    static const node_t NODES[] = {
        { "192.0.2.1", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { "192.0.2.1:4711", WGW_HOP_ADDRESS, "192.0.2.1", 4711 },
        { "2001:db8::1", WGW_HOP_ADDRESS, "2001:db8::1", 0 },
        { "[2001:db8::1]", WGW_HOP_ADDRESS, "2001:db8::1", 0 },
        { "[2001:db8::1]:4711", WGW_HOP_ADDRESS, "2001:db8::1", 4711 },
        { "::ffff:192.0.2.1", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { "192.0.2.1:_port", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { "unknown", WGW_HOP_HIDDEN, NULL, 0 },
        { "UNKNOWN:80", WGW_HOP_HIDDEN, NULL, 0 },
        { "_hidden", WGW_HOP_HIDDEN, NULL, 0 },
        { "_S.E-V_1", WGW_HOP_HIDDEN, NULL, 0 },
        { "_", WGW_HOP_BAD, NULL, 0 },
        { "_a b", WGW_HOP_BAD, NULL, 0 },
        { "localhost", WGW_HOP_BAD, NULL, 0 },
        { "client.example.org", WGW_HOP_BAD, NULL, 0 },
        { "client.example.org:80", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1:", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1:0", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1:65536", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1:99999999999", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1:http", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1/24", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1 192.0.2.2", WGW_HOP_BAD, NULL, 0 },
        { "\"192.0.2.1\"", WGW_HOP_BAD, NULL, 0 },
        { "[192.0.2.1]", WGW_HOP_BAD, NULL, 0 },
        { "[2001:db8::1", WGW_HOP_BAD, NULL, 0 },
        { "2001:db8::1]", WGW_HOP_BAD, NULL, 0 },
        { "[2001:db8::1]4711", WGW_HOP_BAD, NULL, 0 },
        { "[2001:db8::1]:", WGW_HOP_BAD, NULL, 0 },
        { "[]", WGW_HOP_BAD, NULL, 0 },
        { ":80", WGW_HOP_BAD, NULL, 0 },
        { "::ffff:192.0.2.1:80", WGW_HOP_BAD, NULL, 0 },
        { "fe80::1%eth0", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1' OR 1=1", WGW_HOP_BAD, NULL, 0 },
    };
    wgw_hop_t hop;

    (void)state;
    for (size_t i = 0; i < sizeof NODES / sizeof *NODES; i++) {
        wgw_hop_read(span(NODES[i].text), &hop);
        assert_node(&hop, &NODES[i]);
    }
}

static void elements_of_forwarded(void **state)
{
    static const node_t NODES[] = {
        { "for=192.0.2.1", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { "For=\"192.0.2.1:4711\"", WGW_HOP_ADDRESS, "192.0.2.1", 4711 },
        { "for=\"[2001:db8::1]\"", WGW_HOP_ADDRESS, "2001:db8::1", 0 },
        { "FOR=\"[2001:db8::1]:4711\"", WGW_HOP_ADDRESS, "2001:db8::1", 4711 },
        { "proto=http; for=192.0.2.1 ;by=_me", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { ";;for=192.0.2.1;", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { "for=192.0.2.1:80", WGW_HOP_ADDRESS, "192.0.2.1", 80 }, /* ought to be quoted */
        { "for=[2001:db8::1]", WGW_HOP_ADDRESS, "2001:db8::1", 0 },
        { "secret=\"a;for=6.6.6.6\";for=192.0.2.1", WGW_HOP_ADDRESS, "192.0.2.1", 0 },
        { "for=unknown", WGW_HOP_HIDDEN, NULL, 0 },
        { "for=\"_gazonk\"", WGW_HOP_HIDDEN, NULL, 0 },
        { "proto=https", WGW_HOP_HIDDEN, NULL, 0 },
        { "for=2001:db8::1", WGW_HOP_BAD, NULL, 0 },
        { "for=", WGW_HOP_BAD, NULL, 0 },
        { "for=\"\"", WGW_HOP_BAD, NULL, 0 },
        { "for", WGW_HOP_BAD, NULL, 0 },
        { "192.0.2.1", WGW_HOP_BAD, NULL, 0 },
        { "for =192.0.2.1", WGW_HOP_BAD, NULL, 0 },
        { "for= 192.0.2.1", WGW_HOP_BAD, NULL, 0 },
        { "for=192.0.2.1;for=6.6.6.6", WGW_HOP_BAD, NULL, 0 },
        { "for=192.0.2.1;proto=http;proto=https", WGW_HOP_BAD, NULL, 0 },
        { "for=192.0.2.1 proto=https", WGW_HOP_BAD, NULL, 0 },
        { "for=\"192.0.2.1", WGW_HOP_BAD, NULL, 0 },
        { "for=\"192.0.2.1\"x", WGW_HOP_BAD, NULL, 0 },
        { "for=\"192.0.2.\\1\"", WGW_HOP_BAD, NULL, 0 },
        { "for=\"\\", WGW_HOP_BAD, NULL, 0 },
        { "for=example.org", WGW_HOP_BAD, NULL, 0 },
    };
    wgw_hop_t hop;

    (void)state;
    for (size_t i = 0; i < sizeof NODES / sizeof *NODES; i++) {
        char *copy = unit_copy(NODES[i].text, strlen(NODES[i].text));
        wgw_hop_read_forwarded((wgw_span_t){ copy, strlen(NODES[i].text) }, &hop);
        assert_node(&hop, &NODES[i]);
        free(copy);
    }
}

static void forwarded_tells_host_and_proto(void **state)
{
    wgw_hop_t hop;

    (void)state;
    wgw_hop_read_forwarded(span("host=\"a.example:8080\";for=192.0.2.1;Proto=https"), &hop);
    assert_span(hop.host, "a.example:8080");
    assert_span(hop.proto, "https");
    wgw_hop_read_forwarded(span("for=192.0.2.1"), &hop);
    assert_span(hop.host, NULL);
    assert_span(hop.proto, NULL);
    wgw_hop_read_forwarded(span("host=a.example;for=192.0.2.1;host=b.example"), &hop);
    assert_span(hop.host, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lists_are_read_from_the_right),
    cmocka_unit_test(commas_in_quotes_do_not_separate),
    cmocka_unit_test(a_client_cannot_quote_what_a_proxy_appends),
    cmocka_unit_test(entries_of_x_forwarded_for),
    cmocka_unit_test(elements_of_forwarded),
    cmocka_unit_test(forwarded_tells_host_and_proto),
};

UNIT_GROUP(hop_group, tests);
