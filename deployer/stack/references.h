/*
 * references.h - which variables the texts of a stack name: env.X and secret.X inside ${...}. Finds
 * names; what an expression means is the catalog's to say.
 */
#ifndef STACK_REFERENCES_H
#define STACK_REFERENCES_H

#include <stdbool.h>

#include "base/doc.h"

/* Calls fn once for each name, in the order of the file. */
void references_each(const struct doc_node *root,
        void (*fn)(void *arg, bool is_secret, const char *name), void *arg);

#endif
