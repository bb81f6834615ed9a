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
/* What decides the value of an input besides its declaration. */
struct inputs_given {
    const char *const *vars; /* "K=V"; the last one of a name counts */
    size_t var_count;
    const char *dir; /* the stack file's: sources are relative to it */
};

/* Warns of inputs that an environment adds to the base's and no ${var.X} in the file reads. */
void inputs_check_added(const struct doc_node *file_root, struct diag_list *diags);
/*
 * name -> typed value of each declaration (normalised, NULL: none): what --var says, else its
 * source (sources.h), else its default. Owned. An input without any is an error.
 */
MUST_CHECK json_t *inputs_values(
        const struct doc_node *inputs, const struct inputs_given *given, struct diag_list *diags);

#endif
