/*
 * merge.h - an environment laid over the base of a stack file, on the tree of the document, so that
 * every value keeps its place. Maps are merged key by key, null removes, everything else (lists
 * too) is replaced whole.
 */
#ifndef STACK_MERGE_H
#define STACK_MERGE_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/doc.h"

/*
 * A new tree; shares the unchanged nodes of both. `path` is where the overlay stands in the file
 * ("environments.dev"). A null for what the base does not have is an error: nothing would be
 * removed by it.
 */
struct doc_node *merge_overlay(struct arena *arena, const struct doc_node *base,
        const struct doc_node *overlay, const char *path, struct diag_list *diags);

#endif
