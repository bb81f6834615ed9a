/*
 * listing.h - collections: all of a type below a scope, all of a group's resources; in pages.
 */
#ifndef SANDBOX_LISTING_H
#define SANDBOX_LISTING_H

#include "sandbox/sandbox.h"

/* c->rid is a collection, c->kind its type. */
MUST_CHECK struct err *listing_type(struct call *c);
/* All records of a zone and the like: `types` below c->rid's parent. */
MUST_CHECK struct err *listing_types(struct call *c, const json_t *types);
/* GET .../resources of a subscription or (group_key not NULL) a group, with $filter and $expand. */
MUST_CHECK struct err *listing_resources(struct call *c, const char *group_key);
MUST_CHECK struct err *listing_groups(struct call *c);

#endif
