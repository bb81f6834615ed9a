/*
 * inputs.h - the declared inputs of a stack (`inputs:`): their defaults, checked and typed, and
 * what
 * --var says instead.
 */
#ifndef STACK_INPUTS_H
#define STACK_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/doc.h"

/* Letters, digits and _, a letter first. */
bool inputs_is_name(const char *name);
/*
 * A copy of an `inputs:` map in which the short form `stage: dev` is written out as
 * `stage: {default: dev}`.
 */
struct doc_node *inputs_normalise(struct arena *arena, const struct doc_node *inputs);
/*
 * name -> typed value from the declarations (normalised, NULL: none) and "K=V" texts, of which the
 * last counts. Owned. An input without either is an error.
 */
MUST_CHECK json_t *inputs_values(const struct doc_node *inputs, const char *const *vars,
        size_t var_count, struct diag_list *diags);

#endif
