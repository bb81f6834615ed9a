/*
 * stack.h - stack.yaml, its environment overlay and its .env as a checked structure in which every
 * value still knows where it was written. Texts with ${...} are left as they are: the catalog
 * evaluates them (catalog/catalog.h).
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/doc.h"
#include "base/secret.h"

struct stack_need {
    const char *name;    /* as the service's file calls it: "backend" */
    const char *service; /* the stack's service that fills it: "langfuse" */
    struct place place;
};

struct stack_service {
    const char *name; /* "redis" */
    const char *use;  /* the catalog's service: "redis" */
    struct place place;
    struct place use_place;
    const struct doc_node *with; /* map, or NULL: inputs */
    const struct doc_node
            *existing; /* map part -> id, or a scalar for the whole service, or NULL */
    struct stack_need *needs;
    size_t need_count;
};

struct stack {
    struct arena *arena;
    const char *file; /* as it was named */
    const char *dir;  /* its folder */
    const char *name;
    const char *environment;          /* "" for the base alone */
    bool checks_overlays;             /* those that were not chosen, too */
    const struct doc_node *root;      /* merged tree */
    const struct doc_node *file_root; /* as written: the base and all environments */
    const struct doc_node *overlay;   /* what the environment laid over the base, or NULL */
    const struct doc_node *location;  /* scalars, may hold ${...}; NULL if absent */
    const struct doc_node *subscription;
    const struct doc_node *tenant;
    const struct doc_node *resource_group; /* scalar, or map {existing: ID} */
    const struct doc_node *tags;           /* map, or NULL */
    const struct doc_node *network;        /* map: inputs of the implied network service, or NULL */
    const struct doc_node *registry;       /* map {server, prefix, identity}, or NULL */
    const struct doc_node *state_node;     /* may hold ${...} of env, stack and var; or NULL */
    const struct doc_node *vault_node;     /* likewise */
    const char *state_url; /* as written, then what that says (catalog_settle); NULL if absent */
    const char *vault;     /* likewise: Key Vault that secrets come from */
    const struct doc_node *ignore; /* list of {id, because}, or NULL */
    struct stack_service *services;
    size_t service_count;
    json_t *vars;                /* declared inputs by name: typed value (--var, default) */
    const char *const *catalogs; /* folders of `catalog:` and --catalog, in order */
    size_t catalog_count;
    struct stack_values *values; /* process environment and .env; stack_env, stack_secret */
};

struct stack_options {
    const char *file;
    const char *environment; /* or NULL */
    bool checks_overlays;    /* without an environment: look at each for what is not there */
    const char *const *vars; /* "K=V" */
    size_t var_count;
    const char *const *catalogs;
    size_t catalog_count;
};

/*
 * Reads and checks the file, merges the environment, reads .env beside it. Everything found wrong
 * goes to `diags`; NULL if nothing usable is left. ERR_NOINPUT when the file is missing.
 * The process environment is read once, here.
 */
MUST_CHECK struct err *stack_load(struct arena *arena, const struct stack_options *o,
        struct diag_list *diags, struct stack **ret);
/* A plain variable: process environment, then .env. NULL if there is none. */
const char *stack_env(const struct stack *s, const char *name);
/* The same as a secret, borrowed; the one object for a name, whoever asks. NULL if there is none.
 */
struct secret *stack_secret(const struct stack *s, const char *name);

/* What the stack's vault said of a name. */
struct stack_vault_answer {
    const char *name;
    struct secret *value; /* NULL: it has none of that name */
};
/* From now on those values count, behind the environment's and .env's. Keeps references. */
void stack_tell_vault(struct stack *s, const struct stack_vault_answer *answers, size_t count);
/* Whether a secret is in neither, and may be in the vault, which was not asked for it yet. */
bool stack_is_in_doubt(const struct stack *s, const char *name);

#endif
