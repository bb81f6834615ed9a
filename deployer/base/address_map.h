/*
 * address_map.h - translates addresses at the moment of dialling: "10.0.0.0/8=127.0.0.0/8" keeps
 * the host part and changes the network part. Generic and off unless it is given; evidence shows
 * both addresses.
 */
#ifndef BASE_ADDRESS_MAP_H
#define BASE_ADDRESS_MAP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define ADDRESS_MAP_RULES_MAX 16u

struct address_rule {
    uint32_t from; /* host byte order */
    uint32_t to;
    unsigned prefix; /* bits */
};

struct address_port {
    uint16_t from;
    uint16_t to;
};

struct address_map {
    struct address_rule rules[ADDRESS_MAP_RULES_MAX];
    size_t count;
    struct address_port ports[ADDRESS_MAP_RULES_MAX];
    size_t port_count;
};

/* Adds the rules of "FROM/N=TO/N" (IPv4, equal prefixes) and ":FROM=:TO", [,...]. ERR_USAGE else.
 */
MUST_CHECK struct err *address_map_parse(struct address_map *map, struct str text);
/* The first rule that holds wins; false and *ret untouched where none does. */
bool address_map_apply(const struct address_map *map, struct in_addr address, struct in_addr *ret);
/* The port to dial at a mapped address in place of `port` (which it is without a rule). */
uint16_t address_map_port(const struct address_map *map, uint16_t port);

#endif
