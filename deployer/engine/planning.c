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

static struct err *check_existing(const struct engine_node *n)
{
    if (n->resource == NULL || n->resource->existing == NULL || n->presence != NODE_ABSENT)
        return NULL;
    if (n->id == NULL)
        return err_new(ERR_CONFIG, 0, "%s: the id of what exists already is not known", n->address);
    return err_new(
            ERR_CONFIG, 0, "%s: %s is named as existing, but it is not there", n->address, n->id);
}

static struct diff_input diff_of(const struct engine_node *n)
{
    return (struct diff_input){
        .kind = n->kind,
        .desired = n->desired,
        .desired_stored = n->desired_stored,
        .last_applied = json_object_get(n->entry, "last_applied"),
        .actual = n->actual,
        .observed = json_object_get(n->entry, "observed"),
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
        TRY(check_existing(n));
        if (is_ours_to_write(n))
            TRY(resolve_desired(e, i, &is_final[i]));
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

static void collect(struct engine *e, struct plan_input *in)
{
    const struct model *m = e->setup.model;
    struct plan_subject *subjects =
            arena_alloc(e->arena, (m->resource_count + 1) * sizeof(*subjects));
    json_t *actual = jsonx_must(json_object());

    arena_hook(e->arena, (void (*)(void *))json_decref, actual);
    for (size_t i = 0; i < m->resource_count; i++) {
        const struct engine_node *n = node_of(e, &m->resources[i]);

        subjects[i] = (struct plan_subject){
            .resource = &m->resources[i],
            .id = n->id,
            .desired = is_ours_to_write(n) ? n->desired : NULL,
            .desired_stored = is_ours_to_write(n) ? n->desired_stored : NULL,
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
    if (item->subject != NULL)
        return engine_index(e, item->address);
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

static const char *broken_state(const struct engine *e, const struct engine_node *n)
{
    static const char *const words[] = { "Failed", "Canceled", "Cancelled" };
    const char *state = n->actual == NULL || e->setup.cloud->ops->state == NULL
                                ? NULL
                                : e->setup.cloud->ops->state(n->actual);

    for (size_t i = 0; state != NULL && i < ARRAY_LEN(words); i++) {
        if (str_eq_ci(str_of(state), str_of(words[i])))
            return words[i];
    }
    return NULL;
}

/* What looks as it should, but did not end well, is written again. */
static void repair(struct engine *e, struct plan_item *item, const struct engine_node *n)
{
    const char *status = jsonx_text(n->entry, "status");
    const char *broken = broken_state(e, n);
    const char *reason = NULL;

    if ((item->action != PLAN_NONE && item->action != PLAN_MOVE) || n->entry == NULL
            || !is_ours_to_write(n))
        return;
    if (broken != NULL)
        reason = arena_printf(e->arena, "its state is %s: it is written again", broken);
    else if (text_eq(status, "tainted"))
        reason = "the last change did not end well: it is written again";
    else if (text_eq(status, "unready"))
        reason = "it was not seen ready: it is waited for";
    if (reason == NULL)
        return;
    e->plan->counts[item->action]--;
    item->action = PLAN_UPDATE;
    item->reason = reason;
    item->minutes = item->kind->update_min;
    e->plan->counts[item->action]++;
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
        n->item = item;
        n->action = item->action;
        n->changes = item->changes;
        n->is_foreign = item->action == PLAN_ADOPT && !came_with_ours(e, n);
    }
    for (size_t k = 0; k < e->plan->count; k++) {
        const struct plan_item *item = &e->plan->items[k];
        struct engine_node *n = e->nodes[index[k]];

        n->need_count = 0;
        free(n->needs);
        n->needs = xcalloc(item->need_count + 1, sizeof(*n->needs));
        for (size_t d = 0; d < item->need_count; d++)
            n->needs[n->need_count++] = index[item->needs[d]];
    }
    return NULL;
}

static struct err *build(struct engine *e)
{
    struct plan_input in = {
        .state = state_document(e->setup.state),
        .kind = e->setup.kind,
        .arg = e->setup.arg,
        .is_destroy = e->is_destroy,
    };

    collect(e, &in);
    TRY(plan_build(e->arena, &in, &e->plan));
    return attach(e);
}

struct err *engine_plan(struct engine *e)
{
    TRY(resolve_all(e));
    return build(e);
}

struct err *engine_plan_destroy(struct engine *e)
{
    e->is_destroy = true;
    return build(e);
}

/* ---- once more, while it is carried out ---- */

static bool is_allowed_turn(enum plan_action planned, enum plan_action now)
{
    return planned == now || now == PLAN_NONE || planned == PLAN_REPLACE
           || (now == PLAN_UPDATE && planned != PLAN_DELETE);
}

struct err *planning_again(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const enum plan_action planned = n->item->action;
    const bool was_quiet = planned == PLAN_NONE || planned == PLAN_MOVE;
    const bool is_repair = planned == PLAN_UPDATE && n->item->changes.count == 0;

    if (n->item->goes_with != NULL && planned == PLAN_REPLACE) {
        n->action = PLAN_REPLACE;
        return NULL;
    }
    compare(e, n);
    if (n->action == PLAN_NONE && (planned == PLAN_MOVE || planned == PLAN_ADOPT || is_repair))
        n->action = planned;
    if (n->action == PLAN_UPDATE && planned == PLAN_ADOPT)
        n->action = PLAN_ADOPT;
    if (e->is_exact && was_quiet && n->action == PLAN_UPDATE)
        return err_new(ERR_STALE, 0,
                "%s would change in consequence, which the saved plan does not have: make a new "
                "plan",
                n->changes.items[0].path);
    if (!is_allowed_turn(planned, n->action))
        return err_new(ERR_PROTECT, 0,
                "it would now have to be %s, which the plan did not say: run apply again",
                n->action == PLAN_REPLACE ? "replaced" : "created");
    return NULL;
}
