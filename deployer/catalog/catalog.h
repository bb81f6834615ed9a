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
 * files add to or replace ours. Lives in `arena`. NULL when a file has errors.
 */
struct catalog *catalog_load(
        struct arena *arena, const char *const *dirs, size_t dir_count, struct diag_list *diags);

struct catalog_options {
    const char *target; /* "azure" or "sandbox" */
    const char *suffix; /* of unique names; recorded in the state. NULL: derived */
};

/*
 * Expands a stack. All that is wrong goes to `diags` with the place in the stack file; NULL if
 * there were errors. The model owns an arena of its own and keeps pointers into `catalog` and
 * `stack`, which must outlive it.
 */
struct model *catalog_expand(const struct catalog *c, const struct stack *s,
        const struct catalog_options *o, struct diag_list *diags);

#endif
