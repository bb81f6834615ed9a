/*
 * expand.h - the inside of catalog_expand: a stack's services as instances whose values are
 * computed when they are first asked for. Every value is JSON with the marks of eval.h; values are
 * shared, so nobody changes one.
 */
#ifndef CATALOG_EXPAND_H
#define CATALOG_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog/catalog.h"
#include "catalog/eval.h"
#include "catalog/load.h"

/* Addresses that a value depends on, without duplicates. */
struct deps {
    const char **items;
    size_t count, capacity;
};

enum slot_state { SLOT_NEW, SLOT_BUSY, SLOT_DONE };

/* A value computed once, with the resources that it depends on. */
struct slot {
    enum slot_state state;
    json_t *value; /* lives in the arena */
    struct deps deps;
};

/* One resource of the stack before it is a struct resource: what `when` and `each` made of it. */
struct part {
    struct instance *in;
    struct parts *parts;
    const char *address;
    const char *each_key;          /* or NULL */
    json_t *key_json, *each_value; /* or NULL */
    struct slot existing;          /* id, or null */
    struct slot given_name;        /* by the service's file, with the suffix of unique names */
    struct slot name;              /* the one that it has */
    struct slot within;            /* id of the parent, or of what it hangs on; else null */
    struct slot identity;          /* of what is shared: equal for what is one resource; or null */
    struct part *owner;            /* see part_owner; NULL: not asked yet */
};

struct parts {
    struct slot head; /* value: true, or poison */
    const struct service_resource *spec;
    const struct kind *kind;
    bool is_each;
    struct part *items; /* none when `when` is false */
    size_t count;
    struct index by_key; /* with `each` */
};

/* The variables of a container. */
struct container {
    const struct doc_entry *entry;
    struct slot slot;
    struct env_variable *variables;
    size_t count, capacity;
};

struct instance {
    const struct service *spec;
    const char *name;
    const char *label;                 /* in the names of what it makes; "": nothing */
    const struct stack_service *entry; /* NULL: implied */
    const struct doc_node *with;       /* map, or NULL */
    const char *with_path;             /* "services.redis.with" or "network" */
    const struct doc_node *existing;   /* of the stack, or NULL */
    struct place place;
    struct instance **bound; /* as spec->needs */
    struct slot *inputs;     /* as spec->inputs */
    struct slot *locals, *provides;
    struct slot existing_ids; /* map part -> id */
    struct parts *parts;      /* as spec->resources */
    struct container *containers;
    size_t container_count;
    int visit;        /* of the search for cycles */
    bool is_namesake; /* it has the names of another one, and that was said */
    bool is_indexed;  /* its shared resources have their owners */
};

/* A resource that another service has declared already. */
struct twin {
    struct part *part;
    struct resource *resource; /* as it would be: it must be like the owner's */
};

/* A variable or secret that is used but not set. */
struct missing {
    const char *what;     /* "env.X" */
    struct place *places; /* in the order of the file */
    const char *path;     /* of the first */
    size_t count, capacity;
};

/* What is being computed, to name the members of a cycle. */
struct frame {
    const struct slot *slot;
    const char *what;
    const struct frame *up;
};

struct expansion {
    const struct catalog *catalog;
    const struct stack *stack;
    const struct catalog_options *options;
    struct diag_list *diags;
    struct arena *arena;
    struct model *model;
    struct instance **instances;
    size_t instance_count, instance_capacity;
    struct index by_name; /* instances */
    struct index missing; /* struct missing */
    struct index names;   /* ids so far, for duplicates */
    struct index shared;  /* the owners of what is shared, by identity */
    size_t shared_done;   /* instances whose shared resources were looked at */
    struct twin *twins;
    size_t twin_count, twin_capacity;
    struct index patterns; /* compiled regex_t */
    struct index trees;    /* parsed texts by the address of their node */
    struct missing **missing_items;
    size_t missing_count, missing_capacity;
    struct slot location, subscription, tenant, group, existing_group, tags, registry;
    char suffix[6];
    const struct frame *frames;
    size_t resource_capacity, variable_capacity, check_capacity, provided_capacity, fixed_capacity,
            version_capacity;
};

/* Where an expression stands and what it may see. */
struct scope {
    struct expansion *x;
    struct instance *in; /* NULL: the stack file */
    const json_t *each_key, *each_value;
    const json_t *item_key, *item_value;
    struct deps *deps;         /* receives what is referred to; may be NULL */
    struct place place;        /* of the value that is computed */
    const struct trail *trail; /* its path, see value_path */
    bool is_early;             /* before the catalog: env, var and stack alone */
    bool drops_null;           /* bodies: null members and elements are left out */
};

/* --- values of the files (value.c) --- */

/* A value of a file, marks and all; never NULL. What is wrong is reported and gives poison. */
json_t *value_of(struct scope *s, const struct doc_node *node, const char *path);
/* true, false; `otherwise` for absent or null. Complains about what is only known after apply. */
bool value_bool(struct scope *s, const struct doc_node *node, const char *path, bool otherwise);
/* The text; NULL for null, poison or a complaint. What is left over is a complaint. */
const char *value_text(struct scope *s, const struct doc_node *node, const char *path);
/* The path of the value that is being computed. */
void value_path(const struct scope *s, struct buf *ret);
/* A complaint about `node`. */
void value_error(struct scope *s, const struct doc_node *node, const char *path, const char *fmt,
        ...) PRINTF_LIKE(4, 5);
/* "X is known only after apply" for a value that has to be known now. */
void value_not_known(
        struct scope *s, const struct doc_node *node, const char *path, const json_t *value);

/* --- slots (scope.c) --- */

/*
 * Computes a slot unless it is done: `compute` gives an owned value. Adds the slot's dependencies
 * to `deps`. Returns the value, borrowed. A cycle is reported and gives poison.
 */
json_t *slot_value(struct expansion *x, struct slot *slot, const char *what, struct deps *deps,
        json_t *(*compute)(struct expansion *x, void *arg, struct deps *deps), void *arg);
void deps_add(struct expansion *x, struct deps *deps, const char *address);
void deps_add_all(struct expansion *x, struct deps *deps, const struct deps *more);
/* The callbacks of eval.h over a scope (arg: struct scope). */
struct err *scope_lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret);
struct err *scope_call(
        void *arg, const char *name, json_t *const *args, size_t count, json_t **ret);
struct err *scope_absent(void *arg, const char *what);
/* Remembers that "env.X" or "secret.X" is used at the scope's place but not set. */
void scope_missing(struct scope *s, const char *what, const char *path);
/* What the stack file says of itself (scope_stack.c). */
MUST_CHECK struct err *scope_lookup_azure(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret);
MUST_CHECK struct err *scope_lookup_stack(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret);
MUST_CHECK struct err *scope_lookup_registry(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret);
/* `resource` and the steps behind it, in a service's file. */
MUST_CHECK struct err *scope_resource(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret);
/* The text of a step of a path, or NULL. */
const char *scope_step(struct eval_path path, size_t at);
/* ERR_CONFIG unless a name follows the root. */
MUST_CHECK struct err *scope_need_step(struct eval_path path, const char *root);
/* A further reference to a value; NULL gives null. Owned. */
json_t *scope_share(const json_t *value);
/* ERR_CONFIG "there is no WHAT 'name' (did you mean ...?)". */
struct err *scope_no_such(
        const char *what, const char *name, const char *const *words, size_t count);
/* A secret as a value: {"$expr": "secret.NAME"}, or absent. */
json_t *scope_secret(struct expansion *x, const char *name);
/* The same where one that is not sure to be there counts as absent, and is remembered as doubtful.
 */
json_t *scope_optional_secret(struct expansion *x, const char *name);

/* --- the form of what the stack says (form.c) --- */

/*
 * Complains about a setting ("location", "registry") whose value can't be one; false if it did.
 * What is known only after apply passes, but no secret does.
 */
bool form_check(
        struct scope *s, const struct doc_node *node, const char *path, const json_t *value);
/* The same for the id of a resource that is said to exist. */
bool form_check_id(struct scope *s, const struct doc_node *node, const char *path,
        const struct kind *k, const json_t *value);

/* --- of an instance --- */

/* The service's input, checked and typed. Borrowed. */
json_t *input_value(struct instance *in, struct expansion *x, size_t at, struct deps *deps);
/* Unknown inputs: before any is computed, so that a misspelt one is not called missing, too. */
void inputs_check_names(struct expansion *x, const struct instance *in);
/* All others, computed. */
void inputs_check(struct expansion *x, struct instance *in);
/* The service's `rules`: what must hold between its inputs. */
void rules_check(struct expansion *x, struct instance *in);
json_t *provided_value(
        struct instance *in, struct expansion *x, const char *name, struct deps *deps);
/* Services, implied ones and their bindings; cycles. */
void needs_bind(struct expansion *x);
/* "services.redis.existing" */
void existing_path(const struct instance *in, struct buf *ret);
/* Labels for all of them, and what is to be recorded of that in the model. */
void labels_give(struct expansion *x);
/* The id that the stack gives for a resource under `existing:`: text, map by each key, or null. */
json_t *existing_id(struct expansion *x, struct instance *in, const char *resource);
/* What `when` and `each` make of a resource; NULL if the service has none of that name. */
struct parts *parts_of(struct expansion *x, struct instance *in, const char *name);
struct part *parts_find(struct parts *p, const char *key);
/* Where the part's expressions are evaluated. */
struct scope part_scope(struct expansion *x, const struct part *part, struct deps *deps);
/* Its name, what the service's file alone says of it, the id of what it lives in, and `existing`.
 */
json_t *part_name(struct expansion *x, struct part *part, struct deps *deps);
json_t *part_given_name(struct expansion *x, struct part *part, struct deps *deps);
json_t *part_within(struct expansion *x, struct part *part, struct deps *deps);
json_t *part_existing(struct expansion *x, struct part *part, struct deps *deps);
/* The id that the state recorded for the address, or NULL. Borrowed. */
const json_t *part_kept_id(struct expansion *x, struct part *part);
/*
 * The part that stands for this one: itself, unless it is `shared` and a service before has the
 * same resource. References mean the owner, and it alone is in the model.
 */
struct part *part_owner(struct expansion *x, struct part *part);
/* The id that the state recorded for a shared part under another service's name, or NULL. */
const json_t *shared_kept_id(struct expansion *x, struct part *part);
/* Remembers what a part that another one stands for would have been. */
void shared_add_twin(struct expansion *x, struct part *part, struct resource *resource);
/* Compares the twins with their owners, which take over their edges. */
void shared_finish(struct expansion *x);
/* Sorts the addresses into the resource, with room for one more. */
void resource_set_edges(struct expansion *x, struct resource *r, const struct deps *deps);
/* The name with the suffix of names that are unique in the world. */
json_t *unique_name(struct expansion *x, const struct kind *k, const json_t *name);
/* Complains about a name that the kind does not allow. */
void check_name(struct scope *s, const struct kind *k, const struct doc_node *node,
        const char *path, const char *name);
/* Whether an extended regular expression is found in the text; compiled once. */
bool pattern_matches(struct expansion *x, const char *pattern, const char *text);
/* All resources of a service into the model; then the edges that need all of them. */
void resources_build(struct expansion *x, struct instance *in);
void resources_finish(struct expansion *x);
/* azure.resource_group, azure.subscription and so on, as scope_lookup gives them. Owned. */
json_t *scope_setting(struct expansion *x, const char *root, const char *name);
/* The container's variables, computed; NULL if there is none of that name. */
struct container *container_of(
        struct expansion *x, struct instance *in, const char *name, struct deps *deps);
json_t *environment_list(struct expansion *x, struct container *c);
struct err *environment_secrets(struct container *const *containers, size_t count, json_t **ret);
void environment_build(struct expansion *x, struct instance *in);
void checks_build(struct expansion *x, struct instance *in);
void provides_build(struct expansion *x, struct instance *in);
/* Adds to a growing array in the arena. */
void *arena_grow(struct arena *a, void *array, size_t count, size_t *capacity, size_t size);

#endif
