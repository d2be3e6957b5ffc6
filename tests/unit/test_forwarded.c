#include "unit.h"

#include <stdlib.h>

#include "exchange/forwarded.h"

#define BIT(field) (1u << WGW_PROXY_##field)

/* Trusted are 10.0.0.0/8 and 2001:db8:5::/48; the peer is 10.0.0.1. */
typedef struct {
    wgw_network_t networks[2];
    wgw_proxy_field_t fields[4];
    wgw_trust_t trust;
    wgw_forwarded_input_t input;
    wgw_forwarded_t out;
} rig_t;

static void set_up(rig_t *rig, const char *field, const char *other)
{
    *rig = (rig_t){ .input = { .peer = "10.0.0.1", .client = "10.0.0.1" } };
    assert_true(wgw_network_read("10.0.0.0/8", &rig->networks[0]));
    assert_true(wgw_network_read("2001:db8:5::/48", &rig->networks[1]));
    rig->fields[0] = wgw_proxy_field_find(field);
    rig->fields[1] = other ? wgw_proxy_field_find(other) : WGW_PROXY_FIELD_COUNT;
    assert_true(rig->fields[0] < WGW_PROXY_FIELD_COUNT);
    rig->trust = (wgw_trust_t){ rig->networks, 2, rig->fields, other ? 2 : 1 };
}

static void read_value(rig_t *rig, const char *field, const char *value)
{
    set_up(rig, field, NULL);
    rig->input.values[rig->fields[0]] = value;
    wgw_forwarded_read(&rig->trust, &rig->input, &rig->out);
    print_message("%s: %s\n", field, value);
}

static void assert_span(wgw_span_t got, const char *text)
{
    assert_int_equal(got.data != NULL, text != NULL);
    if (text) {
        assert_int_equal(got.len, strlen(text));
        assert_memory_equal(got.data, text, got.len);
    }
}

static void assert_shown(const rig_t *rig, const char *text)
{
    const char *shown = rig->out.values[rig->fields[0]];

    assert_int_equal(shown != NULL, text != NULL);
    if (text)
        assert_string_equal(shown, text);
}

/* --- who the client is ---------------------------------------------------------------- */

typedef struct {
    const char *value, *client; /* client NULL: not said */
    const char *shown;          /* of the field; NULL: nothing */
    bool is_ignored;            /* the value counts as one that is not allowed */
    unsigned port;
} client_case_t;

static void check_clients(const char *field, const client_case_t *cases, size_t count)
{
    rig_t rig;

    for (size_t i = 0; i < count; i++) {
        read_value(&rig, field, cases[i].value);
        assert_true(rig.out.is_trusted);
        assert_string_equal(rig.out.client, cases[i].client ? cases[i].client : "");
        assert_int_equal(rig.out.client_port, cases[i].port);
        assert_shown(&rig, cases[i].shown);
        assert_int_equal(rig.out.ignored != 0, cases[i].is_ignored);
    }
}

static void client_by_x_forwarded_for(void **state)
{
    static const client_case_t CASES[] = {
        { "192.0.2.1", "192.0.2.1", "192.0.2.1", false, 0 },
        { "192.0.2.1:4711", "192.0.2.1", "192.0.2.1:4711", false, 4711 },
        { "2001:DB8::1", "2001:db8::1", "2001:DB8::1", false, 0 },
        { "[2001:db8::1]:80", "2001:db8::1", "[2001:db8::1]:80", false, 80 },
        { "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", false, 0 },
        /* What the client itself has sent stands left of what the proxy has seen. */
        { "127.0.0.1, 192.0.2.1", "192.0.2.1", "192.0.2.1", false, 0 },
        { "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1", "192.0.2.1, 10.0.0.2", false, 0 },
        { "6.6.6.6, 192.0.2.1, 2001:db8:5::1,10.0.0.2", "192.0.2.1",
          "192.0.2.1, 2001:db8:5::1,10.0.0.2", false, 0 },
        { "10.9.9.9, 192.0.2.1", "192.0.2.1", "192.0.2.1", false, 0 },
        { "rubbish, 192.0.2.1", "192.0.2.1", "192.0.2.1", false, 0 },
        { "\", 192.0.2.1", "192.0.2.1", "192.0.2.1", false, 0 },
        { "192.0.2.1, , ,", "192.0.2.1", "192.0.2.1, , ,", false, 0 },
        { "6.6.6.6,,192.0.2.1,,10.0.0.2,", "192.0.2.1", "192.0.2.1,,10.0.0.2,", false, 0 },
        /* All are proxies: the farthest of them has asked. */
        { "10.0.0.3, 10.0.0.2", "10.0.0.3", "10.0.0.3, 10.0.0.2", false, 0 },
        /* It ends where somebody is not named. */
        { "6.6.6.6, unknown, 10.0.0.2", "10.0.0.2", "unknown, 10.0.0.2", false, 0 },
        { "6.6.6.6, _hidden, 10.0.0.2", "10.0.0.2", "_hidden, 10.0.0.2", false, 0 },
        { "6.6.6.6, evil.example, 10.0.0.2", "10.0.0.2", "10.0.0.2", true, 0 },
        { "6.6.6.6, unknown", NULL, NULL, false, 0 },
        { "unknown", NULL, NULL, false, 0 },
        { "_hidden", NULL, NULL, false, 0 },
        { "localhost", NULL, NULL, true, 0 },
        { "6.6.6.6, client.example.org", NULL, NULL, true, 0 },
        { "6.6.6.6, 192.0.2.1:99999", NULL, NULL, true, 0 },
        { "6.6.6.6, \"192.0.2.1\"", NULL, NULL, true, 0 },
        { "for=192.0.2.1", NULL, NULL, true, 0 },
        { "192.0.2.1 10.0.0.2", NULL, NULL, true, 0 },
        { "192.0.2.1;10.0.0.2", NULL, NULL, true, 0 },
        { "", NULL, NULL, false, 0 },
        { " , ", NULL, NULL, false, 0 },
    };

    (void)state;
    check_clients("X-Forwarded-For", CASES, sizeof CASES / sizeof *CASES);
}

static void client_by_forwarded(void **state)
{
    static const client_case_t CASES[] = {
        { "for=192.0.2.1", "192.0.2.1", "for=192.0.2.1", false, 0 },
        { "for=6.6.6.6, For=\"[2001:db8::1]:4711\";proto=http", "2001:db8::1",
          "For=\"[2001:db8::1]:4711\";proto=http", false, 4711 },
        { "for=6.6.6.6, for=192.0.2.1, for=10.0.0.2", "192.0.2.1", "for=192.0.2.1, for=10.0.0.2",
          false, 0 },
        { "for=6.6.6.6, for=\"_secret, yes\", for=10.0.0.2", "10.0.0.2", "for=10.0.0.2", true, 0 },
        { "for=6.6.6.6, for=unknown, for=10.0.0.2", "10.0.0.2", "for=unknown, for=10.0.0.2", false, 0 },
        { "for=6.6.6.6, proto=https, for=10.0.0.2", "10.0.0.2", "proto=https, for=10.0.0.2", false, 0 },
        { "for=\"6.6.6.6, for=192.0.2.1", "192.0.2.1", "for=192.0.2.1", false, 0 },
        { "for=6.6.6.6, for=192.0.2.1;for=6.6.6.6", NULL, NULL, true, 0 },
        { "192.0.2.1", NULL, NULL, true, 0 },
        { "for=example.org", NULL, NULL, true, 0 },
        { "for=_hidden", NULL, NULL, false, 0 },
        { "by=192.0.2.1", NULL, NULL, false, 0 },
    };

    (void)state;
    check_clients("Forwarded", CASES, sizeof CASES / sizeof *CASES);
}

static void client_by_a_single_address(void **state)
{
    static const client_case_t CASES[] = {
        { "192.0.2.1", "192.0.2.1", "192.0.2.1", false, 0 },
        { "\t192.0.2.1:4711 ", "192.0.2.1", "192.0.2.1:4711 ", false, 4711 },
        { "2001:db8::1", "2001:db8::1", "2001:db8::1", false, 0 },
        { "10.0.0.9", "10.0.0.9", "10.0.0.9", false, 0 },
        { "192.0.2.1, 192.0.2.1", NULL, NULL, true, 0 }, /* two fields, of whom? */
        { "6.6.6.6, 192.0.2.1", NULL, NULL, true, 0 },
        { "unknown", NULL, NULL, false, 0 },
        { "client.example.org", NULL, NULL, true, 0 },
    };

    (void)state;
    check_clients("X-Real-IP", CASES, sizeof CASES / sizeof *CASES);
    check_clients("X-Client-IP", CASES, sizeof CASES / sizeof *CASES);
}

/* A client can claim to be behind any number of proxies. */
static void a_list_is_not_read_for_ever(void **state)
{
    enum { COUNT = 100000 };
    char *value = malloc(10 * COUNT + 20), *end = value;
    rig_t rig;

    (void)state;
    end = stpcpy(end, "6.6.6.6");
    for (int i = 0; i < COUNT; i++)
        end = stpcpy(end, ",10.0.0.9");
    read_value(&rig, "X-Forwarded-For", value);
    assert_string_equal(rig.out.client, "10.0.0.9");
    assert_true(strlen(rig.out.values[WGW_PROXY_X_FORWARDED_FOR]) < 500);
    free(value);
}

/* --- the other purposes --------------------------------------------------------------- */

static void host(void **state)
{
    static const char *const RIGHT[][2] = {
        { "a.example", "a.example" },
        { "A-b_c.example.", "A-b_c.example." },
        { "a.example:8443", "a.example:8443" },
        { "192.0.2.1", "192.0.2.1" },
        { "[2001:db8::1]", "[2001:db8::1]" },
        { "[2001:db8::1]:80", "[2001:db8::1]:80" },
        { "evil.example, a.example", "a.example" },
        { "evil.example,a.example ,", "a.example" },
    };
    static const char *const WRONG[] = { "a b", "a.example:", "a.example:0", "a.example:65536",
                                         "a.example:x", ":80", "a..example", ".example", "a/b", "a@b",
                                         "a?b", "a#b", "a\\b", "a%2fb", "http://a.example", "\"a\"",
                                         "a<script>", "\xc3\xa4.example", "2001:db8::1", "[::1", "[]",
                                         "[::1]x", "[1.2.3.4]", "[a.example]", "[fe80::1%eth0]", "a;b" };
    rig_t rig;

    (void)state;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        read_value(&rig, i % 2 ? "X-Host" : "X-Forwarded-Host", RIGHT[i][0]);
        assert_span(rig.out.host, RIGHT[i][1]);
        assert_int_equal(rig.out.ignored, 0);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        read_value(&rig, i % 2 ? "X-Host" : "X-Forwarded-Host", WRONG[i]);
        assert_span(rig.out.host, NULL);
        assert_shown(&rig, NULL);
        assert_true(rig.out.ignored);
    }
}

static void a_host_has_an_end(void **state)
{
    char name[300];
    rig_t rig;

    (void)state;
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    read_value(&rig, "X-Forwarded-Host", name);
    assert_span(rig.out.host, NULL);
    read_value(&rig, "X-Forwarded-Host", name + 1);
    assert_span(rig.out.host, name + 1);
}

static void server_and_port(void **state)
{
    rig_t rig;

    (void)state;
    read_value(&rig, "X-Forwarded-Server", "evil, front.example");
    assert_span(rig.out.server, "front.example");
    assert_shown(&rig, "front.example");
    read_value(&rig, "X-Forwarded-Server", "front.example:80");
    assert_span(rig.out.server, NULL);
    read_value(&rig, "X-Forwarded-Port", "8443");
    assert_int_equal(rig.out.port, 8443);
    read_value(&rig, "X-Forwarded-Port", "1, 443");
    assert_int_equal(rig.out.port, 443);
    static const char *const WRONG[] = { "0", "65536", "-1", "+1", "443x", "0x1bb", "https", "4 43" };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        read_value(&rig, "X-Forwarded-Port", WRONG[i]);
        assert_int_equal(rig.out.port, 0);
        assert_shown(&rig, NULL);
    }
}

static void script(void **state)
{
    static const char *const RIGHT[][2] = { { "/app", "/app" }, { "/a/b/", "/a/b" }, { "/", "" },
                                            { " /app ", "/app" }, { "/\xc3\xa4", "/\xc3\xa4" } };
    static const char *const WRONG[] = { "app", "//evil.example", "/a//b", "/a b", "/a, /b", "/a?b",
                                         "/a#b", "/\\evil.example", "http://evil.example/", "/a\x7f" };
    rig_t rig;

    (void)state;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        read_value(&rig, i % 2 ? "X-Script-Name" : "X-Forwarded-Script-Name", RIGHT[i][0]);
        assert_span(rig.out.script, RIGHT[i][1]);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        read_value(&rig, i % 2 ? "X-Script-Name" : "X-Forwarded-Script-Name", WRONG[i]);
        assert_span(rig.out.script, NULL);
        assert_shown(&rig, NULL);
    }
}

static void scheme(void **state)
{
    static const char *const CASES[][3] = { /* value, of X-Forwarded-Proto, of X-Forwarded-SSL */
        { "http", "http", NULL }, { "HTTPS", "https", NULL }, { "http, https", "https", NULL },
        { "https, http", "http", NULL }, { "httpss", NULL, NULL }, { "http https", NULL, NULL },
        { "javascript", NULL, NULL }, { "wss", NULL, NULL }, { "on", NULL, "https" },
        { "True", NULL, "https" }, { "1", NULL, "https" }, { "yes", NULL, "https" },
        { "Off", NULL, "http" }, { "false", NULL, "http" }, { "0", NULL, "http" },
        { "no", NULL, "http" }, { "2", NULL, NULL },
    };
    static const char *const NAMES[] = { "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Scheme" };
    static const char *const FLAGS[] = { "X-Forwarded-SSL", "X-Forwarded-HTTPS", "X-HTTPS" };
    rig_t rig;

    (void)state;
    for (size_t i = 0; i < 3 * sizeof CASES / sizeof *CASES; i++) {
        const char *const *one = CASES[i / 3];
        read_value(&rig, NAMES[i % 3], one[0]);
        assert_string_equal(rig.out.scheme ? rig.out.scheme : "", one[1] ? one[1] : "");
        read_value(&rig, FLAGS[i % 3], one[0]);
        assert_string_equal(rig.out.scheme ? rig.out.scheme : "", one[2] ? one[2] : "");
        assert_int_equal(rig.out.ignored != 0, one[2] == NULL);
    }
}

/* --- together ------------------------------------------------------------------------- */

/* Every proxy appends to all lists: the element of the one that met the client counts. */
static void lists_belong_together(void **state)
{
    rig_t rig;

    (void)state;
    set_up(&rig, "X-Forwarded-For", "X-Forwarded-Proto");
    rig.input.values[WGW_PROXY_X_FORWARDED_FOR] = "6.6.6.6, 192.0.2.1, 10.0.0.2";
    rig.input.values[WGW_PROXY_X_FORWARDED_PROTO] = "javascript, https, http";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.scheme, "https");
    assert_string_equal(rig.out.values[WGW_PROXY_X_FORWARDED_PROTO], "https, http");
    rig.input.values[WGW_PROXY_X_FORWARDED_PROTO] = "https"; /* set once, then passed on */
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.scheme, "https");
}

static void forwarded_tells_what_the_client_asked_for(void **state)
{
    rig_t rig;

    (void)state;
    read_value(&rig, "Forwarded", "for=6.6.6.6;host=evil.example;proto=http, "
               "for=192.0.2.1;host=\"a.example:8443\";proto=https, for=10.0.0.2;host=inner;proto=http");
    assert_string_equal(rig.out.client, "192.0.2.1");
    assert_span(rig.out.host, "a.example:8443");
    assert_string_equal(rig.out.scheme, "https");
    read_value(&rig, "Forwarded", "for=192.0.2.1;host=\"a/b\";proto=gopher");
    assert_string_equal(rig.out.client, "192.0.2.1");
    assert_span(rig.out.host, NULL);
    assert_null(rig.out.scheme);
    assert_true(rig.out.ignored);
    read_value(&rig, "Forwarded", "for=_hidden;host=a.example;proto=https");
    assert_string_equal(rig.out.client, "");
    assert_span(rig.out.host, "a.example");
    assert_shown(&rig, "for=_hidden;host=a.example;proto=https");
    read_value(&rig, "Forwarded", "for=192.0.2.1;host=a.example;x=\"");
    assert_string_equal(rig.out.client, "");
    assert_span(rig.out.host, NULL);
    assert_shown(&rig, NULL);
}

static void the_first_that_is_there_decides(void **state)
{
    rig_t rig;

    (void)state;
    set_up(&rig, "X-Real-IP", "X-Forwarded-For");
    rig.input.values[WGW_PROXY_X_FORWARDED_FOR] = "192.0.2.2";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "192.0.2.2");
    rig.input.values[WGW_PROXY_X_REAL_IP] = "192.0.2.1";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "192.0.2.1");
    assert_null(rig.out.values[WGW_PROXY_X_FORWARDED_FOR]);
    rig.input.values[WGW_PROXY_X_REAL_IP] = "rubbish";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "");
    assert_int_equal(rig.out.ignored, BIT(X_REAL_IP));
    set_up(&rig, "Forwarded", "X-Forwarded-Proto");
    rig.input.values[WGW_PROXY_FORWARDED] = "for=192.0.2.1"; /* says nothing of a scheme */
    rig.input.values[WGW_PROXY_X_FORWARDED_PROTO] = "https";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "192.0.2.1");
    assert_string_equal(rig.out.scheme, "https");
}

static void all_fields_of_a_purpose_are_governed(void **state)
{
    uint32_t of_client = BIT(FORWARDED) | BIT(X_FORWARDED_FOR) | BIT(X_CLIENT_IP) | BIT(X_REAL_IP);
    rig_t rig;

    (void)state;
    read_value(&rig, "X-Real-IP", "192.0.2.1");
    assert_int_equal(rig.out.governed, of_client);
    read_value(&rig, "X-Forwarded-Port", "80");
    assert_int_equal(rig.out.governed, BIT(X_FORWARDED_PORT));
    read_value(&rig, "Forwarded", "for=192.0.2.1");
    assert_int_equal(rig.out.governed,
                     of_client | BIT(X_FORWARDED_HOST) | BIT(X_HOST) | BIT(X_FORWARDED_PROTO) |
                     BIT(X_FORWARDED_SCHEME) | BIT(X_SCHEME) | BIT(X_FORWARDED_HTTPS) |
                     BIT(X_FORWARDED_SSL) | BIT(X_HTTPS));
}

static void nobody_else_is_believed(void **state)
{
    static const char *const PEERS[] = { "192.0.2.66", "2001:db8:6::1", "::1", "", "/run/a.sock",
                                         "11.0.0.1" };
    rig_t rig;

    (void)state;
    for (size_t i = 0; i < sizeof PEERS / sizeof *PEERS; i++) {
        set_up(&rig, "X-Forwarded-For", "X-Forwarded-Proto");
        rig.input.peer = rig.input.client = PEERS[i];
        rig.input.values[WGW_PROXY_X_FORWARDED_FOR] = "10.0.0.1";
        rig.input.values[WGW_PROXY_X_FORWARDED_PROTO] = "https";
        wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
        assert_false(rig.out.is_trusted);
        assert_string_equal(rig.out.client, "");
        assert_null(rig.out.scheme);
        assert_shown(&rig, NULL);
        assert_true(rig.out.governed & BIT(X_REAL_IP));
    }
    set_up(&rig, "X-Forwarded-Proto", NULL);
    rig.trust.proxy_count = 0;
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_false(rig.out.is_trusted);
}

static void a_peer_may_be_mapped(void **state)
{
    rig_t rig;

    (void)state;
    set_up(&rig, "X-Forwarded-For", NULL);
    rig.input.peer = rig.input.client = "::ffff:10.0.0.1";
    rig.input.values[WGW_PROXY_X_FORWARDED_FOR] = "192.0.2.1";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "192.0.2.1");
}

/* mod_remoteip has taken its part of the list away: what is left is older than its client. */
static void the_server_may_know_the_client(void **state)
{
    rig_t rig;

    (void)state;
    set_up(&rig, "X-Forwarded-For", "X-Forwarded-Proto");
    rig.input.client = "192.0.2.1";
    rig.input.values[WGW_PROXY_X_FORWARDED_FOR] = "6.6.6.6";
    rig.input.values[WGW_PROXY_X_FORWARDED_PROTO] = "https";
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "");
    assert_shown(&rig, NULL);
    assert_string_equal(rig.out.scheme, "https");
    rig.input.client = "10.0.0.2"; /* a proxy that the server does not know */
    wgw_forwarded_read(&rig.trust, &rig.input, &rig.out);
    assert_string_equal(rig.out.client, "6.6.6.6");
}

static void fields_have_names(void **state)
{
    (void)state;
    for (int field = 0; field < WGW_PROXY_FIELD_COUNT; field++)
        assert_int_equal(wgw_proxy_field_find(wgw_proxy_field_name((wgw_proxy_field_t)field)), field);
    assert_int_equal(wgw_proxy_field_find("x-forwarded-for"), WGW_PROXY_X_FORWARDED_FOR);
    assert_int_equal(wgw_proxy_field_find("X-Forwarded"), WGW_PROXY_FIELD_COUNT);
    assert_int_equal(wgw_proxy_field_find(""), WGW_PROXY_FIELD_COUNT);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(client_by_x_forwarded_for),
    cmocka_unit_test(client_by_forwarded),
    cmocka_unit_test(client_by_a_single_address),
    cmocka_unit_test(a_list_is_not_read_for_ever),
    cmocka_unit_test(host),
    cmocka_unit_test(a_host_has_an_end),
    cmocka_unit_test(server_and_port),
    cmocka_unit_test(script),
    cmocka_unit_test(scheme),
    cmocka_unit_test(lists_belong_together),
    cmocka_unit_test(forwarded_tells_what_the_client_asked_for),
    cmocka_unit_test(the_first_that_is_there_decides),
    cmocka_unit_test(all_fields_of_a_purpose_are_governed),
    cmocka_unit_test(nobody_else_is_believed),
    cmocka_unit_test(a_peer_may_be_mapped),
    cmocka_unit_test(the_server_may_know_the_client),
    cmocka_unit_test(fields_have_names),
};

UNIT_GROUP(forwarded_group, tests);
