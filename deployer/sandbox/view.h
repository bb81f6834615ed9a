/*
 * view.h - a resource as GET shows it: what was set, what the service made, its children inline
 * where the type has them so, ids of sub-resources, no secrets.
 */
#ifndef SANDBOX_VIEW_H
#define SANDBOX_VIEW_H

#include "sandbox/sandbox.h"

/* Owned. */
MUST_CHECK json_t *view_resource(struct sandbox *s, const struct resource *r);
/* As /resources lists it: no properties. Owned. */
MUST_CHECK json_t *view_brief(const struct resource *r, const char *expand);
/*
 * What templates of a kind's file may name: id, name, lower (the name), location, region (without
 * blanks), subscription, group, tenant, parent (document), hidden, doc and made merged as `self`.
 */
MUST_CHECK json_t *view_context(struct sandbox *s, const struct resource *r);
/* "East US" -> "eastus"; owned. */
MUST_CHECK char *view_region(const char *location);

#endif
