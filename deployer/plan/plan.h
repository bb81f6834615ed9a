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
#include "base/err.h"
#include "base/str.h"
#include "catalog/kind.h"
#include "catalog/model.h"

enum change_action { CHANGE_ADD, CHANGE_UPDATE, CHANGE_REMOVE };

/* One property that differs. */
struct change {
    const char *path; /* "properties.template.containers[clickhouse].image" */
    enum change_action action;
    const json_t
            *old_value; /* borrowed from the inputs (drift: or from the arena); NULL if absent */
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
    const json_t *observed;     /* the entry's "observed", for drift; or NULL */
    /*
     * What the kind's `resend` actions answered, each as a list, secrets as {"$secret"}; NULL: not
     * asked. Then elements of others go along as far as they are known.
     */
    const json_t *told;
    bool has_moved; /* another address: the tag that names it is not worth a write */
};

/*
 * The body that sets a resource back to what it was before anybody wrote it: the kind's `reset`,
 * with "{PATH}" filled in from the cloud's document. Owned; NULL where the kind has none or a value
 * is not told.
 */
MUST_CHECK json_t *plan_reset_body(const struct kind *kind, const json_t *actual);
/* The differences that apply would make, and (in *ret_drift, may be NULL) those made by others. */
void plan_diff(struct arena *arena, const struct diff_input *in, struct change_list *ret,
        struct change_list *ret_drift);
/*
 * What is sent to make the resource like `desired`: the document with what others added to lists
 * that are maps or sets, and to maps, since the last write: sending the list without it would drop
 * it. *ret_kept (may be NULL) tells which: CHANGE_ADD what goes along, CHANGE_REMOVE what can't be
 * sent again and is lost. Owned.
 */
MUST_CHECK json_t *plan_body(
        struct arena *arena, const struct diff_input *in, struct change_list *ret_kept);
/* Of that what the write of these changes takes along: a patch sends only the lists it changes. */
struct change_list plan_kept(
        struct arena *arena, const struct diff_input *in, const struct change_list *changes);
/*
 * Whether the write may take away what others added after `actual` was read: it keeps something
 * of theirs, or it sends what the kind calls shared. Then it is read again right before.
 */
bool plan_wants_fresh(
        struct arena *arena, const struct diff_input *in, const struct change_list *changes);
/*
 * A property with `resend` whose elements of others are kept and whose action is not in `told`
 * (NULL: none is); NULL if there is none. Borrowed from the kind.
 */
const struct kind_property *plan_untold(
        const struct kind *kind, const struct change_list *kept, const json_t *told);
/*
 * The merge patch (RFC 7396) that turns the resource into `desired`: only what changes, null for
 * what was removed, lists whole; write-only members that the service wants with every write come
 * along. Owned.
 */
MUST_CHECK json_t *plan_merge_patch(const struct diff_input *in, const struct change_list *changes);

/*
 * What the state keeps of a GET as the entry's "observed", so that drift shows on members that the
 * file does not set: without what the server changes by itself (read-only members, etags, states,
 * times) and without anything that is, or is called like, a secret. Owned.
 */
MUST_CHECK json_t *plan_observed(const struct kind *kind, const json_t *actual);

enum plan_action {
    PLAN_NONE, /* as it should be */
    PLAN_CREATE,
    PLAN_UPDATE,
    PLAN_REPLACE, /* delete, then create */
    PLAN_DELETE,
    PLAN_MOVE,    /* the same id under a new address: the state is changed, the cloud is not */
    PLAN_ADOPT,   /* is there, is not in the state, and is to be taken over */
    PLAN_READ,    /* existing: somebody else's */
    PLAN_FORGET,  /* in the state, gone from the cloud or not to be deleted: leaves the state */
    PLAN_RESET,   /* can't be deleted: set back to what the service has by default */
    PLAN_UNKNOWN, /* could not be compared (403): `reason` says why */
};
#define PLAN_ACTION_COUNT (PLAN_UNKNOWN + 1)

const char *plan_action_name(enum plan_action action);

/* One resource of the model as resolved before planning. Everything is borrowed. */
struct plan_subject {
    const struct resource *resource;
    const char *id;               /* NULL while a part of it is known only after apply */
    const json_t *desired;        /* resolved; may hold {"$unknown"}. NULL for `existing` */
    const json_t *desired_stored; /* expr_stored of it */
};

struct plan_input {
    const struct plan_subject *subjects; /* one a resource, in the model's order */
    size_t subject_count;
    const json_t *state; /* state_document */
    /*
     * What the cloud has, by state_id_key: the document, null for "is not there", or
     * {"$denied": WHY} for what may not be read. Of every subject with an id and of every entry.
     */
    const json_t *actual;
    /* The kind of an entry that the file no longer has, by its name; NULL: not in the catalog. */
    const struct kind *(*kind)(void *arg, const char *name);
    void *arg;
    bool is_destroy; /* every entry goes; subjects are not looked at */
};

/* What happens to one resource. */
struct plan_item {
    enum plan_action action;
    const char *address;
    const char *id;                     /* NULL: known only after apply */
    const struct kind *kind;            /* NULL: not in the catalog any more */
    const struct plan_subject *subject; /* NULL: only in the state */
    const json_t *entry;                /* of the state, or NULL */
    const json_t *intent;               /* of the state: an operation was under way, or NULL */
    const json_t *actual;               /* or NULL */
    struct change_list changes;         /* for create: empty */
    struct change_list drift;           /* what others changed */
    struct change_list kept;    /* update: what others added to lists that are sent (plan_body) */
    const char *reason;         /* why this action, or NULL where it goes without saying */
    const char *moved_from;     /* the address it had, or NULL; with any action */
    const char *goes_with;      /* address whose deletion takes it along: no own DELETE */
    bool loses_data;            /* delete or replace of what holds data */
    bool is_protected;          /* refused without --allow-data-loss NAME */
    bool needs_replace_consent; /* refused without --allow-replace NAME */
    const char *downtime;       /* what is not available meanwhile, or NULL */
    double minutes;             /* usual time, from the kind */
    const size_t *needs;        /* indexes of items that must be done before this begins */
    size_t need_count;
    /*
     * For what has a delete of its own (DELETE; REPLACE without goes_with): indexes of items whose
     * delete must be done before this one's.
     */
    const size_t *delete_needs;
    size_t delete_need_count;
};

struct plan {
    struct arena *arena;     /* borrowed: everything lives there */
    struct plan_item *items; /* in an order that may be followed one by one */
    size_t count;
    size_t counts[PLAN_ACTION_COUNT];
};

/*
 * Whether a change is worth the rollout that a service asks for: where the kind names paths
 * (`rollout_when`), only one below them is, so that a new tag stops nothing.
 */
bool plan_is_rollout_due(const struct kind *k, const struct change_list *changes);

/*
 * Decides what happens to each resource of the file and each entry of the state.
 * PLAN_REPLACE is one item: the delete and the create; what lies below a replaced or deleted
 * resource goes with it. The inputs must live as long as the arena.
 * Errors: ERR_CONFIG for two subjects with one id, or a cycle.
 */
MUST_CHECK struct err *plan_build(
        struct arena *arena, const struct plan_input *in, struct plan **ret);
/* Whether applying would write anything, to the cloud or to the state. */
bool plan_has_changes(const struct plan *p);

/* What a saved plan is bound to. */
struct plan_basis {
    const char *stack, *environment, *target, *subscription;
    const json_t *state;      /* state_document: lineage, serial, salt count */
    const char *model_digest; /* of the files: any text that changes when they do */
};

const char *plan_change_name(enum change_action action);
/* One change: {path, action, actual, desired, forces_replacement, secret, reason}. Owned. */
MUST_CHECK json_t *plan_change_json(const struct change *c);
/*
 * The plan as JSON (docs/planning.md): for `plan -o json` and, with what it is based on, for
 * --save. No secrets in it. Owned.
 */
MUST_CHECK json_t *plan_json(const struct plan *p);
MUST_CHECK json_t *plan_save(const struct plan *p, const struct plan_basis *basis);
/* Checks the form of a saved plan. Owned. ERR_CONFIG: not a plan, or of a newer format. */
MUST_CHECK struct err *plan_load(struct str text, const char *what, json_t **ret);
/*
 * For a state that did not exist when the plan was saved: the lineage and salt made then, to be set
 * (state_set) before the documents are resolved, so that digests of secrets compare. False if the
 * state existed.
 */
bool plan_saved_identity(const json_t *saved, const char **ret_lineage, const char **ret_salt);
/*
 * Compares a saved plan with one made now from the same files. ERR_STALE lists what differs: the
 * state's serial, a document in the file, a value in the cloud, an action.
 */
MUST_CHECK struct err *plan_check_stale(
        const json_t *saved, const struct plan *now, const struct plan_basis *basis);

#endif
