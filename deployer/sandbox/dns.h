/*
 * dns.h - the private DNS zones that are linked to a virtual network, served by one dnsmasq on
 * 127.0.0.1: A records, the records of private endpoints' zone groups, and for each public name
 * what Azure's own DNS would say (a CNAME into the privatelink zone; outside of it a public
 * address). dnsmasq does not read such lines again on a signal: it is restarted.
 */
#ifndef SANDBOX_DNS_H
#define SANDBOX_DNS_H

#include "sandbox/backend_core.h"

extern const struct driver driver_dns_zone;
extern const struct driver driver_dns_a;
extern const struct driver driver_dns_link;
extern const struct driver driver_dns_group;

/* Takes a port. */
MUST_CHECK struct err *dns_open(struct backend *b, struct dns **ret);
/* NULL is accepted. */
void dns_close(struct dns *d);
/* Restarts it where the records changed; resources of DNS are ready once it answers with them. */
void dns_tick(struct backend *b);
void dns_report(const struct dns *d, json_t *list);
/* Whether a zone is linked to a network that exists, and whether it holds any A record. */
bool dns_zone_is_linked(struct backend *b, const struct entry *zone);
bool dns_zone_has_records(struct backend *b, const struct entry *zone);
/* Whether a service lets in who comes from the internet: no publicNetworkAccess says otherwise. */
bool dns_is_public(struct backend *b, const struct entry *e);
/* "127.0.0.1:PORT". */
const char *dns_address(const struct dns *d);
/* The lines for all that is known now; sorted, without repetition. Pure. */
void dns_add_records(struct backend *b, struct buf *out);

#endif
