/*
 * catalog.h - templates/ and services/ as loaded, and the expansion of a stack by them.
 */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "base/arena.h"
#include "base/diag.h"
#include "catalog/kind.h"
#include "catalog/model.h"
#include "stack/stack.h"

struct catalog;

/*
 * Loads the embedded files, then each folder of `dirs` (with templates/ and services/ in it), whose
 * files add to or replace ours. Lives in `arena`. NULL when a file of a folder has errors. The
 * embedded ones are read when they are asked for; catalog_check reads all. Not for threads.
 */
struct catalog *catalog_load(
        struct arena *arena, const char *const *dirs, size_t dir_count, struct diag_list *diags);

/* Reads every file and reports what is wrong with it. */
void catalog_check(const struct catalog *c, struct diag_list *diags);

/* All kinds, in no order; catalog_kind_at gives NULL for one that has errors. */
size_t catalog_kind_count(const struct catalog *c);
const struct kind *catalog_kind_at(const struct catalog *c, size_t at);
/* The services' names, and a service's whole file as JSON (NULL: none, or it has errors). */
size_t catalog_service_count(const struct catalog *c);
const char *catalog_service_name(const struct catalog *c, size_t at);
const json_t *catalog_service(const struct catalog *c, const char *name);
/*
 * The contract of a service's variables (docs/lints.md, "Contracts"): the file that its `contract`
 * names, as JSON. NULL: it has none, or it can't be read (then an error is in `diags`).
 * `names` is {NAME: anything}, or NULL for all: of hundreds of variables an environment sets a few,
 * and one that is neither among them nor required is there as null.
 */
const json_t *catalog_contract(
        const struct catalog *c, const char *service, const json_t *names, struct diag_list *diags);
/* Where the service's file names its contract; nowhere (.file NULL) where it has none. */
struct place catalog_contract_place(const struct catalog *c, const char *service);

/*
 * What `state:` and `vault:` say: they may hold ${...} of env, var and stack, and are needed before
 * anything is expanded. Call it once for a loaded stack.
 */
void catalog_settle(struct stack *s, struct diag_list *diags);
#define CATALOG_BASE_HINT "stack.environment is empty for the base: choose one with -e"

struct catalog_options {
    const char *target; /* "azure" or "sandbox" */
    const char *suffix; /* of unique names; recorded in the state. NULL: derived */
    const json_t *ids;  /* {ADDRESS: ID} of what was adopted under another name or in another group;
                           recorded in the state, or NULL */
    /* {SERVICE: {"label", "use" where it is known}} of what is deployed, or NULL (labels.c) */
    const json_t *labels;
};

/*
 * Expands a stack. All that is wrong goes to `diags` with the place in the stack file; NULL if
 * there were errors. The model owns an arena of its own and keeps pointers into `catalog` and
 * `stack`, which must outlive it.
 */
struct model *catalog_expand(const struct catalog *c, const struct stack *s,
        const struct catalog_options *o, struct diag_list *diags);

#endif
