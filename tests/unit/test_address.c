#include "unit.h"

#include <stdlib.h>

#include "base/address.h"

/* What an address reads as, in its shortest form; NULL: it is not one. */
static void only_literals_are_addresses(void **state)
{
    static const char *const CASES[][2] = {
        { "192.0.2.1", "192.0.2.1" },
        { "0.0.0.0", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255" },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
        { "::", "::" },
        { "::1", "::1" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "::FFFF:c000:201", "192.0.2.1" },
        { "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
        { "", NULL },
        { "localhost", NULL },
        { "example.org", NULL },
        { "dead.beef", NULL }, /* a name of hexadecimal digits */
        { "192.0.2", NULL },
        { "192.0.2.1.", NULL },
        { "192.0.2.256", NULL },
        { "192.0.2.01", NULL }, /* octal for some, decimal for others */
        { "0x7f.0.0.1", NULL },
        { "2130706433", NULL },
        { " 192.0.2.1", NULL },
        { "192.0.2.1 ", NULL },
        { "192.0.2.1:80", NULL },
        { "[::1]", NULL },
        { "fe80::1%eth0", NULL },
        { "1:2:3:4:5:6:7:8:9", NULL },
        { ":::", NULL },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
    };
    wgw_address_t address;
    char text[WGW_ADDRESS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *copy = unit_copy(CASES[i][0], strlen(CASES[i][0])); /* without a NUL */
        print_message("%s\n", CASES[i][0]);
        assert_int_equal(wgw_address_read(copy, strlen(CASES[i][0]), &address), CASES[i][1] != NULL);
        wgw_address_print(&address, text);
        if (CASES[i][1])
            assert_string_equal(text, CASES[i][1]);
        free(copy);
    }
    assert_false(wgw_address_read("192.0.2.1\0", 10, &address));
}

static void networks_are_checked(void **state)
{
    static const char *const RIGHT[] = { "*", "192.0.2.1", "192.0.2.0/24", "192.0.2.77/24", "0.0.0.0/0",
                                         "::/0", "2001:db8::/32", "192.0.2.0/255.255.255.0",
                                         "10.0.0.0/0.0.0.0", "10.0.0.0/255.255.255.255",
                                         "::ffff:10.0.0.0/104" };
    static const char *const WRONG[] = { "", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "::/129",
                                         "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/8x", "10/8",
                                         "192.0.2.0/0x8", "192.0.2.0/255.0.255.0", "localhost", "**",
                                         "example.org/24", "[::1]", "::1/255.255.255.0", "1.2.3.4/24/8",
                                         "1.2.3.4/99999999999", "*/0", "10.0.0.*", "192.0.2.1:80" };
    wgw_network_t network;

    (void)state;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++)
        assert_true(wgw_network_read(RIGHT[i], &network));
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        print_message("%s\n", WRONG[i]);
        assert_false(wgw_network_read(WRONG[i], &network));
    }
}

static bool is_in(const char *text, const char *address_text)
{
    wgw_network_t network;
    wgw_address_t address;

    assert_true(wgw_network_read(text, &network));
    wgw_address_read(address_text, strlen(address_text), &address);
    return wgw_networks_contain(&network, 1, &address);
}

static void addresses_are_in_networks(void **state)
{
    (void)state;
    assert_true(is_in("192.0.2.1", "192.0.2.1"));
    assert_false(is_in("192.0.2.1", "192.0.2.2"));
    assert_true(is_in("192.0.2.77/24", "192.0.2.255"));
    assert_false(is_in("192.0.2.0/24", "192.0.3.0"));
    assert_true(is_in("10.0.0.0/255.0.0.0", "10.255.0.1"));
    assert_true(is_in("172.16.0.0/12", "172.31.255.255"));
    assert_false(is_in("172.16.0.0/12", "172.32.0.0"));
    assert_true(is_in("128.0.0.0/1", "255.0.0.1"));
    assert_false(is_in("128.0.0.0/1", "127.0.0.1"));
    assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(is_in("::1", "::1"));
    assert_true(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(is_in("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(is_in("::ffff:10.0.0.0/104", "11.1.2.3"));
    assert_true(is_in("0.0.0.0/0", "192.0.2.1"));
    assert_false(is_in("0.0.0.0/0", "2001:db8::1"));
    assert_true(is_in("::/0", "2001:db8::1"));
    assert_false(is_in("::/0", "192.0.2.1"));
}

static void everybody_is_also_who_has_no_address(void **state)
{
    (void)state;
    assert_true(is_in("*", "192.0.2.1"));
    assert_true(is_in("*", "2001:db8::1"));
    assert_true(is_in("*", "/run/a.sock"));
    assert_false(is_in("0.0.0.0/0", "/run/a.sock"));
    assert_false(is_in("::/0", ""));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_literals_are_addresses),
    cmocka_unit_test(networks_are_checked),
    cmocka_unit_test(addresses_are_in_networks),
    cmocka_unit_test(everybody_is_also_who_has_no_address),
};

UNIT_GROUP(address_group, tests);
