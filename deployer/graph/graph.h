/*
 * graph.h - what has to come before what: nodes with a name and a usual duration, edges by index,
 * an order, the cycle if there is one, the critical path. Pure, and knows nothing of resources.
 * Everything lives in the arena the graph was made in.
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define GRAPH_NONE ((size_t)-1)

struct graph;

MUST_CHECK struct graph *graph_new(struct arena *arena);
/* Adds a node; names are unique (a second one with the same name is the first). Returns its index:
 * 0, 1, 2, ... */
size_t graph_add(struct graph *g, const char *name, double minutes);
/* `node` can start only after `needs` is done. A second edge between the two is ignored. */
void graph_edge(struct graph *g, size_t node, size_t needs);
size_t graph_count(const struct graph *g);
const char *graph_name(const struct graph *g, size_t node);
double graph_minutes(const struct graph *g, size_t node);
/* The index of a name, or GRAPH_NONE. */
size_t graph_find(const struct graph *g, const char *name);
/* What the node needs, and what needs it; borrowed until the next graph_edge. */
const size_t *graph_needs(const struct graph *g, size_t node, size_t *ret_count);
const size_t *graph_needed_by(const struct graph *g, size_t node, size_t *ret_count);
/* The same nodes and indexes with every edge turned round: the way things are deleted. */
MUST_CHECK struct graph *graph_reverse(struct arena *arena, const struct graph *g);

/*
 * All nodes, each after what it needs; among those that are free the one added first comes first,
 * so that the same graph always has the same order. ERR_CONFIG "cycle: a -> b -> a" otherwise.
 */
MUST_CHECK struct err *graph_order(const struct graph *g, size_t **ret);
/*
 * For each node the minutes from its start to the end of the longest chain of those that wait for
 * it. A scheduler that starts the largest first finishes earliest. `order` is graph_order's.
 */
MUST_CHECK double *graph_remaining(const struct graph *g, const size_t *order);
/* The longest chain, first node first; returns its minutes. 0 nodes: 0. */
double graph_critical_path(
        const struct graph *g, const size_t *order, size_t **ret_nodes, size_t *ret_count);

#endif
