#include "plan/plan.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "graph/graph.h"
#include "plan/decide.h"
#include "state/state.h"

static const char *const action_names[] = { "none", "create", "update", "replace", "delete", "move",
    "adopt", "read", "forget", "reset", "unknown" };
_Static_assert(ARRAY_LEN(action_names) == PLAN_ACTION_COUNT, "a name for each action");

const char *plan_action_name(enum plan_action action)
{
    return action_names[action];
}

/* A plan under construction; indexes of items by id key and by address of the file. */
struct build {
    struct arena *arena;
    const struct plan_input *in;
    struct plan_item *items;
    const char **keys; /* of the items, NULL where there is no id */
    size_t count;
    json_t *by_key;
    json_t *ours; /* key -> true: what a subject makes; any other of that id only reads it */
    json_t *by_address;
    json_t *entry_by_address; /* address -> key, of the state */
};

static void build_release(struct build *b)
{
    json_decref(b->by_key);
    json_decref(b->ours);
    json_decref(b->by_address);
    json_decref(b->entry_by_address);
}

static void put_index(json_t *map, const char *name, size_t index)
{
    json_object_set_new(map, name, jsonx_must(json_integer((json_int_t)index)));
}

static size_t index_of(const json_t *map, const char *name)
{
    const json_t *i = name == NULL ? NULL : json_object_get(map, name);

    return i == NULL ? GRAPH_NONE : (size_t)json_integer_value(i);
}

/* ---- items ---- */

static const json_t *entries_of(const struct build *b)
{
    return json_object_get(b->in->state, "entries");
}

static const char *key_of_subject(const struct build *b, const struct plan_subject *s)
{
    if (s->id == NULL) /* its entry knows what it was called */
        return jsonx_text(b->entry_by_address, s->resource->address);
    AUTO(free) char *key = state_id_key(s->id);

    return arena_text(b->arena, key);
}

static struct err *one_resource(const char *one, const char *other, const char *key)
{
    struct err *e = err_new(ERR_CONFIG, 0, "%s and %s are one resource: %s", one, other, key);

    err_set_hint(e, "give one of them another name, or take it out");
    return e;
}

static struct err *add_subject(struct build *b, const struct plan_subject *s)
{
    const char *key = key_of_subject(b, s);
    const size_t twin = index_of(b->by_key, key);
    const bool is_read = s->resource->existing != NULL;
    const bool is_ours_elsewhere = is_read && key != NULL && json_object_get(b->ours, key) != NULL;
    const json_t *entry =
            key == NULL || is_ours_elsewhere ? NULL : json_object_get(entries_of(b), key);

    if (twin != GRAPH_NONE && !is_read && b->items[twin].action != PLAN_READ)
        return one_resource(b->items[twin].address, s->resource->address, key);
    decide_subject(b->arena, b->in, s, key, entry, &b->items[b->count]);
    b->keys[b->count] = key;
    if (key != NULL && (twin == GRAPH_NONE || !is_read))
        put_index(b->by_key, key, b->count);
    put_index(b->by_address, s->resource->address, b->count);
    b->count++;
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that a plan doesn't depend on the order in which entries were written. */
static void add_leftovers(struct build *b)
{
    const json_t *entries = entries_of(b);
    AUTO(free) const char **keys = xcalloc(json_object_size(entries) + 1, sizeof(*keys));
    size_t count = 0;
    const size_t subjects = b->count;
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach ((json_t *)(uintptr_t)entries, key, entry)
        keys[count++] = key;
    qsort((void *)keys, count, sizeof(*keys), by_text);
    for (size_t i = 0; i < count; i++) {
        entry = json_object_get(entries, keys[i]);
        if (index_of(b->by_key, keys[i]) < subjects)
            continue;
        const bool in_file = index_of(b->by_address, jsonx_text(entry, "address")) < subjects;

        decide_leftover(b->arena, b->in, keys[i], entry, in_file, &b->items[b->count]);
        put_index(b->by_key, keys[i], b->count);
        b->keys[b->count++] = arena_text(b->arena, keys[i]);
    }
}

static void index_entries(struct build *b)
{
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach ((json_t *)(uintptr_t)entries_of(b), key, entry) {
        const char *address = jsonx_text(entry, "address");

        if (address != NULL)
            json_object_set_new(b->entry_by_address, address, jsonx_must(json_string(key)));
    }
}

static void note_ours(struct build *b, const struct plan_subject *s)
{
    const char *key = s->resource->existing == NULL ? key_of_subject(b, s) : NULL;

    if (key != NULL)
        json_object_set_new(b->ours, key, json_true());
}

/* ---- what lies below what goes ---- */

/*
 * A deleted group does not take its members along here: each is deleted by itself, so that what is
 * not ours keeps the group. A replaced one has to be empty.
 */
static bool takes_along(const struct plan_item *parent)
{
    if (parent->action == PLAN_REPLACE)
        return true;
    return parent->action == PLAN_DELETE && (parent->kind == NULL || !parent->kind->is_group);
}

static void go_along(struct plan_item *child, const struct plan_item *parent, struct arena *arena)
{
    const bool is_there = child->actual != NULL || child->action == PLAN_UNKNOWN;

    if (child->action == PLAN_READ || child->action == PLAN_CREATE || !is_there)
        return;
    const bool is_first = child->kind != NULL && child->kind->is_deleted_first;

    if (child->subject == NULL) {
        if (child->action == PLAN_DELETE || child->action == PLAN_FORGET
                || child->action == PLAN_RESET) {
            child->action = PLAN_DELETE;
            child->changes.count = 0;
        }
        child->goes_with = is_first ? NULL : parent->address;
        return;
    }
    child->action = PLAN_REPLACE;
    child->reason = arena_printf(arena, "goes with %s", parent->address);
    child->goes_with = is_first ? NULL : parent->address;
}

/* The highest item above `key` that goes and takes it along, or NULL. */
static const struct plan_item *goes_above(const struct build *b, const char *key)
{
    AUTO(free) char *prefix = xstrdup(key);

    for (char *slash = strchr(prefix + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const size_t i = index_of(b->by_key, prefix);

        *slash = '/';
        if (i != GRAPH_NONE && takes_along(&b->items[i]))
            return &b->items[i];
    }
    return NULL;
}

static void find_children(struct build *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct plan_item *above =
                b->keys[i] == NULL || b->keys[i][0] == '\0' ? NULL : goes_above(b, b->keys[i]);

        if (above != NULL)
            go_along(&b->items[i], above, b->arena);
    }
}

/* ---- order ---- */

struct index_list {
    size_t *items;
    size_t count;
    size_t capacity;
};

struct edges {
    struct index_list *needs;        /* by item */
    struct index_list *delete_needs; /* by item */
    struct index_list *soft;         /* needs that may be dropped */
    struct index_list *barred;       /* delete_needs that may be dropped */
};

static void list_add(struct index_list *l, size_t index)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i] == index)
            return;
    }
    GROW(l->items, l->count, l->capacity);
    l->items[l->count++] = index;
}

static bool has_delete(const struct plan_item *i)
{
    return (i->action == PLAN_DELETE || i->action == PLAN_REPLACE) && i->goes_with == NULL;
}

/* The item that an address meant when the entry was written: first what is left over of it. */
static size_t recorded_item(const struct build *b, const char *address)
{
    const size_t recorded = index_of(b->by_key, jsonx_text(b->entry_by_address, address));

    return recorded != GRAPH_NONE ? recorded : index_of(b->by_address, address);
}

/* By what the state recorded: the deletion of `of` waits for those that hung on it. */
static void add_recorded_edges(struct build *b, struct edges *e, size_t user)
{
    const json_t *list = json_object_get(b->items[user].entry, "depends_on");
    size_t i = 0;
    json_t *address = NULL;

    json_array_foreach (list, i, address) {
        const size_t used =
                json_is_string(address) ? recorded_item(b, json_string_value(address)) : GRAPH_NONE;

        if (used == GRAPH_NONE || used == user || !has_delete(&b->items[used]))
            continue;
        if (has_delete(&b->items[user]))
            list_add(&e->delete_needs[used], user);
        else if (b->items[user].subject != NULL && b->items[used].subject == NULL)
            list_add(&e->soft[used], user);
    }
}

static void add_declared_edges(struct build *b, struct edges *e, size_t user)
{
    const struct resource *r =
            b->items[user].subject == NULL ? NULL : b->items[user].subject->resource;

    for (size_t i = 0; r != NULL && i < r->depends_on_count; i++) {
        const size_t used = index_of(b->by_address, r->depends_on[i]);

        if (used == GRAPH_NONE || used == user)
            continue;
        list_add(&e->needs[user], used);
        if (has_delete(&b->items[used]) && has_delete(&b->items[user]))
            list_add(&e->delete_needs[used], user);
    }
}

/* A new name at an old address: the old one goes first, as both may claim one thing. */
static void add_rename_edge(struct build *b, struct edges *e, size_t leftover)
{
    const size_t now = index_of(b->by_address, b->items[leftover].address);

    if (b->items[leftover].subject == NULL && now != GRAPH_NONE
            && has_delete(&b->items[leftover])) {
        list_add(&e->needs[now], leftover);
        e->soft[leftover].count = 0; /* who used it waits for the new one, which waits for this */
    }
}

/* What an extension hangs on: its id without "/providers/TYPE/NAME". 0 where it is none. */
static size_t scope_length(const char *key, const struct kind *kind)
{
    AUTO(free) char *mark = xasprintf("/providers/%s/", kind->type);
    size_t length = 0;

    for (const char *at = strcasestr(key, mark); at != NULL; at = strcasestr(at + 1, mark))
        length = (size_t)(at - key);
    return length;
}

static bool is_below(const char *key, const char *above, size_t length)
{
    return strncmp(key, above, length) == 0 && key[length] == '/';
}

/* What a barrier (a lock) bars from being deleted, and what is above that, waits for it to go. */
static void add_barrier(struct build *b, struct edges *e, size_t barrier)
{
    const struct plan_item *item = &b->items[barrier];
    const char *key = b->keys[barrier];

    if (item->kind == NULL || !item->kind->is_barrier || !has_delete(item) || key == NULL)
        return;
    const size_t length = scope_length(key, item->kind);

    for (size_t i = 0; length > 0 && i < b->count; i++) {
        const char *other = b->keys[i];
        const bool is_barrier = b->items[i].kind != NULL && b->items[i].kind->is_barrier;

        if (other == NULL || is_barrier || !has_delete(&b->items[i]))
            continue;
        if (is_below(other, key, length) || is_below(key, other, strlen(other)))
            list_add(&e->barred[i], barrier);
    }
}

/* Below something: the parent's deletion takes it along, its creation waits for the parent's. */
static struct graph *make_graph(struct build *b, const struct edges *e, bool with_soft)
{
    struct graph *g = graph_new(b->arena);

    for (size_t i = 0; i < b->count; i++) {
        const struct plan_item *item = &b->items[i];

        graph_add(g,
                item->subject != NULL ? item->address
                                      : arena_printf(b->arena, "%s (%s)", item->address, item->id),
                item->minutes);
    }
    for (size_t i = 0; i < b->count; i++)
        graph_add(g, arena_printf(b->arena, "deletion of %s (%zu)", b->items[i].address, i), 0);
    for (size_t i = 0; i < b->count; i++) {
        graph_edge(g, i, b->count + i);
        for (size_t k = 0; k < e->needs[i].count; k++)
            graph_edge(g, i, e->needs[i].items[k]);
        for (size_t k = 0; k < e->delete_needs[i].count; k++)
            graph_edge(g, b->count + i, b->count + e->delete_needs[i].items[k]);
        for (size_t k = 0; with_soft && k < e->soft[i].count; k++)
            graph_edge(g, b->count + i, e->soft[i].items[k]);
        for (size_t k = 0; with_soft && k < e->barred[i].count; k++)
            graph_edge(g, b->count + i, b->count + e->barred[i].items[k]);
    }
    return g;
}

static const size_t *to_arena(
        struct build *b, const struct index_list *l, const size_t *place, size_t *ret_count)
{
    size_t *copy = arena_alloc(b->arena, (l->count + 1) * sizeof(*copy));

    for (size_t i = 0; i < l->count; i++)
        copy[i] = place[l->items[i]];
    *ret_count = l->count;
    return copy;
}

static void finish(struct build *b, struct edges *e, const size_t *order, struct plan *plan)
{
    AUTO(free) size_t *place = xcalloc(b->count + 1, sizeof(*place));

    plan->items = arena_alloc(b->arena, (b->count + 1) * sizeof(*plan->items));
    for (size_t i = 0; i < 2 * b->count; i++) {
        if (order[i] < b->count) {
            place[order[i]] = plan->count;
            plan->items[plan->count++] = b->items[order[i]];
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        struct plan_item *item = &plan->items[place[i]];

        for (size_t k = 0; k < e->soft[i].count; k++)
            list_add(&e->needs[i], e->soft[i].items[k]);
        for (size_t k = 0; k < e->barred[i].count; k++)
            list_add(&e->delete_needs[i], e->barred[i].items[k]);
        item->needs = to_arena(b, &e->needs[i], place, &item->need_count);
        item->delete_needs = to_arena(b, &e->delete_needs[i], place, &item->delete_need_count);
        plan->counts[item->action]++;
    }
}

static struct err *order_items(struct build *b, struct edges *e, struct plan *plan)
{
    size_t *order = NULL;
    struct err *with_soft = graph_order(make_graph(b, e, true), &order);

    if (with_soft != NULL) {
        err_ignore(with_soft, "who used what goes may itself wait for it: then nothing can wait");
        for (size_t i = 0; i < b->count; i++)
            e->soft[i].count = e->barred[i].count = 0;
        TRY(graph_order(make_graph(b, e, false), &order));
    }
    finish(b, e, order, plan);
    return NULL;
}

static struct err *connect_items(struct build *b, struct plan *plan)
{
    const size_t n = b->count + 1;
    struct edges e = { .needs = xcalloc(n, sizeof(*e.needs)),
        .delete_needs = xcalloc(n, sizeof(*e.delete_needs)),
        .soft = xcalloc(n, sizeof(*e.soft)),
        .barred = xcalloc(n, sizeof(*e.barred)) };

    for (size_t i = 0; i < b->count; i++) {
        add_declared_edges(b, &e, i);
        add_recorded_edges(b, &e, i);
    }
    for (size_t i = 0; i < b->count; i++) {
        add_rename_edge(b, &e, i);
        add_barrier(b, &e, i);
    }
    struct err *err = order_items(b, &e, plan);

    for (size_t i = 0; i < n; i++) {
        free(e.needs[i].items);
        free(e.delete_needs[i].items);
        free(e.soft[i].items);
        free(e.barred[i].items);
    }
    free(e.needs);
    free(e.delete_needs);
    free(e.soft);
    free(e.barred);
    return err;
}

/* ---- all together ---- */

static struct err *build(struct build *b, struct plan *plan)
{
    const struct plan_input *in = b->in;
    const size_t subjects = in->is_destroy ? 0 : in->subject_count;
    const size_t most = subjects + json_object_size(entries_of(b)) + 1;

    b->items = arena_alloc(b->arena, most * sizeof(*b->items));
    b->keys = arena_alloc(b->arena, most * sizeof(*b->keys));
    index_entries(b);
    for (size_t i = 0; i < subjects; i++)
        note_ours(b, &in->subjects[i]);
    for (size_t i = 0; i < subjects; i++)
        TRY(add_subject(b, &in->subjects[i]));
    add_leftovers(b);
    find_children(b);
    for (size_t i = 0; i < b->count; i++)
        decide_consequences(b->arena, &b->items[i]);
    return connect_items(b, plan);
}

struct err *plan_build(struct arena *arena, const struct plan_input *in, struct plan **ret)
{
    struct build b = { .arena = arena,
        .in = in,
        .by_key = jsonx_must(json_object()),
        .ours = jsonx_must(json_object()),
        .by_address = jsonx_must(json_object()),
        .entry_by_address = jsonx_must(json_object()) };
    struct plan *plan = arena_alloc(arena, sizeof(*plan));

    plan->arena = arena;
    struct err *e = build(&b, plan);

    build_release(&b);
    if (e == NULL)
        *ret = plan;
    return e;
}

bool plan_has_changes(const struct plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct plan_item *item = &p->items[i];

        if (item->action == PLAN_READ ? item->entry != NULL
                                      : item->action != PLAN_NONE && item->action != PLAN_UNKNOWN)
            return true;
    }
    return false;
}
