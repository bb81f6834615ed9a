/*
 * relay.h - carries connections from the addresses that clients are told (private endpoints, a
 * container environment's ingress) to the local processes behind them. A thread of its own; the
 * rules are given as a whole and may change at any time. A plain TCP rule passes bytes on; an HTTP
 * rule reads the first request's head to choose by Host, and ends TLS where it has a certificate.
 */
#ifndef SANDBOX_RELAY_H
#define SANDBOX_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct relay;

enum relay_kind { RELAY_TCP, RELAY_HTTP, RELAY_HTTPS };

struct relay_target {
    const char *address;
    int port;
};

/* Where requests for one host go. A TCP rule has exactly one, with host NULL. */
struct relay_route {
    const char *host;
    bool redirects; /* plain HTTP is answered with a redirect to https */
    const struct relay_target *targets;
    size_t target_count;
};

struct relay_rule {
    const char *address;
    int port;
    enum relay_kind kind;
    const char *cert_path, *key_path; /* RELAY_HTTPS */
    const struct relay_route *routes;
    size_t route_count;
};

MUST_CHECK struct err *relay_open(struct relay **ret);
/* Closes every connection and ends the thread. NULL is accepted. */
void relay_close(struct relay *r);
/* Replaces all rules; everything is copied. Connections under way stay. */
void relay_set(struct relay *r, const struct relay_rule *rules, size_t count);
/* 0 when it listens there, else errno of the attempt (EADDRINUSE), ENOENT: no such rule. */
int relay_state(const struct relay *r, const char *address, int port);

#endif
