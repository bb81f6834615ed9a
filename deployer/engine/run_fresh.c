/*
 * run_fresh.c - the step right before a write: what others share with us is read once more, so that
 * what they added since the refresh goes along, with those of its secrets that only an action
 * tells.
 */
#include "engine/run.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"

static bool is_due(const struct engine_node *n)
{
    const struct node_run *r = n->run;

    if (r->refused > 0)
        return true;
    if (n->action != PLAN_UPDATE || r->is_create || r->is_skipping_write
            || n->presence != NODE_PRESENT)
        return false;
    AUTO(arena) struct arena *arena = arena_new();
    const struct diff_input in = run_diff_input(n);

    return plan_wants_fresh(arena, &in, &n->changes);
}

static void ask_resource(struct engine *e, struct engine_node *n)
{
    n->run->asked = NULL;
    json_decref(n->run->told);
    n->run->told = NULL;
    run_expect(e, n->run);
    e->setup.cloud->ops->read(
            e->setup.cloud, n->kind, n->id, engine_deadline(e, n), run_on_answer, n->run);
}

/* ---- what is being deleted ---- */

/* The deletion is somebody else's: it leaves no intent. */
static void on_under_way(void *arg, const json_t *token)
{
    (void)arg;
    (void)token;
}

/* Another run or somebody deletes it: made anew it can be only when it is gone. */
static void wait_until_gone(struct engine *e, struct engine_node *n)
{
    struct node_run *r = n->run;

    if (r->resume == NULL)
        r->resume = jsonx_must(json_object());
    run_expect(e, r);
    e->setup.cloud->ops->remove(e->setup.cloud, n->kind, n->id, r->resume, engine_deadline(e, n),
            on_under_way, run_on_answer, r);
}

static void is_gone(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (r->answer_error != NULL) {
        run_end_failed(e, i, err_wrap(TAKE(r->answer_error), "waiting until it is deleted"));
        return;
    }
    json_decref(r->resume);
    r->resume = NULL;
    n->is_going = false;
    run_next_step(r, RUN_WRITE);
}

/* ---- the secrets of others ---- */

/* The elements with every text a secret, but for the keys by which they are found. */
static json_t *as_secrets(struct engine *e, const json_t *elements, const char *keys)
{
    json_t *list = jsonx_must(json_array());
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach ((json_t *)(uintptr_t)elements, i, element) {
        json_t *copy = jsonx_must(json_object());
        const char *name = NULL;
        json_t *value = NULL;

        json_object_foreach (element, name, value) {
            const bool is_key = text_eq(name, keys);

            json_object_set_new(copy, name,
                    json_is_string(value) && !is_key ? secret_table_add(
                            &e->secrets, str_of(json_string_value(value)), jsonx_must(json_array()))
                                                     : json_incref(value));
        }
        json_array_append_new(list, copy);
    }
    return list;
}

static const struct kind_property *next_untold(const struct engine_node *n)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct diff_input in = run_diff_input(n);
    const struct change_list kept = plan_kept(arena, &in, &n->changes);

    return plan_untold(n->kind, &kept, n->run->told);
}

static void ask_for_secrets(struct engine *e, struct engine_node *n, const struct kind_property *p)
{
    const char *name = jsonx_text(p->resend, "action");
    const struct kind_action *action = resolve_find_action(n->kind, name);

    assert(action != NULL); /* a kind that names another one is not read */
    n->run->asked = p;
    run_expect(e, n->run);
    e->setup.cloud->ops->act(e->setup.cloud, n->kind, n->id, action->method, action->path,
            action->body, engine_deadline(e, n), run_on_answer, n->run);
}

static struct err *take_secrets(struct engine *e, struct engine_node *n)
{
    struct node_run *r = n->run;
    const char *list = jsonx_text(r->asked->resend, "list");

    if (r->answer_error != NULL) {
        struct err *error = err_wrap(TAKE(r->answer_error),
                "%s of it for what others added to %s, which the write would remove",
                jsonx_text(r->asked->resend, "action"), r->asked->path);

        err_set_hint(error, "allow the login that action, or take what they added into the stack");
        return error;
    }
    if (r->told == NULL)
        r->told = jsonx_must(json_object());
    json_object_set_new(r->told, jsonx_text(r->asked->resend, "action"),
            as_secrets(
                    e, list == NULL ? r->answer : jsonx_at_ci(r->answer, list), r->asked->map_by));
    return NULL;
}

/* ---- the resource ---- */

static bool is_under_way(const struct engine *e, const struct engine_node *n)
{
    const struct cloud_ops *ops = e->setup.cloud->ops;
    const char *state = ops->state == NULL ? NULL : ops->state(n->actual);

    return state != NULL && !str_eq_ci(str_of(state), STR("Succeeded"));
}

static struct err *take_resource(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (r->answer_error != NULL)
        return err_wrap(TAKE(r->answer_error), "reading it right before the write");
    n->presence = r->answer == NULL ? NODE_ABSENT : NODE_PRESENT;
    json_decref(n->actual);
    n->actual = r->answer == NULL ? NULL : json_incref(r->answer);
    return planning_again(e, i);
}

/*
 * It is as it should be by now: our own write whose answer was lost, or somebody was faster. What
 * was planned without changes (a repair) is written all the same.
 */
static bool is_done_already(const struct engine_node *n)
{
    return n->changes.count == 0 && n->item->changes.count > 0;
}

static void go_on(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (is_done_already(n)) {
        if (is_under_way(e, n))
            r->resume = jsonx_must(json_object());
        n->was_changed = true;
        run_next_step(r, r->resume != NULL ? RUN_WRITE : RUN_READY);
        return;
    }
    n->action = PLAN_UPDATE;
    const struct kind_property *untold = next_untold(n);

    if (untold == NULL)
        run_next_step(r, RUN_WRITE);
    else
        ask_for_secrets(e, n, untold);
}

void run_step_fresh(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (!r->was_asked && !n->is_going && !is_due(n)) {
        run_next_step(r, RUN_WRITE);
        return;
    }
    if (!r->was_asked) {
        if (!run_take_turn(e, n))
            return;
        run_show(e, n);
        run_set_doing(e, n, n->is_going ? "waiting until it is deleted" : "reading it again");
        if (n->is_going)
            wait_until_gone(e, n);
        else
            ask_resource(e, n);
        return;
    }
    if (n->is_going) {
        is_gone(e, i);
        return;
    }
    struct err *error = r->asked == NULL ? take_resource(e, i) : take_secrets(e, n);

    if (error != NULL)
        run_end_failed(e, i, error);
    else
        go_on(e, i);
}
