/*
 * references.h - which variables and inputs the texts of a stack name: env.X, secret.X and var.X
 * inside ${...}. Finds names; what an expression means is the catalog's to say.
 */
#ifndef STACK_REFERENCES_H
#define STACK_REFERENCES_H

#include <stdbool.h>

#include "base/doc.h"

/* The word before the dot. */
enum reference_root { REFERENCE_ENV, REFERENCE_SECRET, REFERENCE_VAR };

/*
 * Calls fn once for each name, in the order of the file; with "" where a root stands alone or takes
 * its name from an expression.
 */
void references_each(const struct doc_node *root,
        void (*fn)(void *arg, enum reference_root of, const char *name), void *arg);
/* The same as "env.X": what reads it. */
const char *reference_root_name(enum reference_root of);

#endif
