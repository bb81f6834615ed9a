/*
 * endpoints.h - the addresses under which the network reaches what runs: private endpoints and the
 * ingress of container environments, as rules of the relay. Computed anew from the resources
 * whenever one of them, or a serving replica, changed.
 */
#ifndef SANDBOX_ENDPOINTS_H
#define SANDBOX_ENDPOINTS_H

#include "sandbox/backend_core.h"

extern const struct driver driver_endpoint;

/* The address ("10.a.b.c") of a private endpoint on this resource or its parent; owned, or NULL. */
MUST_CHECK char *endpoints_address_of(struct backend *b, const char *id);
/* The addresses of a private endpoint, borrowed texts of its document; NULL when it has none. */
const char *endpoints_ip(const json_t *endpoint);
/* The resource it leads to and the group; borrowed, NULL when absent. */
const char *endpoints_target(const json_t *endpoint);
const char *endpoints_group(const json_t *endpoint);
/* Adds "address", "mapped" and, where there are several, "endpoints" to a service's report row. */
void endpoints_describe(struct backend *b, const char *id, json_t *row);
/* Gives the relay its rules where they changed. */
void endpoints_tick(struct backend *b);

#endif
