/*
 * planning.c - brings documents, state and cloud together for plan/, which decides. Documents are
 * resolved in dependency order, so that a change shows in what refers to it before it is made.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"

/* ---- documents, in order ---- */

/* The resource of the stack that makes what another one names as existing, or NULL. */
static const struct engine_node *maker_of(const struct engine *e, const struct engine_node *n)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct engine_node *other = e->nodes[i];

        if (other->resource != NULL && other->resource->existing == NULL && other->id != NULL
                && e->setup.cloud->ops->same_id(other->id, n->id))
            return other;
    }
    return NULL;
}

/* Its id refers to what is not there yet, or to itself. */
static struct err *not_made_yet(const struct engine_node *n)
{
    const char *left = jsonx_text(n->resource->existing, "$expr");
    struct err *e = err_new(ERR_CONFIG, 0,
            "%s: the id under `existing` follows from what is not made yet: ${%s}", n->address,
            left == NULL ? "" : left);

    err_set_hint(e, "write the id itself (%s:%d), or apply the stack without it first",
            n->resource->place.file, n->resource->place.line);
    return e;
}

static struct err *check_existing(const struct engine *e, const struct engine_node *n)
{
    if (n->resource == NULL || n->resource->existing == NULL || n->presence != NODE_ABSENT)
        return NULL;
    if (n->id == NULL)
        return not_made_yet(n);
    struct err *error = err_new(
            ERR_CONFIG, 0, "%s: %s is named as existing, but it is not there", n->address, n->id);
    const struct engine_node *maker = maker_of(e, n);

    if (maker != NULL)
        err_set_hint(error, "%s makes it: take it out of `existing`", maker->address);
    else
        err_set_hint(error,
                "mend the id under `existing` in the stack file, or take it out to have "
                "one made; a login without rights there sees nothing, too");
    return error;
}

static struct diff_input diff_of(const struct engine_node *n)
{
    const char *address = jsonx_text(n->entry, "address");

    return (struct diff_input){
        .kind = n->kind,
        .desired = n->desired,
        .desired_stored = n->desired_stored,
        .last_applied = json_object_get(n->entry, "last_applied"),
        .actual = n->actual,
        .observed = json_object_get(n->entry, "observed"),
        .has_moved = address != NULL && !text_eq(address, n->address),
    };
}

static bool is_ours_to_write(const struct engine_node *n)
{
    return n->resource != NULL && n->resource->existing == NULL;
}

static void compare(struct engine *e, struct engine_node *n)
{
    const struct diff_input in = diff_of(n);

    n->changes = (struct change_list){ 0 };
    n->action = n->presence == NODE_ABSENT ? PLAN_CREATE : PLAN_NONE;
    if (n->presence != NODE_PRESENT || !is_ours_to_write(n))
        return;
    plan_diff(e->arena, &in, &n->changes, NULL);
    n->action = n->changes.count > 0 ? PLAN_UPDATE : PLAN_NONE;
    for (size_t i = 0; i < n->changes.count; i++) {
        if (n->changes.items[i].forces_replacement)
            n->action = PLAN_REPLACE;
    }
}

/* One pass, up to where answers of actions are missing. */
static struct err *resolve_pass(struct engine *e, bool *is_final, size_t *ret_left)
{
    *ret_left = 0;
    for (size_t i = 0; i < e->count; i++) {
        struct engine_node *n = e->nodes[i];

        if (is_final[i])
            continue;
        is_final[i] = true;
        TRY(check_existing(e, n));
        if (is_ours_to_write(n)) {
            struct err *error = resolve_desired(e, i, &is_final[i]);

            if (error != NULL)
                return err_wrap(error, "%s", n->address);
        }
        if (!is_final[i]) {
            (*ret_left)++;
            continue;
        }
        compare(e, n);
        resolve_view(e, i);
    }
    return NULL;
}

static struct err *resolve_all(struct engine *e)
{
    bool *is_final = arena_alloc(e->arena, e->count + 1);
    size_t left = 0;

    do {
        TRY(resolve_pass(e, is_final, &left));
        resolve_fetch_actions(e);
        TRY(engine_drain(e));
        TRY(resolve_take_error(e));
    } while (left > 0);
    return NULL;
}

/* ---- the plan ---- */

static json_t *actual_of(const struct engine_node *n)
{
    if (n->presence == NODE_DENIED)
        return jsonx_must(json_pack("{s:s}", "$denied", n->denied == NULL ? "" : n->denied));
    return n->presence == NODE_PRESENT ? json_incref(n->actual) : json_null();
}

static const struct engine_node *node_of(const struct engine *e, const struct resource *r)
{
    return engine_find(e, r->address);
}

/* The plan borrows what it is made of: that has to outlive what the run changes. */
static json_t *freeze(struct engine *e, json_t *j)
{
    if (j != NULL)
        arena_hook(e->arena, (void (*)(void *))json_decref, j);
    return j;
}

static void collect(struct engine *e, struct plan_input *in)
{
    const struct model *m = e->setup.model;
    struct plan_subject *subjects =
            arena_alloc(e->arena, (m->resource_count + 1) * sizeof(*subjects));
    json_t *actual = freeze(e, jsonx_must(json_object()));

    for (size_t i = 0; i < m->resource_count; i++) {
        const struct engine_node *n = node_of(e, &m->resources[i]);

        subjects[i] = (struct plan_subject){
            .resource = &m->resources[i],
            .id = n->id == NULL ? NULL : arena_text(e->arena, n->id),
            .desired = is_ours_to_write(n) ? freeze(e, json_incref(n->desired)) : NULL,
            .desired_stored =
                    is_ours_to_write(n) ? freeze(e, json_incref(n->desired_stored)) : NULL,
        };
    }
    for (size_t i = 0; i < e->count; i++) {
        AUTO(free) char *key = e->nodes[i]->id == NULL ? NULL : state_id_key(e->nodes[i]->id);

        if (key != NULL)
            json_object_set_new(actual, key, actual_of(e->nodes[i]));
    }
    in->subjects = subjects;
    in->subject_count = m->resource_count;
    in->actual = actual;
}

static size_t node_of_item(const struct engine *e, const struct plan_item *item)
{
    const size_t named = engine_index(e, item->address);

    if (item->subject != NULL)
        return named;
    if (named != SIZE_MAX && e->nodes[named]->id != NULL && item->id != NULL
            && e->setup.cloud->ops->same_id(e->nodes[named]->id, item->id))
        return named; /* not another that names the same as existing */
    for (size_t i = 0; i < e->count; i++) {
        if (e->nodes[i]->id != NULL && item->id != NULL
                && e->setup.cloud->ops->same_id(e->nodes[i]->id, item->id))
            return i;
    }
    return SIZE_MAX;
}

/* Nobody would call it somebody else's when it came with a resource that we made. */
static bool came_with_ours(const struct engine *e, const struct engine_node *n)
{
    for (size_t d = 0; n->resource != NULL && d < n->resource->depends_on_count; d++) {
        const struct engine_node *on = engine_find(e, n->resource->depends_on[d]);

        if (on != NULL && on->id != NULL && !on->kind->is_group && on->entry != NULL
                && str_starts_ci(str_of(n->id), str_of(on->id)) && n->id[strlen(on->id)] == '/')
            return true;
    }
    return false;
}

/* What was written but not seen ready is waited for once more. */
static void repair(struct engine *e, struct plan_item *item, const struct engine_node *n)
{
    if ((item->action != PLAN_NONE && item->action != PLAN_MOVE) || !is_ours_to_write(n)
            || !text_eq(jsonx_text(n->entry, "status"), "unready"))
        return;
    e->plan->counts[item->action]--;
    item->action = PLAN_UPDATE;
    item->reason = "was written, but not seen ready: it is waited for";
    e->plan->counts[item->action]++;
}

/* Why a value is not known: an action or a resource that may not be read; NULL for other reasons.
 */
static const char *denied_in(const struct engine *e, const json_t *value)
{
    const char *what = NULL;

    if (!expr_has_unknown(value, &what))
        return NULL;
    for (size_t i = 0; what != NULL && i < e->count; i++) {
        const struct engine_node *n = e->nodes[i];

        if (n->presence == NODE_DENIED && strstr(what, n->address) != NULL)
            return arena_printf(e->arena, "%s may not be read", n->address);
    }
    return e->denied_action;
}

/*
 * What depends on a value that could not be read is not compared, the rest is: a Reader's plan must
 * not say that everything with a key in it changes.
 */
static void drop_uncompared(struct engine *e, struct plan_item *item)
{
    const char *why = NULL;
    size_t kept = 0;

    if (item->action != PLAN_UPDATE)
        return;
    for (size_t i = 0; i < item->changes.count; i++) {
        const struct change *c = &item->changes.items[i];
        const char *denied = c->new_value == NULL ? NULL : denied_in(e, c->new_value);

        if (denied == NULL)
            item->changes.items[kept++] = *c;
        else
            why = denied;
    }
    if (why == NULL)
        return;
    item->changes.count = kept;
    item->reason = arena_printf(e->arena, "not compared in full: %s", why);
    if (kept > 0)
        return;
    e->plan->counts[item->action]--;
    item->action = PLAN_UNKNOWN;
    e->plan->counts[item->action]++;
}

static size_t *copy_indexes(const size_t *list, size_t count, const size_t *index)
{
    size_t *copy = xcalloc(count + 1, sizeof(*copy));

    for (size_t i = 0; i < count; i++)
        copy[i] = index[list[i]];
    return copy;
}

/* Hangs the items on their nodes, and the needs as indexes of nodes. */
static struct err *attach(struct engine *e)
{
    size_t *index = arena_alloc(e->arena, (e->plan->count + 1) * sizeof(*index));

    for (size_t k = 0; k < e->plan->count; k++) {
        struct plan_item *item = &e->plan->items[k];

        index[k] = node_of_item(e, item);
        if (index[k] == SIZE_MAX)
            return err_new(ERR_INTERNAL, 0, "plan: %s is no node", item->address);
        struct engine_node *n = e->nodes[index[k]];

        repair(e, item, n);
        drop_uncompared(e, item);
        n->item = item;
        n->action = item->action;
        n->changes = item->changes;
        if (n->is_going && item->action == PLAN_CREATE)
            item->reason = "is being deleted: that is waited for, then it is made anew";
        if (n->is_going_along && item->action == PLAN_CREATE)
            item->reason = "goes with what is being deleted, and is made anew";
        n->is_foreign = item->action == PLAN_ADOPT && !came_with_ours(e, n);
    }
    for (size_t k = 0; k < e->plan->count; k++) {
        const struct plan_item *item = &e->plan->items[k];
        struct engine_node *n = e->nodes[index[k]];

        free(n->needs);
        free(n->delete_needs);
        n->needs = copy_indexes(item->needs, item->need_count, index);
        n->need_count = item->need_count;
        n->delete_needs = copy_indexes(item->delete_needs, item->delete_need_count, index);
        n->delete_need_count = item->delete_need_count;
    }
    return NULL;
}

static struct err *build(struct engine *e)
{
    struct plan_input in = {
        .state = freeze(e, jsonx_copy(state_document(e->setup.state))),
        .kind = e->setup.kind,
        .arg = e->setup.arg,
        .is_destroy = e->is_destroy,
    };

    collect(e, &in);
    TRY(plan_build(e->arena, &in, &e->plan));
    return attach(e);
}

static void set_absent(struct engine *e, size_t i)
{
    json_decref(e->nodes[i]->actual);
    e->nodes[i]->actual = NULL;
    e->nodes[i]->presence = NODE_ABSENT;
    resolve_view(e, i);
}

/*
 * What is being deleted, and what is in it, will not be there: who wants it has it made anew. What
 * the file no longer has stays as it is: its deletion is seen through.
 */
static void set_aside_what_goes(struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        struct engine_node *n = e->nodes[i];

        if (!is_ours_to_write(n) || n->presence != NODE_PRESENT
                || !engine_is_being_deleted(e, n->actual))
            continue;
        n->is_going = true;
        set_absent(e, i);
        for (size_t k = 0; k < e->count; k++) {
            struct engine_node *in = e->nodes[k];

            if (!is_ours_to_write(in) || in->presence != NODE_PRESENT
                    || !str_starts_ci(str_of(in->id), str_of(n->id))
                    || in->id[strlen(n->id)] != '/')
                continue;
            in->is_going_along = true;
            set_absent(e, k);
        }
    }
}

struct err *engine_plan(struct engine *e)
{
    set_aside_what_goes(e);
    TRY(resolve_all(e));
    return build(e);
}

struct err *engine_plan_destroy(struct engine *e)
{
    e->is_destroy = true;
    return build(e);
}

/* ---- once more, while it is carried out ---- */

static struct err *refuse(const struct engine_node *n, const char *what)
{
    return err_new(n->item->action == PLAN_NONE ? ERR_STALE : ERR_PROTECT, 0,
            "it would now have to be %s, which the plan did not say: run apply again", what);
}

struct err *planning_again(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const enum plan_action planned = n->item->action;
    const bool is_quiet = planned == PLAN_NONE || planned == PLAN_MOVE;
    const bool is_repair = planned == PLAN_UPDATE && n->item->changes.count == 0;

    compare(e, n);
    if (n->action == PLAN_NONE && (planned == PLAN_MOVE || planned == PLAN_ADOPT || is_repair))
        n->action = planned;
    if (n->action == PLAN_UPDATE && planned == PLAN_ADOPT)
        n->action = PLAN_ADOPT;
    if (n->action == PLAN_UPDATE && is_quiet && e->is_exact)
        return err_new(ERR_STALE, 0,
                "%s would change in consequence, which the saved plan does not have: make a new "
                "plan",
                n->changes.items[0].path);
    if (n->action == PLAN_REPLACE && !n->is_removed)
        return refuse(n, "replaced");
    if (n->action == PLAN_CREATE && planned != PLAN_CREATE && planned != PLAN_REPLACE)
        return refuse(n, "created");
    return NULL;
}
