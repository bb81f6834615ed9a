/*
 * rules.h - a set of relay rules while it is put together: owned texts, comparable with the set
 * before.
 */
#ifndef SANDBOX_RULES_H
#define SANDBOX_RULES_H

#include <stdbool.h>

#include <jansson.h>

#include "sandbox/relay.h"

struct rules {
    json_t *list; /* as JSON: easily compared and built */
};

void rules_init(struct rules *r);
void rules_release(struct rules *r);
bool rules_equal(const struct rules *a, const struct rules *b);
/* Begins a rule; a second one for the same address and port is left out (its targets too). */
void rules_add_tcp(struct rules *r, const char *address, int port);
void rules_add_http(struct rules *r, const char *address, int port, const char *cert_path,
        const char *key_path);
/* Begins a host of the HTTP rule begun last. */
void rules_add_host(struct rules *r, const char *host, bool redirects);
/* A target of the host or TCP rule begun last. */
void rules_add_target(struct rules *r, const char *address, int port);
void rules_apply(const struct rules *r, struct relay *relay);

#endif
