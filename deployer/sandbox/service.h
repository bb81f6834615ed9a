/*
 * service.h - a server process behind a resource, as its recipe says: prepared once, configured,
 * started, waited for until it answers its own protocol, applied to; restarted when what it was
 * started with changes. And what belongs to it: databases, containers (children of the recipe).
 */
#ifndef SANDBOX_SERVICE_H
#define SANDBOX_SERVICE_H

#include "sandbox/backend_core.h"

extern const struct driver driver_service;
extern const struct driver driver_service_child;

/* Where a private endpoint's group leads. */
struct service_endpoint {
    const char *address; /* the server's own, "127.255.x.y"; borrowed */
    int port;            /* the server's */
    int public_port;     /* the one that clients use at the endpoint */
    const char *host;    /* the name that its certificate has; borrowed */
};

/*
 * The endpoint of the service at `id` or below it for a private endpoint's group. False while
 * there is none (no such service, not started yet).
 */
bool service_find_endpoint(
        struct backend *b, const char *id, const char *group, struct service_endpoint *ret);
/* Whether `e` is a running service: its endpoint for its own, public name. */
bool service_own_endpoint(const struct entry *e, struct service_endpoint *ret);

#endif
