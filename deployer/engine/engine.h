/*
 * engine.h - makes the cloud what the model says, and remembers it in the state. It knows graphs,
 * documents and time; what a resource is comes from its kind, how to talk to the cloud from struct
 * cloud. It prints nothing: what happens is told by events.
 *
 * The order of use: engine_new, engine_resume (before changes only), engine_refresh, engine_plan or
 * engine_plan_destroy, then engine_apply. One thread; the cloud's callbacks come from `turn`.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "catalog/expr.h"
#include "catalog/kind.h"
#include "catalog/model.h"
#include "plan/plan.h"

struct cloud;
struct state;
struct engine;
struct procedure;

enum node_presence {
    NODE_UNASKED, /* not looked up yet */
    NODE_ABSENT,
    NODE_PRESENT,
    NODE_DENIED, /* reading it is not allowed: `denied` says what the service answered */
};

enum node_status {
    NODE_WAITING,
    NODE_RUNNING,
    NODE_DONE,
    NODE_FAILED,
    NODE_SKIPPED, /* something that it needs failed: `because` */
    NODE_LEFT,    /* a signal came: under way or not begun; the next run goes on with it */
};

/* One resource: of the model, of the state, or of both. Read-only outside of engine/. */
struct engine_node {
    const char *address;
    const struct resource *resource; /* NULL: only the state knows it */
    const struct kind *kind;
    json_t *entry; /* the state's, as it was when the run began; NULL if there is none */
    char *id;      /* NULL: known only after apply */
    char *parent_id;
    enum node_presence presence;
    bool is_going; /* absent, for it is being deleted: that is waited for before it is made anew */
    bool is_going_along; /* absent, for what it is in is being deleted */
    char *denied;
    json_t *actual;             /* as the cloud returned it, or NULL */
    json_t *desired;            /* what would be sent, resolved; NULL without a resource */
    json_t *desired_stored;     /* the same for state and plan files */
    struct plan_item *item;     /* after engine_plan; the plan's */
    enum plan_action action;    /* the item's; may become another once what it needs is done */
    struct change_list changes; /* likewise */
    bool is_foreign; /* PLAN_ADOPT of what did not come with something of ours: must be allowed */

    /* While the plan is carried out. */
    enum node_status status;
    struct err *error;   /* NODE_FAILED */
    const char *because; /* NODE_SKIPPED: the address that failed */
    char *doing;         /* "Creating", "waits for revision ..." */
    int64_t started_ms;  /* monotonic */
    int64_t elapsed_ms;  /* when ended */
    char *note;          /* "not running": done, but tolerated only */
    bool was_changed;    /* something was sent for it */
    bool is_removed;     /* the delete of a DELETE or REPLACE is through */
    bool was_kept;       /* a group that holds what is not ours: `note` names it */

    /* engine/'s own. */
    json_t *view;    /* what expressions see; NULL: nothing yet */
    json_t *answers; /* of the kind's actions by name; null where it was refused */
    size_t *needs;   /* indexes of the nodes that end before this one is written */
    size_t need_count;
    size_t *delete_needs; /* indexes of the nodes whose delete comes before this one's */
    size_t delete_need_count;
    struct node_run *run;
};

enum engine_event_kind {
    ENGINE_EVENT_STARTED,
    ENGINE_EVENT_PROGRESS, /* node->doing has changed */
    ENGINE_EVENT_DONE,
    ENGINE_EVENT_FAILED,
    ENGINE_EVENT_SKIPPED,
    ENGINE_EVENT_RESUMED, /* an earlier run's operation was waited for: text says how it ended */
    ENGINE_EVENT_TICK,    /* nothing happened; for displays that show time. node is NULL */
};

typedef void engine_event_fn(
        void *arg, enum engine_event_kind kind, const struct engine_node *node, const char *text);

struct engine_setup {
    const struct model *model;
    struct state *state;
    struct cloud *cloud;
    /* The kind of an entry of the state by name; NULL if the catalog has none. */
    const struct kind *(*kind)(void *arg, const char *name);
    struct secret *(*secret)(void *arg, const char *name);
    const json_t *facts; /* of the login: {"tenant", "principal"}; or NULL */
    /* http_loop_run's contract. */
    struct err *(*turn)(void *arg, bool (*until)(void *), void *until_arg, int64_t deadline_ms);
    engine_event_fn *event; /* or NULL */
    void *arg;
    unsigned side_by_side; /* 0: ENGINE_SIDE_BY_SIDE */
    int64_t timeout_ms;    /* of the whole run; 0: none */
};

#define ENGINE_SIDE_BY_SIDE 10u

/* ERR_CONFIG when the state holds a kind that the catalog does not know. */
MUST_CHECK struct err *engine_new(const struct engine_setup *setup, struct engine **ret);
/* Only after the loop that its callbacks come from is gone or idle. NULL is accepted. */
void engine_free(struct engine *e);

/*
 * Ends what an earlier run left under way: waits for it by its token, or looks whether it came
 * about, and turns intents into entries. Needs the state's lock.
 */
MUST_CHECK struct err *engine_resume(struct engine *e);
/*
 * Reads what exists: collections once each, single resources where a collection has one of them.
 * What can't be read for lack of rights is NODE_DENIED, no error.
 */
MUST_CHECK struct err *engine_refresh(struct engine *e);
/* Decides what is to be done for every node. No requests but for secrets that documents need. */
MUST_CHECK struct err *engine_plan(struct engine *e);
/* The same, for taking down everything that the state owns. */
MUST_CHECK struct err *engine_plan_destroy(struct engine *e);
/*
 * Carries the plan out. ERR_FAILED when nodes failed or were skipped (each says why), ERR_CANCELED
 * after a signal, ERR_LOCKED when the state was lost. With `is_exact` a change that the plan does
 * not have (a dependency came out differently) fails its node with ERR_STALE.
 */
MUST_CHECK struct err *engine_apply(struct engine *e, bool is_exact);

/* The plan, borrowed; NULL before engine_plan. */
struct plan *engine_result(const struct engine *e);
size_t engine_count(const struct engine *e);
/* In an order in which what is needed comes first. */
struct engine_node *engine_node(const struct engine *e, size_t i);
struct engine_node *engine_find(const struct engine *e, const char *address);
/*
 * Resolves a document of the model (outputs, checks, notes) by what is known now, asking for
 * secrets (listKeys) that are needed for it. After engine_refresh. Owned.
 */
MUST_CHECK struct err *engine_resolve(struct engine *e, const json_t *document, json_t **ret);
/* One request below a resource, for what its document does not say. */
struct engine_question {
    const struct engine_node *node; /* with an id */
    const char *method;             /* "GET" */
    const char *path;               /* below the resource */
    json_t *answer;                 /* owned by the caller; NULL: none */
    struct err *error;              /* likewise; why there is none */
};
/* Asks all of them side by side. `deadline_ms` is for each. */
MUST_CHECK struct err *engine_ask(
        struct engine *e, struct engine_question *questions, size_t count, int64_t deadline_ms);
/*
 * What is in a resource group, the stack's own for NULL: an array as the cloud lists it (id, type,
 * tags). NULL in *ret when there is no such group. Owned.
 */
MUST_CHECK struct err *engine_list_contents(
        struct engine *e, const char *group, int64_t deadline_ms, json_t **ret);
/* Takes over what is there and not in the state without touching it: state_commit is the caller's.
 * Only for PLAN_ADOPT. */
void engine_adopt(struct engine *e, struct engine_node *n);
const struct secret_table *engine_secrets(const struct engine *e);
/*
 * Usual minutes from now to the end of the longest chain, on a cloud that takes `scale` of the
 * usual times; 0 before engine_apply.
 */
double engine_remaining_minutes(const struct engine *e, double scale);
/* How many nodes are in a status. */
size_t engine_status_count(const struct engine *e, enum node_status status);

static inline void auto_engine(struct engine **e)
{
    engine_free(*e);
}

#endif
