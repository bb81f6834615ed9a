/*
 * checks.h - what must hold before a write is accepted: groups, parents, references, locks,
 * preconditions, nobody else at work.
 */
#ifndef SANDBOX_CHECKS_H
#define SANDBOX_CHECKS_H

#include "sandbox/sandbox.h"

/* 404 ResourceGroupNotFound, ParentResourceNotFound, 409 MissingSubscriptionRegistration ... */
MUST_CHECK struct err *checks_scope(const struct call *c, const char *verb);
/* 409 ScopeLocked. */
MUST_CHECK struct err *checks_locks(const struct call *c, const char *key, bool is_delete);
/* If-Match, If-None-Match: 412. `old` may be NULL. */
MUST_CHECK struct err *checks_preconditions(const struct call *c, const struct resource *old);
/* Another operation runs where the kind allows one at a time. */
MUST_CHECK struct err *checks_busy(const struct call *c);
/* Every reference of the document must exist. */
MUST_CHECK struct err *checks_refs(const struct call *c, const json_t *doc);
/* Nothing that must not be orphaned refers to this one (`guards` of the kind). */
MUST_CHECK struct err *checks_unused(const struct sandbox *s, const struct resource *r);
/* The name is taken elsewhere, by a living or a soft-deleted one. */
MUST_CHECK struct err *checks_name_free(const struct call *c, const json_t *body);
/* Whether any value at `path` ("properties.subnets[].id") of `doc` is this id. */
bool checks_mentions(const json_t *doc, const char *path, const char *key);
/* The group's own words for a resource that isn't there. */
MUST_CHECK struct err *checks_not_found(const struct call *c);

#endif
