/*
 * address.h - IPv4 ranges: whether one lies in another, and free addresses of a subnet.
 */
#ifndef SANDBOX_ADDRESS_H
#define SANDBOX_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/sandbox.h"

struct address_range {
    uint32_t first, last;
    int bits;
};

/* "10.1.0.0/16". False for anything else (IPv6 too). */
bool address_parse(const char *cidr, struct address_range *ret);
bool address_contains(const struct address_range *outer, const struct address_range *inner);
bool address_overlaps(const struct address_range *a, const struct address_range *b);
/* The subnet's (first) prefix. */
bool address_of_subnet(const struct resource *subnet, struct address_range *ret);
/*
 * A free address of the subnet, remembered in r->hidden under `what`: asked again it is the same.
 * The first four addresses are Azure's. Owned text; NULL when the subnet is full or not there.
 */
MUST_CHECK char *address_take(
        struct sandbox *s, struct resource *r, const char *what, const char *subnet_id);

#endif
