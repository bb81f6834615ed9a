/*
 * refresh.c - what exists. Nodes are looked up as soon as their ids are known, those of one
 * collection by one list. Lists lag: what state or journal knows and a list lacks is asked for.
 * What stands below something absent is absent, and what a parent's answer holds is not asked for
 * again.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"

enum lookup_state { LOOKUP_WAITING, LOOKUP_ASKED, LOOKUP_SETTLED };

struct lookup {
    struct refresh *refresh;
    size_t index;
    enum lookup_state state;
};

struct collection {
    struct refresh *refresh;
    char *key;
    struct engine_node *first; /* its id and kind name the collection */
    size_t *waiting;
    size_t count, capacity;
    bool is_sent;
    bool is_done;
    json_t *members; /* array; NULL when reading it was refused */
    char *denied;
    struct collection *next;
};

struct refresh {
    struct engine *e;
    struct lookup *lookups;
    struct collection *collections;
    struct err *error; /* the first one */
};

static void keep_error(struct refresh *r, struct err *e)
{
    if (r->error == NULL)
        r->error = e;
    else
        err_ignore(e, "the first error of a refresh is the one that is told");
}

static void settle(struct refresh *r, size_t i, enum node_presence presence, json_t *document)
{
    struct engine_node *n = r->e->nodes[i];

    n->presence = presence;
    json_decref(n->actual);
    n->actual = presence == NODE_PRESENT ? json_incref(document) : NULL;
    r->lookups[i].state = LOOKUP_SETTLED;
    resolve_view(r->e, i);
}

/* ---- one resource ---- */

static void on_read(void *arg, const struct cloud_result *result)
{
    struct lookup *l = arg;
    struct refresh *r = l->refresh;
    struct engine_node *n = r->e->nodes[l->index];

    r->e->outstanding--;
    r->e->was_called = true;
    if (result->e == NULL) {
        settle(r, l->index,
                result->is_absent || result->document == NULL ? NODE_ABSENT : NODE_PRESENT,
                result->document);
    } else if (err_kind(result->e) == ERR_DENIED) {
        engine_set_text(&n->denied, xstrdup(err_text(result->e)));
        err_free(result->e);
        settle(r, l->index, NODE_DENIED, NULL);
    } else {
        keep_error(r, err_wrap(result->e, "%s: read", n->address));
        settle(r, l->index, NODE_DENIED, NULL);
    }
}

static void read_one(struct refresh *r, size_t i)
{
    struct engine_node *n = r->e->nodes[i];

    r->lookups[i].state = LOOKUP_ASKED;
    r->e->outstanding++;
    r->e->setup.cloud->ops->read(
            r->e->setup.cloud, n->kind, n->id, engine_deadline(r->e, n), on_read, &r->lookups[i]);
}

static bool is_known_to_us(const struct engine *e, const struct engine_node *n)
{
    AUTO(free) char *key = state_id_key(n->id);

    return n->entry != NULL
           || json_object_get(json_object_get(state_document(e->setup.state), "intents"), key)
                      != NULL;
}

static json_t *find_member(const struct engine *e, const json_t *members, const char *id)
{
    size_t i = 0;
    json_t *member = NULL;

    json_array_foreach ((json_t *)(uintptr_t)members, i, member) {
        const char *member_id = jsonx_text(member, "id");

        if (member_id != NULL && e->setup.cloud->ops->same_id(member_id, id))
            return member;
    }
    return NULL;
}

/* Concludes from a list; what it lacks although we know of it is asked for. */
static void judge(struct refresh *r, size_t i, const json_t *members)
{
    struct engine_node *n = r->e->nodes[i];
    json_t *member = find_member(r->e, members, n->id);

    if (member != NULL)
        settle(r, i, NODE_PRESENT, member);
    else if (is_known_to_us(r->e, n))
        read_one(r, i);
    else
        settle(r, i, NODE_ABSENT, NULL);
}

/* ---- collections ---- */

static void conclude(struct collection *c, size_t i)
{
    struct engine_node *n = c->refresh->e->nodes[i];

    if (c->members != NULL) {
        judge(c->refresh, i, c->members);
        return;
    }
    engine_set_text(&n->denied, xstrdup(c->denied == NULL ? "not allowed" : c->denied));
    settle(c->refresh, i, NODE_DENIED, NULL);
}

static void on_list(void *arg, const struct cloud_result *result)
{
    struct collection *c = arg;

    c->refresh->e->outstanding--;
    c->refresh->e->was_called = true;
    c->is_done = true;
    if (result->e == NULL) {
        c->members =
                result->document == NULL ? jsonx_must(json_array()) : json_incref(result->document);
    } else if (err_kind(result->e) == ERR_DENIED) {
        c->denied = xstrdup(err_text(result->e));
        err_free(result->e);
    } else if (err_kind(result->e) == ERR_API && err_code(result->e) == 404) {
        c->members = jsonx_must(json_array()); /* what it would be in is not there */
        err_free(result->e);
    } else {
        keep_error(c->refresh, err_wrap(result->e, "%s: list", c->first->address));
        c->members = jsonx_must(json_array());
    }
    for (size_t i = 0; i < c->count; i++)
        conclude(c, c->waiting[i]);
    c->count = 0;
}

static struct collection *find_collection(struct refresh *r, char *key, struct engine_node *n)
{
    for (struct collection *c = r->collections; c != NULL; c = c->next) {
        if (text_eq(c->key, key)) {
            free(key);
            return c;
        }
    }
    struct collection *c = xcalloc(1, sizeof(*c));

    *c = (struct collection){ .refresh = r, .key = key, .first = n, .next = r->collections };
    r->collections = c;
    return c;
}

/* Whether another node of the model will look into the same collection, now or later. */
static bool has_siblings(const struct engine *e, const struct engine_node *n)
{
    unsigned count = 0;

    for (size_t i = 0; i < e->count && count < 2; i++) {
        const struct engine_node *other = e->nodes[i];

        if (other->kind != n->kind || other == n)
            continue;
        if (n->kind->scope == KIND_SCOPE_GROUP || n->kind->scope == KIND_SCOPE_SUBSCRIPTION)
            count += 2;
        else if (n->resource != NULL && other->resource != NULL)
            count += json_equal(n->resource->parent, other->resource->parent) == 1
                                     || (n->resource->scope_id != NULL
                                             && json_equal(n->resource->scope_id,
                                                        other->resource->scope_id)
                                                        == 1)
                             ? 2
                             : 0;
    }
    return count > 0;
}

static void send_collections(struct refresh *r)
{
    for (struct collection *c = r->collections; c != NULL; c = c->next) {
        if (c->is_sent || c->count == 0)
            continue;
        if (c->count == 1 && !has_siblings(r->e, r->e->nodes[c->waiting[0]])) {
            read_one(r, c->waiting[0]);
            c->count = 0;
            continue;
        }
        c->is_sent = true;
        r->e->outstanding++;
        r->e->setup.cloud->ops->list(r->e->setup.cloud, c->first->kind, c->first->id,
                engine_deadline(r->e, c->first), on_list, c);
    }
}

static void free_collections(struct refresh *r)
{
    while (r->collections != NULL) {
        struct collection *next = r->collections->next;

        json_decref(r->collections->members);
        free(r->collections->key);
        free(r->collections->waiting);
        free(r->collections->denied);
        free(r->collections);
        r->collections = next;
    }
}

/* ---- what needs no request ---- */

static bool is_below(const char *inner, const char *outer)
{
    const size_t len = strlen(outer);

    return str_starts_ci(str_of(inner), str_of(outer)) && inner[len] == '/';
}

/* The closest of what it depends on in whose id its own stands, or NULL. */
static const struct engine_node *find_container(const struct engine *e, const struct engine_node *n)
{
    const struct engine_node *best = NULL;

    for (size_t d = 0; n->resource != NULL && d < n->resource->depends_on_count; d++) {
        const struct engine_node *other = engine_find(e, n->resource->depends_on[d]);

        if (other != NULL && other->id != NULL && is_below(n->id, other->id)
                && (best == NULL || strlen(other->id) > strlen(best->id)))
            best = other;
    }
    return best;
}

/* Whether the answer is in what was read already. */
static bool settle_without_request(struct refresh *r, size_t i)
{
    struct engine_node *n = r->e->nodes[i];
    const struct engine_node *container = find_container(r->e, n);

    if (container == NULL)
        return false;
    if (container->presence == NODE_ABSENT) {
        settle(r, i, NODE_ABSENT, NULL);
        return true;
    }
    const char *path = jsonx_text(n->kind->document, "in_parent");
    const json_t *members = path == NULL || container->presence != NODE_PRESENT
                                    ? NULL
                                    : jsonx_at_ci(container->actual, path);

    if (!json_is_array(members))
        return false;
    judge(r, i, members);
    return true;
}

/* ---- the rounds ---- */

static bool are_needs_settled(const struct refresh *r, const struct engine_node *n)
{
    for (size_t d = 0; n->resource != NULL && d < n->resource->depends_on_count; d++) {
        const size_t on = engine_index(r->e, n->resource->depends_on[d]);

        if (on != SIZE_MAX && r->lookups[on].state != LOOKUP_SETTLED)
            return false;
    }
    return true;
}

static struct err *look_up(struct refresh *r, size_t i)
{
    struct engine *e = r->e;
    struct engine_node *n = e->nodes[i];

    e->wants_action = false;
    struct err *error = resolve_id(e, i);

    if (error != NULL)
        return err_wrap(error, "%s", n->address);
    if (e->wants_action)
        return NULL; /* a name that hangs on an action: next round */
    if (n->id == NULL) {
        settle(r, i, NODE_ABSENT, NULL);
        return NULL;
    }
    if (settle_without_request(r, i))
        return NULL;
    if (n->resource != NULL && n->resource->existing != NULL) {
        read_one(r, i); /* others' collections are none of our business */
        return NULL;
    }
    struct collection *c =
            find_collection(r, e->setup.cloud->ops->collection(e->setup.cloud, n->kind, n->id), n);

    if (c->is_done) {
        conclude(c, i);
        return NULL;
    }
    GROW(c->waiting, c->count, c->capacity);
    c->waiting[c->count++] = i;
    r->lookups[i].state = LOOKUP_ASKED;
    return NULL;
}

/* Goes through the nodes until nothing new can be looked up; *ret_left counts what is not settled.
 */
static struct err *round_of_lookups(struct refresh *r, size_t *ret_left)
{
    size_t left = 0;

    for (size_t i = 0; i < r->e->count; i++) {
        if (r->lookups[i].state == LOOKUP_WAITING && are_needs_settled(r, r->e->nodes[i]))
            TRY(look_up(r, i));
        left += r->lookups[i].state != LOOKUP_SETTLED;
    }
    send_collections(r);
    resolve_fetch_actions(r->e);
    *ret_left = left;
    return NULL;
}

static struct err *settle_all(struct refresh *r)
{
    struct engine *e = r->e;

    for (;;) {
        size_t left = 0;

        TRY(round_of_lookups(r, &left));
        if (left == 0)
            return NULL;
        TRY(cancel_check());
        if (e->outstanding == 0)
            return err_new(ERR_INTERNAL, 0, "refresh: %zu resources can't be looked up", left);
        TRY(engine_turn(e, 0));
        if (r->error != NULL)
            return TAKE(r->error);
    }
}

static struct err *refresh_from(struct refresh *r, size_t first)
{
    struct engine *e = r->e;
    struct lookup *lookups = arena_alloc(e->arena, (e->count + 1) * sizeof(*lookups));

    for (size_t i = 0; i < e->count; i++)
        lookups[i] = (struct lookup){
            .refresh = r,
            .index = i,
            .state = i < first ? LOOKUP_SETTLED : LOOKUP_WAITING,
        };
    r->lookups = lookups;
    struct err *error = settle_all(r);

    return engine_late(e, error == NULL ? TAKE(r->error) : error);
}

static void release(void *object)
{
    struct refresh *r = object;

    free_collections(r);
    err_ignore(r->error, "the run ended before");
}

struct err *engine_refresh(struct engine *e)
{
    /* Lives as long as the engine: a run that ends early leaves requests whose callbacks point
     * here.
     */
    struct refresh *r = arena_alloc(e->arena, sizeof(*r));
    const size_t of_model = e->count;

    r->e = e;
    arena_hook(e->arena, release, r);
    TRY(refresh_from(r, 0));
    TRY(engine_add_orphans(e));
    return e->count > of_model ? refresh_from(r, of_model) : NULL;
}
