/*
 * internal.h - what the files of engine/ share. Not for others.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "base/arena.h"
#include "cloud/cloud.h"
#include "engine/engine.h"
#include "engine/procedure.h"
#include "state/state.h"

/* What a node does next while it is NODE_RUNNING; each is entered at most once, in this order. */
enum run_step {
    RUN_CHECK, /* of a group: is anything foreign in it */
    RUN_REMOVE,
    RUN_AWAIT,   /* what a replaced resource needs to be made again */
    RUN_RESOLVE, /* documents once more, now that what they name is there */
    RUN_ROLLOUT,
    RUN_FRESH, /* what others share is read again right before the write */
    RUN_WRITE,
    RUN_READ,
    RUN_RESUME, /* what an earlier run wrote and did not see ready is tried again */
    RUN_READY,
    RUN_RUN,
    RUN_FORGET,
    RUN_END,
};

enum run_send { RUN_SEND_NOTHING, RUN_SEND_WRITE, RUN_SEND_REMOVE };

/* The part of a node that lives only while the plan is carried out. */
struct node_run {
    struct engine *engine;
    size_t index;
    enum run_step step;
    enum run_send send; /* waits for the round's commit */
    bool is_waiting;    /* for the cloud's answer */
    bool is_accepted;   /* the service took the request in: a failure leaves a damaged resource */
    bool is_create;
    bool is_document_new; /* created or changed: `run` is due */
    bool is_skipping_write;
    bool is_patch;
    bool has_turn;   /* holds its serial keys */
    bool is_noted;   /* that the write is through stands in the state */
    bool is_blocked; /* another write with one of its serial keys is under way */
    bool is_shown;   /* ENGINE_EVENT_STARTED was sent */
    bool was_asked;  /* the step's request was sent, its answer is here or awaited */
    int64_t wake_ms; /* a procedure waits until then; 0: no */
    json_t *body;    /* what is sent; owned */
    json_t *resume;  /* {}: nothing is sent, what is under way is waited for; owned */
    json_t *told;    /* of others' secrets, for plan_body; owned */
    const struct kind_property *asked; /* whose `resend` action was asked; NULL: the resource */
    unsigned refused;                  /* writes that were answered "changed meanwhile" (412) */
    struct procedure *procedure;
    struct err *answer_error;
    struct err *create_error; /* "already exists": looked into before it is told */
    json_t *answer;
    char **serial; /* keys of writes that must not overlap */
    size_t serial_count;
};

/* A kind's action that expressions asked for; all who need it wait for the one request. */
struct engine_fetch {
    struct engine *engine;
    struct engine_node *node;
    const struct kind_action *action;
    bool is_sent;
    bool is_done;
    struct err *error;
    struct engine_fetch *next;
};

struct engine {
    struct engine_setup setup;
    struct arena *arena;
    const char *target;
    struct engine_node **nodes; /* in dependency order */
    size_t count;
    size_t capacity;
    struct plan *plan;
    json_t *by_address; /* address -> index in nodes */
    struct secret_table secrets;
    struct engine_fetch *fetches; /* of actions, under way or done */
    unsigned outstanding;         /* callbacks that are still to come */
    bool was_called;              /* a callback came since the last turn */
    bool wants_action;            /* resolving met an action that is not fetched yet */
    bool is_exact;
    bool is_destroy;
    char *denied_action; /* the last action that reading was refused for */
    json_t *serial_held; /* serial key -> true */
    int64_t deadline_ms;
    size_t *by_weight;     /* indexes, those first that the longest chain waits for */
    double *remaining_min; /* by node, from its start to the end of that chain */
};

/* ---- engine.c ---- */
size_t engine_index(const struct engine *e, const char *address); /* SIZE_MAX: none */
void engine_emit(struct engine *e, enum engine_event_kind kind, const struct engine_node *n,
        const char *text);
void engine_set_text(char **text, char *value); /* takes value */
/* Whether a document tells of its resource's deletion, which goes on. */
bool engine_is_being_deleted(const struct engine *e, const json_t *document);
/* The action of a group's kind that lists what is in it, or NULL. */
const struct kind_action *engine_contents_action(const struct kind *k);
/* Runs the loop until a callback came, `wake_ms` or a tick passed, or a signal asks for the end. */
MUST_CHECK struct err *engine_turn(struct engine *e, int64_t wake_ms);
/* Runs the loop until no callback is outstanding. */
MUST_CHECK struct err *engine_drain(struct engine *e);
/* Says so of an error that came because --timeout is over; others and NULL stay as they are. */
MUST_CHECK struct err *engine_late(const struct engine *e, struct err *error);
/* A deadline for one operation of the node. */
int64_t engine_deadline(const struct engine *e, const struct engine_node *n);

/* Adds a node for each entry of the state that no node stands for. */
MUST_CHECK struct err *engine_add_orphans(struct engine *e);

/* ---- resolve.c ---- */
/* An action of the kind by name, or NULL. */
const struct kind_action *resolve_find_action(const struct kind *k, const char *name);
/* By what is known, without requests; wants_action tells that some are due. */
MUST_CHECK struct err *resolve_now(struct engine *e, const json_t *document, json_t **ret);
/* Fills in id and parent_id as far as they are known. */
MUST_CHECK struct err *resolve_id(struct engine *e, size_t i);
/* Fills in desired and desired_stored; *ret_is_final false: actions are to be fetched first. */
MUST_CHECK struct err *resolve_desired(struct engine *e, size_t i, bool *ret_is_final);
/* Starts the requests that resolving asked for. Returns how many. */
unsigned resolve_fetch_actions(struct engine *e);
/* The first error of an action's request that was no refusal. Owned; NULL if there is none. */
MUST_CHECK struct err *resolve_take_error(struct engine *e);
/* Sets what expressions see of the node, from actual, desired and action. */
void resolve_view(struct engine *e, size_t i);
/* Forgets answers of actions: the resource was written. */
void resolve_forget_answers(struct engine *e, size_t i);

/* ---- planning.c ---- */
/* Compares once more, now that more is known: action and changes of a node that is carried out. */
MUST_CHECK struct err *planning_again(struct engine *e, size_t i);

/* ---- journal.c ---- */
void journal_intent(struct engine *e, const struct engine_node *n, const char *action);
void journal_token(struct engine *e, const struct engine_node *n, const json_t *token);
void journal_entry(struct engine *e, struct engine_node *n, const char *status);
/* Address, edges and document of an entry whose resource is as it should be. */
void journal_sync(struct engine *e, struct engine_node *n);
void journal_forget(struct engine *e, struct engine_node *n);
void journal_drop_intent(struct engine *e, const struct engine_node *n);

/* ---- run.c ---- */
/* Whether all that it needs to be written has ended well; *ret_failed (may be NULL): what did not.
 */
bool run_are_needs_met(
        const struct engine *e, const struct engine_node *n, const struct engine_node **ret_failed);
/* Ends it without doing, because of another that failed. */
void run_skip(struct engine *e, struct engine_node *n, const struct engine_node *because);
/* Makes a waiting node a running one. */
void run_begin(struct engine *e, size_t i);
/* Goes on with a running node until it waits, has something to send, or ends. */
void run_advance(struct engine *e, size_t i);
/* Sends what the round's commit has made durable. */
void run_send(struct engine *e, size_t i);
void run_free(struct node_run *r);

#endif
