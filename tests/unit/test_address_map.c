#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "base/address_map.h"

static void maps_networks_and_ports(void **state)
{
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        { "10.20.0.5", "127.20.0.5" },
        { "10.255.255.255", "127.255.255.255" },
        { "172.16.3.4", "127.99.3.4" },
        { "11.0.0.1", NULL },
    };
    struct address_map map = { .count = 0 };
    AUTO(err)
    struct err *e = address_map_parse(
            &map, STR("10.0.0.0/8=127.0.0.0/8, 172.16.0.0/16=127.99.0.0/16,:443=:10443"));

    (void)state;
    assert_null(e);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct in_addr in;
        struct in_addr out = { 0 };
        char text[INET_ADDRSTRLEN];

        inet_pton(AF_INET, rows[i].from, &in);
        assert_int_equal(address_map_apply(&map, in, &out), rows[i].to != NULL);
        if (rows[i].to != NULL)
            assert_string_equal(inet_ntop(AF_INET, &out, text, sizeof(text)), rows[i].to);
    }
    assert_int_equal(address_map_port(&map, 443), 10443);
    assert_int_equal(address_map_port(&map, 80), 80);
}

static void refuses_what_is_no_map(void **state)
{
    static const char *const rows[] = { "10.0.0.0/8", "10.0.0.0/8=127.0.0.0/16", "x/8=127.0.0.0/8",
        "10.0.0.0/33=127.0.0.0/33", ":443", ":443=10443", ":0=:1", ":443=:70000", "" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address_map map = { .count = 0 };
        AUTO(err) struct err *e = address_map_parse(&map, str_of(rows[i]));

        if (e == NULL)
            fail_msg("'%s' was accepted", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_networks_and_ports),
        cmocka_unit_test(refuses_what_is_no_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
