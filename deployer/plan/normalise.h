/*
 * normalise.h - when two spellings are one value. The general rules of ARM (docs/planning.md lists
 * them, from the bicep and azapi clients' experience) and what a kind says of a property. Pure.
 */
#ifndef PLAN_NORMALISE_H
#define PLAN_NORMALISE_H

#include <stdbool.h>

#include <jansson.h>

#include "base/str.h"
#include "catalog/kind.h"

/* Where a value stands, as far as the rules need it. */
struct norm_place {
    const struct kind_property *property; /* NULL: general rules */
    const char *key;                      /* the member's name; of a list's element: the list's */
    const char *parent;                   /* the name of the member above, "" at the root */
    bool is_free;                         /* below tags and the like: every letter counts */
    bool is_element;                      /* of a list */
};

/* null, "", 0, false, [], {}, or absent. */
bool norm_is_empty(const json_t *j);
/* null, "", [], {}, or absent: what servers put where nothing is. */
bool norm_is_blank(const json_t *j);
/* "****", "<redacted>": what some services answer in place of a secret. */
bool norm_is_masked(const json_t *j);
/* Likewise, or a name in brackets ("<httpTriggerUrl>") where a secret would stand. */
bool norm_is_placeholder(const json_t *j);
/* Whether a scalar that is wanted and one that is there are the same. */
bool norm_equal(const struct norm_place *p, const json_t *desired, const json_t *actual);
/* Whether both are ids of one resource: by segments without case. */
bool norm_same_id(const char *a, const char *b);
bool norm_is_id(const char *s);
/* Whether it is the id of a resource below another one. */
bool norm_is_child(const char *id);
/* A member that is called like a secret ("administratorLoginPassword", "sharedKey"). */
bool norm_is_secret_name(const char *key);
/* Likewise by where it stands: the `value` of a list of secrets. */
bool norm_is_secret_place(const char *key, const char *parent);
/* A member that counts at creation only, by its name ("createMode"). */
bool norm_is_create_name(const char *key);
/* A member that the server sets by itself, anywhere ("provisioningState", "etag"). */
bool norm_is_server_name(const char *key);
/* A member of the root that is no part of what is sent ("id", "name", "type"). */
bool norm_is_envelope_name(const char *key);

#endif
