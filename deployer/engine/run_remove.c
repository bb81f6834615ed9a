/*
 * run_remove.c - the steps of a node that take a resource down.
 */
#include "engine/run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"

/* ---- remove ---- */

/* Lists lag: what this run has deleted may still be named. */
static bool is_ours(const struct engine *e, const char *id)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct engine_node *n = e->nodes[i];

        if (n->id != NULL && n->entry != NULL && e->setup.cloud->ops->same_id(n->id, id))
            return true;
    }
    return state_entry(e->setup.state, id) != NULL;
}

/* What is in the group and not ours; owned, NULL if there is nothing. */
static char *name_foreign(const struct engine *e, const json_t *answer)
{
    const json_t *members = json_is_array(answer) ? answer : json_object_get(answer, "value");
    size_t i = 0;
    size_t count = 0;
    json_t *member = NULL;
    const char *first = NULL;

    json_array_foreach ((json_t *)(uintptr_t)members, i, member) {
        const char *id = jsonx_text(member, "id");

        if (id == NULL || is_ours(e, id))
            continue;
        first = first == NULL ? id : first;
        count++;
    }
    if (count == 0)
        return NULL;
    return count == 1 ? xasprintf("kept: it holds %s, which is not ours", first)
                      : xasprintf("kept: it holds %zu resources that are not ours, such as %s",
                              count, first);
}

/* A group is deleted only when nothing foreign is in it. */
void run_step_check(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    const struct kind_action *contents = engine_contents_action(n->kind);

    if (contents == NULL) {
        run_next_step(r, RUN_REMOVE);
        return;
    }
    if (!r->was_asked) {
        run_expect(e, r);
        e->setup.cloud->ops->act(e->setup.cloud, n->kind, n->id, contents->method, contents->path,
                contents->body, engine_deadline(e, n), run_on_answer, r);
        return;
    }
    if (r->answer_error != NULL) {
        run_end_failed(e, i, err_wrap(TAKE(r->answer_error), "what is in it"));
        return;
    }
    char *foreign = name_foreign(e, r->answer);

    if (foreign == NULL) {
        run_next_step(r, RUN_REMOVE);
        return;
    }
    engine_set_text(&n->note, foreign);
    n->was_kept = true;
    run_show(e, n);
    run_end_done(e, i);
}

static bool is_reset(const struct engine_node *n)
{
    return n->item->action == PLAN_RESET;
}

static void after_remove(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    struct err *error = TAKE(r->answer_error);

    if (error != NULL) {
        if (err_kind(error) == ERR_API && !r->is_accepted)
            journal_drop_intent(e, n);
        run_end_failed(e, i, err_wrap(error, is_reset(n) ? "set back" : "delete"));
        return;
    }
    n->was_changed = true;
    if (is_reset(n)) {
        resolve_forget_answers(e, i);
        run_next_step(r, RUN_FORGET);
        return;
    }
    n->presence = NODE_ABSENT;
    json_decref(n->actual);
    n->actual = NULL;
    resolve_forget_answers(e, i);
    n->is_removed = true;
    if (n->item->action == PLAN_REPLACE) {
        journal_forget(e, n);
        run_give_turn(e, r);
        r->is_accepted = false;
        run_next_step(r, RUN_AWAIT);
    } else {
        run_next_step(r, RUN_FORGET);
    }
}

void run_step_remove(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    if (n->run->was_asked) {
        after_remove(e, i);
        return;
    }
    if (!run_take_turn(e, n))
        return;
    run_show(e, n);
    if (is_reset(n)) {
        json_decref(n->run->body);
        n->run->body = plan_reset_body(n->kind, n->actual);
        run_set_doing(e, n, "setting back");
        journal_intent(e, n, "update");
        n->run->send = RUN_SEND_WRITE;
        return;
    }
    run_set_doing(e, n, "deleting");
    journal_intent(e, n, "delete");
    n->run->send = RUN_SEND_REMOVE;
}

/* A resource that is made again one day gets the name that the file gives it. */
static void drop_kept_id(struct engine *e, const struct engine_node *n)
{
    const json_t *ids = json_object_get(state_document(e->setup.state), "ids");
    const char *kept = jsonx_text(ids, n->address);

    if (kept != NULL && n->id != NULL && e->setup.cloud->ops->same_id(kept, n->id))
        state_rename_id(e->setup.state, n->address, NULL);
}

void run_step_forget(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    n->was_changed = n->item->action != PLAN_READ;
    n->is_removed = true;
    journal_forget(e, n);
    drop_kept_id(e, n);
    run_end_done(e, i);
}
