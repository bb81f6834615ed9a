#include "graph/graph.h"

#include <jansson.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"

struct edges {
    size_t *nodes;
    size_t count;
    size_t capacity;
};

struct node {
    const char *name;
    double minutes;
    struct edges needs;
    struct edges needed_by;
};

struct graph {
    struct arena *arena;
    struct node *nodes;
    size_t count;
    size_t capacity;
    json_t *by_name; /* name -> index; released with the arena */
};

static void release_names(void *names)
{
    json_decref(names);
}

struct graph *graph_new(struct arena *arena)
{
    struct graph *g = arena_alloc(arena, sizeof(*g));

    g->arena = arena;
    g->by_name = jsonx_must(json_object());
    arena_hook(arena, release_names, g->by_name);
    return g;
}

/* Room for one more of `size` bytes; the old array stays in the arena until it goes. */
static void *grown(struct arena *a, const void *old, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return (void *)(uintptr_t)old;
    *capacity = *capacity == 0 ? 4 : *capacity * 2;
    void *bigger = arena_alloc(a, *capacity * size);

    if (count > 0)
        memcpy(bigger, old, count * size);
    return bigger;
}

size_t graph_add(struct graph *g, const char *name, double minutes)
{
    const size_t known = graph_find(g, name);

    if (known != GRAPH_NONE)
        return known;
    g->nodes = grown(g->arena, g->nodes, g->count, &g->capacity, sizeof(*g->nodes));
    g->nodes[g->count] = (struct node){ .name = arena_text(g->arena, name), .minutes = minutes };
    json_object_set_new(g->by_name, name, jsonx_must(json_integer((json_int_t)g->count)));
    return g->count++;
}

static bool has_edge(const struct edges *e, size_t node)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->nodes[i] == node)
            return true;
    }
    return false;
}

static void add_edge(struct arena *a, struct edges *e, size_t node)
{
    e->nodes = grown(a, e->nodes, e->count, &e->capacity, sizeof(*e->nodes));
    e->nodes[e->count++] = node;
}

void graph_edge(struct graph *g, size_t node, size_t needs)
{
    const struct edges *mine = &g->nodes[node].needs;
    const struct edges *theirs = &g->nodes[needs].needed_by;

    /* Everything may hang on one group: look where there is less to look through. */
    if (mine->count <= theirs->count ? has_edge(mine, needs) : has_edge(theirs, node))
        return;
    add_edge(g->arena, &g->nodes[node].needs, needs);
    add_edge(g->arena, &g->nodes[needs].needed_by, node);
}

size_t graph_count(const struct graph *g)
{
    return g->count;
}

const char *graph_name(const struct graph *g, size_t node)
{
    return g->nodes[node].name;
}

double graph_minutes(const struct graph *g, size_t node)
{
    return g->nodes[node].minutes;
}

size_t graph_find(const struct graph *g, const char *name)
{
    const json_t *index = json_object_get(g->by_name, name);

    return index == NULL ? GRAPH_NONE : (size_t)json_integer_value(index);
}

const size_t *graph_needs(const struct graph *g, size_t node, size_t *ret_count)
{
    *ret_count = g->nodes[node].needs.count;
    return g->nodes[node].needs.nodes;
}

const size_t *graph_needed_by(const struct graph *g, size_t node, size_t *ret_count)
{
    *ret_count = g->nodes[node].needed_by.count;
    return g->nodes[node].needed_by.nodes;
}

struct graph *graph_reverse(struct arena *arena, const struct graph *g)
{
    struct graph *r = graph_new(arena);

    for (size_t i = 0; i < g->count; i++)
        graph_add(r, g->nodes[i].name, g->nodes[i].minutes);
    for (size_t i = 0; i < g->count; i++) {
        for (size_t k = 0; k < g->nodes[i].needs.count; k++)
            graph_edge(r, g->nodes[i].needs.nodes[k], i);
    }
    return r;
}

/* From a node that is left over by the order, a need that is left over too leads into the cycle. */
static size_t next_in_cycle(const struct graph *g, const size_t *waiting, size_t node)
{
    const struct edges *needs = &g->nodes[node].needs;

    for (size_t i = 0; i < needs->count; i++) {
        if (waiting[needs->nodes[i]] > 0)
            return needs->nodes[i];
    }
    return node;
}

static struct err *cycle(const struct graph *g, const size_t *waiting)
{
    size_t at = 0;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    while (waiting[at] == 0)
        at++;
    for (size_t i = 0; i < g->count; i++)
        at = next_in_cycle(g, waiting, at); /* now surely on the cycle, not only before it */
    size_t start = at;

    for (size_t i = next_in_cycle(g, waiting, at); i != at; i = next_in_cycle(g, waiting, i))
        start = i < start ? i : start;
    at = start;
    do {
        buf_addf(&text, "%s -> ", g->nodes[at].name);
        at = next_in_cycle(g, waiting, at);
    } while (at != start);
    return err_new(ERR_CONFIG, 0, "cycle: %s%s", buf_text(&text), g->nodes[start].name);
}

/* A binary heap of indexes, the smallest first. */
struct heap {
    size_t *items;
    size_t count;
};

static void swap(size_t *a, size_t *b)
{
    const size_t t = *a;

    *a = *b;
    *b = t;
}

static void heap_push(struct heap *h, size_t item)
{
    size_t i = h->count++;

    h->items[i] = item;
    for (; i > 0 && h->items[(i - 1) / 2] > h->items[i]; i = (i - 1) / 2)
        swap(&h->items[i], &h->items[(i - 1) / 2]);
}

static size_t heap_pop(struct heap *h)
{
    const size_t top = h->items[0];
    size_t i = 0;

    h->items[0] = h->items[--h->count];
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
            if (child < h->count && h->items[child] < h->items[least])
                least = child;
        }
        if (least == i)
            return top;
        swap(&h->items[i], &h->items[least]);
        i = least;
    }
}

struct err *graph_order(const struct graph *g, size_t **ret)
{
    size_t *order = arena_alloc(g->arena, (g->count + 1) * sizeof(*order));
    AUTO(free) size_t *waiting = xcalloc(g->count + 1, sizeof(*waiting));
    AUTO(free) size_t *room = xcalloc(g->count + 1, sizeof(*room));
    struct heap ready = { .items = room };
    size_t done = 0;

    for (size_t i = 0; i < g->count; i++) {
        waiting[i] = g->nodes[i].needs.count;
        if (waiting[i] == 0)
            heap_push(&ready, i);
    }
    while (ready.count > 0) {
        const size_t node = heap_pop(&ready);
        const struct edges *next = &g->nodes[node].needed_by;

        order[done++] = node;
        for (size_t i = 0; i < next->count; i++) {
            if (--waiting[next->nodes[i]] == 0)
                heap_push(&ready, next->nodes[i]);
        }
    }
    if (done < g->count)
        return cycle(g, waiting);
    *ret = order;
    return NULL;
}

double *graph_remaining(const struct graph *g, const size_t *order)
{
    double *remaining = arena_alloc(g->arena, (g->count + 1) * sizeof(*remaining));

    for (size_t i = g->count; i-- > 0;) {
        const size_t node = order[i];
        const struct edges *next = &g->nodes[node].needed_by;
        double longest = 0;

        for (size_t k = 0; k < next->count; k++) {
            if (remaining[next->nodes[k]] > longest)
                longest = remaining[next->nodes[k]];
        }
        remaining[node] = longest + g->nodes[node].minutes;
    }
    return remaining;
}

/* The node of `list` (all nodes where it is NULL) with the most remaining minutes. */
static size_t longest_of(const double *remaining, const size_t *list, size_t count)
{
    size_t best = GRAPH_NONE;

    for (size_t i = 0; i < count; i++) {
        const size_t node = list == NULL ? i : list[i];

        if (best == GRAPH_NONE || remaining[node] > remaining[best])
            best = node;
    }
    return best;
}

double graph_critical_path(
        const struct graph *g, const size_t *order, size_t **ret_nodes, size_t *ret_count)
{
    const double *remaining = graph_remaining(g, order);
    size_t *path = arena_alloc(g->arena, (g->count + 1) * sizeof(*path));
    size_t count = 0;
    size_t at = longest_of(remaining, NULL, g->count);

    while (at != GRAPH_NONE) {
        path[count++] = at;
        at = longest_of(remaining, g->nodes[at].needed_by.nodes, g->nodes[at].needed_by.count);
    }
    *ret_nodes = path;
    *ret_count = count;
    return count == 0 ? 0 : remaining[path[0]];
}
