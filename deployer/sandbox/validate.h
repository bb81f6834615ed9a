/*
 * validate.h - a request body judged and cleaned by a kind's knowledge: what a service would refuse
 * is refused with a message like its own, what it would drop is dropped, what it would default
 * or rewrite is. Pure.
 */
#ifndef SANDBOX_VALIDATE_H
#define SANDBOX_VALIDATE_H

#include "base/arena.h"
#include "sandbox/kinds.h"

struct validate_request {
    struct arena *arena;
    const struct kind *kind;
    const json_t *body;  /* as sent, or old document and patch merged */
    const json_t *old;   /* the stored document, NULL when created */
    bool may_be_unknown; /* texts such as "[length('foo')]" stand for any value */
};

/*
 * The document to keep (without id, name, type, location, tags; those are the caller's), owned.
 * Refusals: unknown, missing, mistyped or immutable properties.
 */
MUST_CHECK struct err *validate_body(const struct validate_request *q, json_t **ret);
/* `name` against the kind's rule: 400. */
MUST_CHECK struct err *validate_name(const struct kind *kind, const char *name);
/* Calls fn for every text of `doc` that is a reference to a resource; stops at the first error. */
MUST_CHECK struct err *validate_each_ref(const struct kind *kind, const json_t *doc,
        struct err *(*fn)(void *arg, const char *path, const char *id), void *arg);
/* A copy of the document without what is never shown; owned. */
MUST_CHECK json_t *validate_public(const struct kind *kind, const json_t *doc);

#endif
