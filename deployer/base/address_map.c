#include "base/address_map.h"

#include <arpa/inet.h>

#include "base/alloc.h"
#include "base/num.h"

static uint32_t mask_of(unsigned prefix)
{
    return prefix == 0 ? 0 : ~(uint32_t)0 << (32 - prefix);
}

static struct err *parse_network(struct str text, uint32_t *ret_address, unsigned *ret_prefix)
{
    struct str rest = text;
    AUTO(free) char *address = str_dup(str_cut(&rest, '/'));
    struct in_addr in;
    int64_t prefix = 32;

    if (inet_pton(AF_INET, address, &in) != 1)
        return err_new(
                ERR_USAGE, 0, "'%.*s' is not an IPv4 network such as 10.0.0.0/8", STR_ARG(text));
    if (rest.p != NULL)
        TRY(num_parse_i64(rest, 0, 32, &prefix));
    *ret_prefix = (unsigned)prefix;
    *ret_address = ntohl(in.s_addr) & mask_of(*ret_prefix);
    return NULL;
}

static struct err *parse_rule(struct str text, struct address_rule *ret)
{
    struct str to = text;
    const struct str from = str_cut(&to, '=');
    unsigned to_prefix = 0;

    if (to.p == NULL)
        return err_new(ERR_USAGE, 0,
                "address map '%.*s' is not FROM/N=TO/N, such as 10.0.0.0/8=127.0.0.0/8",
                STR_ARG(text));
    TRY(parse_network(from, &ret->from, &ret->prefix));
    TRY(parse_network(to, &ret->to, &to_prefix));
    if (to_prefix != ret->prefix)
        return err_new(ERR_USAGE, 0, "address map '%.*s': both sides need the same prefix length",
                STR_ARG(text));
    return NULL;
}

static struct err *parse_port(struct str text, uint16_t *ret)
{
    int64_t port = 0;

    if (!str_starts(text, STR(":")))
        return err_new(
                ERR_USAGE, 0, "address map: '%.*s' is not a port such as :443", STR_ARG(text));
    TRY(num_parse_i64(str_slice(text, 1, text.len), 1, UINT16_MAX, &port));
    *ret = (uint16_t)port;
    return NULL;
}

static struct err *parse_port_rule(struct str text, struct address_port *ret)
{
    struct str to = text;
    const struct str from = str_cut(&to, '=');

    if (to.p == NULL)
        return err_new(ERR_USAGE, 0, "address map '%.*s' is not :FROM=:TO, such as :443=:8443",
                STR_ARG(text));
    TRY(parse_port(from, &ret->from));
    return parse_port(to, &ret->to);
}

struct err *address_map_parse(struct address_map *map, struct str text)
{
    while (text.p != NULL) {
        const struct str rule = str_trim(str_cut(&text, ','));
        const bool is_port = str_starts(rule, STR(":"));

        if ((is_port ? map->port_count : map->count) == ADDRESS_MAP_RULES_MAX)
            return err_new(ERR_LIMIT, 0, "address map: more than %u rules for %s",
                    ADDRESS_MAP_RULES_MAX, is_port ? "ports" : "addresses");
        if (is_port)
            TRY(parse_port_rule(rule, &map->ports[map->port_count]));
        else
            TRY(parse_rule(rule, &map->rules[map->count]));
        map->port_count += is_port ? 1 : 0;
        map->count += is_port ? 0 : 1;
    }
    return NULL;
}

uint16_t address_map_port(const struct address_map *map, uint16_t port)
{
    for (size_t i = 0; i < map->port_count; i++) {
        if (map->ports[i].from == port)
            return map->ports[i].to;
    }
    return port;
}

bool address_map_apply(const struct address_map *map, struct in_addr address, struct in_addr *ret)
{
    const uint32_t host = ntohl(address.s_addr);

    for (size_t i = 0; i < map->count; i++) {
        const struct address_rule *r = &map->rules[i];
        const uint32_t mask = mask_of(r->prefix);

        if ((host & mask) == r->from) {
            ret->s_addr = htonl(r->to | (host & ~mask));
            return true;
        }
    }
    return false;
}
