/*
 * id.h - ARM's resource ids: made, compared and taken apart by segments. Pure.
 *   /subscriptions/S/resourceGroups/G/providers/NS/TYPE/NAME[/TYPE/NAME...], and as extension
 *   PARENT_ID/providers/NS/TYPE/NAME: the last "providers" decides.
 * Servers change the case of every part, so equality is without case; what is shown and sent keeps
 * the case it was made with.
 */
#ifndef ARM_ID_H
#define ARM_ID_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"
#include "catalog/kind.h"

/* Lower case, percent-decoded, one slash between segments, none at the end. Owned. */
MUST_CHECK char *arm_id_normal(const char *id);
bool arm_id_same(const char *a, const char *b);
/* Borrowed from id: the last segment. */
struct str arm_id_name(const char *id);
/* The namespace behind the last "providers"; empty for a resource group. Borrowed. */
struct str arm_id_namespace(const char *id);
/* Without its last pair of segments (and "providers/NS" where that ends with it). Owned; NULL for
 * an id without a parent. */
MUST_CHECK char *arm_id_parent(const char *id);
/* Without its last segment: where its like are listed. Owned. */
MUST_CHECK char *arm_id_collection(const char *id);
/* The value behind a literal segment ("resourceGroups"), empty if there is none. Borrowed. */
struct str arm_id_part(const char *id, const char *literal);
/* Adds the id as the path of a URL: each segment percent-encoded, one slash between them. */
void arm_id_add_url(struct buf *out, const char *id);

struct arm_id_parts {
    const char *subscription;
    const char *resource_group;
    const char *parent; /* or scope; NULL if the kind needs none */
};
/* Owned; NULL where the kind's scope needs a part that is NULL. */
MUST_CHECK char *arm_id_make(const struct kind *k, const struct arm_id_parts *p, const char *name);
/*
 * The path (and perhaps query, without api-version) of the collection that holds `id`: the kind's
 * template with {parent}, {scope}, {subscription}, {group} replaced, or the id without its name.
 * Owned.
 */
MUST_CHECK char *arm_id_list_url(const struct kind *k, const char *id);

#endif
