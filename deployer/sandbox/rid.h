/*
 * rid.h - resource ids: the path of a request read as scope, namespace, types and names.
 *   /subscriptions/S/resourceGroups/G/providers/NS/type/name/type/name
 *   {any resource}/providers/NS/type/name        an extension of that resource
 */
#ifndef SANDBOX_RID_H
#define SANDBOX_RID_H

#include <stdbool.h>

#include "base/arena.h"

struct rid {
    const char *id;           /* as the caller spelt it, "resourceGroups" and the like corrected */
    const char *key;          /* lower case: what the store is ordered by */
    const char *subscription; /* NULL at tenant level */
    const char *group;        /* NULL outside a group */
    const char *ns;           /* "Microsoft.App"; NULL for a subscription or a group */
    const char *type;         /* "Microsoft.App/containerApps", children joined by slashes */
    const char *name;         /* the last one; NULL for a collection */
    const char *scope_key;    /* what the outermost type hangs on, lower case; "" for the tenant */
    const char *parent_key;   /* the parent resource of a child, the scope of any other */
    bool is_collection;       /* ends in a type */
    bool is_child;            /* a nested type: its parent is a resource of the same namespace */
};

/* Reads the first `count` segments. False if they are no id of the forms above. */
bool rid_parse(struct arena *arena, const char *const *segments, size_t count, struct rid *ret);
/* From a text; false as above. */
bool rid_parse_text(struct arena *arena, const char *id, struct rid *ret);
/* Lower case, in the arena. */
const char *rid_key(struct arena *arena, const char *id);

#endif
