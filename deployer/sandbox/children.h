/*
 * children.h - resources that come with another: members of a document that are children with ids
 * of their own (subnets), and what exists as soon as the parent does (blobServices/default).
 */
#ifndef SANDBOX_CHILDREN_H
#define SANDBOX_CHILDREN_H

#include "sandbox/sandbox.h"

/* Moves the inline members of `doc` into children; those no longer named go. */
MUST_CHECK struct err *children_split(struct call *c, json_t *doc, json_t **ret_moved);
void children_place(struct call *c, struct resource *r, const json_t *moved);
/* Makes the implicit ones of a new resource. */
void children_add_implicit(struct sandbox *s, struct resource *r);

#endif
