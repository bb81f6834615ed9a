/*
 * plan.h - what would change: three documents a resource (last applied, file, cloud) to a list of
 * actions. Pure: no I/O, clock or randomness. docs/planning.md is the action table.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "catalog/kind.h"

enum change_action { CHANGE_ADD, CHANGE_UPDATE, CHANGE_REMOVE };

/* One property that differs. */
struct change {
    const char *path; /* "properties.template.containers[clickhouse].image" */
    enum change_action action;
    const json_t *old_value; /* borrowed from the inputs' copies in the arena; NULL if absent */
    const json_t *new_value; /* may hold {"$secret"} and {"$unknown"} */
    bool is_secret;          /* shown as (secret) */
    bool forces_replacement;
    const char *reason; /* "cannot be changed after creation", or NULL */
};

struct change_list {
    struct change *items;
    size_t count;
};

struct diff_input {
    const struct kind *kind; /* NULL: general rules alone */
    const json_t *desired;   /* resolved document as it would be sent */
    const json_t *
            desired_stored; /* as expr_stored gives it: digests of secrets; NULL: compare without */
    const json_t *last_applied; /* from the state, or NULL */
    const json_t *actual;       /* as GET returned it */
};

/* The differences that apply would make, and (in *ret_drift, may be NULL) those made by others. */
void plan_diff(struct arena *arena, const struct diff_input *in, struct change_list *ret,
        struct change_list *ret_drift);
/*
 * The merge patch (RFC 7396) that turns the resource into `desired`: only what changes, null for
 * what was removed, lists whole; write-only members that the service wants with every write come
 * along. Owned.
 */
MUST_CHECK json_t *plan_merge_patch(const struct diff_input *in, const struct change_list *changes);

enum plan_action {
    PLAN_NONE, /* as it should be */
    PLAN_CREATE,
    PLAN_UPDATE,
    PLAN_REPLACE, /* delete, then create */
    PLAN_DELETE,
    PLAN_MOVE,    /* the same id under a new address: the state is changed, the cloud is not */
    PLAN_ADOPT,   /* is there, is not in the state, and is to be taken over */
    PLAN_READ,    /* existing: somebody else's */
    PLAN_FORGET,  /* in the state, gone from the cloud and from the file */
    PLAN_UNKNOWN, /* could not be compared (403): `reason` says why */
};

const char *plan_action_name(enum plan_action action);

#endif
