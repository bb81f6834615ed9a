/*
 * resources.h - the verbs on one resource: PUT, PATCH, GET, HEAD, DELETE, POST actions.
 * Each answers into the call's reply or returns a refusal.
 */
#ifndef SANDBOX_RESOURCES_H
#define SANDBOX_RESOURCES_H

#include "sandbox/sandbox.h"

MUST_CHECK struct err *resource_put(struct call *c);
MUST_CHECK struct err *resource_patch(struct call *c);
MUST_CHECK struct err *resource_get(struct call *c);
MUST_CHECK struct err *resource_delete(struct call *c);
/* `sub` is the path below the resource, "listKeys". */
MUST_CHECK struct err *resource_action(struct call *c, const char *sub);

/* The operation's end: the resource is there, failed or gone. */
void resource_finish(struct sandbox *s, struct operation *op);
/* Removes it and all below it at once: the backend is told, deleted vaults are kept. */
void resource_remove_tree(struct sandbox *s, const char *key);
/* Tells the backend of a resource as it is now. */
void resource_announce(struct sandbox *s, const struct resource *r);
/* What the kind makes at creation and computes at each write; then the hooks. */
void resource_make(struct sandbox *s, struct resource *r, bool is_new);

#endif
