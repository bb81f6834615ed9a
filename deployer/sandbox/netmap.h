/*
 * netmap.h - where on the loopback network this sandbox lives. ARM and DNS say 10.a.b.c, processes
 * listen on 127.a'.b.c. The first sandbox has a' = a; each further one on the same machine takes
 * another of 16 slots, in which the upper half of a is changed (xor 16 times the slot), so that two
 * sandboxes with the same networks do not meet. Processes of its own (servers, replicas) listen
 * on addresses of 127.255.0.0/16, one range a slot.
 */
#ifndef SANDBOX_NETMAP_H
#define SANDBOX_NETMAP_H

#include <stdbool.h>

#include "base/err.h"

struct netmap;

/* Takes the first free slot. ERR_LIMIT when all 16 are taken. */
MUST_CHECK struct err *netmap_open(struct netmap **ret);
/* NULL is accepted. */
void netmap_close(struct netmap *m);
/*
 * "10.0.0.0/8=127.0.0.0/8", or for later slots 16 rules of /12; for an ordinary user also the ports
 * that stand in for privileged ones; as base/address_map.h reads it.
 */
const char *netmap_rules(const struct netmap *m);
/* "10.20.0.5" -> "127.20.0.5"; other addresses come back as they are. Owned; NULL: no IPv4. */
MUST_CHECK char *netmap_apply(const struct netmap *m, const char *address);
/* An own address on which nothing listens at `port` (0: any). Owned. ERR_LIMIT: none free. */
MUST_CHECK struct err *netmap_take(struct netmap *m, int port, char **ret);
void netmap_give_back(struct netmap *m, const char *address);
/* A free TCP and UDP port of 127.0.0.1. */
MUST_CHECK struct err *netmap_free_port(int *ret);
/* Whether this process may listen on it; else the port that stands in for it is returned too. */
bool netmap_may_listen(int port, int *ret_other);

#endif
