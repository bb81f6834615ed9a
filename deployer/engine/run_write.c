/*
 * run_write.c - the steps of a node up to and with its write: its document once more, the request,
 * and what the answer means.
 */
#include "engine/run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"

/* ---- resolve ---- */

static struct err *missing_value(struct engine *e, const struct engine_node *n)
{
    const char *what = NULL;

    if (!expr_has_unknown(n->desired, &what))
        return NULL;
    return err_new(ERR_FAILED, 0, "%s is not known%s%s", what, e->denied_action == NULL ? "" : ": ",
            e->denied_action == NULL ? "" : e->denied_action);
}

/* Returns false while it waits for answers of actions. */
static bool resolve_again(struct engine *e, size_t i, struct err **ret)
{
    struct engine_node *n = e->nodes[i];
    bool is_final = true;

    *ret = n->id == NULL || n->item->action == PLAN_CREATE ? resolve_id(e, i) : NULL;
    if (*ret == NULL)
        *ret = resolve_desired(e, i, &is_final);
    if (*ret == NULL && !is_final) {
        resolve_fetch_actions(e);
        return false;
    }
    if (*ret == NULL)
        *ret = resolve_take_error(e);
    if (*ret == NULL)
        *ret = missing_value(e, n);
    if (*ret == NULL && n->id == NULL)
        *ret = err_new(ERR_FAILED, 0, "its name is not known");
    if (*ret == NULL)
        *ret = planning_again(e, i);
    return true;
}

static bool is_write(enum plan_action a)
{
    return a == PLAN_CREATE || a == PLAN_UPDATE || a == PLAN_ADOPT;
}

static void begin_changes(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    const bool is_unready = text_eq(jsonx_text(n->entry, "status"), "unready");

    r->is_create = n->action == PLAN_CREATE;
    r->is_document_new = r->is_create || n->changes.count > 0 || is_unready;
    r->is_skipping_write = n->changes.count == 0
                           && (n->action == PLAN_ADOPT || (n->action == PLAN_UPDATE && is_unready));
    run_next_step(r, RUN_ROLLOUT);
}

void run_step_resolve(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct err *error = NULL;

    if (!resolve_again(e, i, &error))
        return;
    if (error != NULL) {
        run_end_failed(e, i, error);
    } else if (is_write(n->action)) {
        begin_changes(e, i);
    } else {
        journal_sync(e, n);
        n->was_changed = n->item->action == PLAN_MOVE;
        run_end_done(e, i);
    }
}

/* ---- write ---- */

struct diff_input run_diff_input(const struct engine_node *n)
{
    return (struct diff_input){
        .kind = n->kind,
        .desired = n->desired,
        .desired_stored = n->desired_stored,
        .last_applied = json_object_get(n->entry, "last_applied"),
        .actual = n->actual,
        .told = n->run->told,
    };
}

/* The body of a write: all of it, or for an update by patch what differs; with what others added.
 */
static json_t *write_body(const struct engine_node *n, bool is_patch)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct diff_input in = run_diff_input(n);

    json_auto_t *body = plan_body(arena, &in, NULL);

    if (!is_patch || n->changes.count == 0)
        return TAKE(body);
    in.desired = body;
    return plan_merge_patch(&in, &n->changes);
}

static void begin_write(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (r->is_skipping_write) {
        if (n->action == PLAN_ADOPT)
            n->was_changed = true;
        run_next_step(r, n->action == PLAN_ADOPT ? RUN_READY : RUN_RESUME);
        return;
    }
    if (!run_take_turn(e, n))
        return;
    run_show(e, n);
    r->is_patch = !r->is_create && n->kind->update == KIND_UPDATE_PATCH;
    json_decref(r->body);
    r->body = write_body(n, r->is_patch);
    run_set_doing(e, n, r->is_create ? "creating" : "updating");
    journal_intent(e, n, r->is_create ? "create" : "update");
    r->send = RUN_SEND_WRITE;
}

/* So often somebody may get in between our reading and our writing. */
#define REFUSED_MAX 5u

/* 412: it was changed after it was read. */
static bool is_changed_meanwhile(const struct engine_node *n, const struct err *error)
{
    return n->kind->has_etag && !n->run->is_accepted && n->run->refused < REFUSED_MAX
           && err_kind(error) == ERR_API && err_code(error) == 412;
}

/*
 * "Already exists" in answer to a create: the first answer may have been lost, and nobody but us
 * writes at this id. Whether it is there is looked up before it is believed.
 */
static bool may_be_own_create(const struct node_run *r, const struct err *error)
{
    return r->is_create && !r->is_accepted && err_kind(error) == ERR_API && err_code(error) == 409;
}

static void fail_write(struct engine *e, size_t i, struct err *error)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    const enum err_kind kind = err_kind(error);
    const bool is_refused =
            !r->is_accepted
            && (kind == ERR_DENIED || kind == ERR_AUTH
                    || (kind == ERR_API && err_code(error) >= 400 && err_code(error) < 500));

    if (r->is_accepted && (kind == ERR_API || kind == ERR_FAILED)) {
        journal_entry(e, n, "tainted");
        journal_drop_intent(e, n);
        n->was_changed = true;
    } else if (is_refused) {
        journal_drop_intent(e, n);
    }
    run_end_failed(e, i, error);
}

static void after_write(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    struct err *error = TAKE(r->answer_error);

    if (error != NULL && may_be_own_create(r, error)) {
        r->create_error = error;
        run_next_step(r, RUN_READ);
        return;
    }
    if (error != NULL && is_changed_meanwhile(n, error)) {
        err_ignore(error, "it is read again, and written by that");
        r->refused++;
        run_next_step(r, RUN_FRESH);
        return;
    }
    if (error != NULL) {
        fail_write(e, i, error);
        return;
    }
    n->was_changed = true;
    n->presence = NODE_PRESENT;
    n->changes.count = 0;
    resolve_forget_answers(e, i);
    json_decref(n->actual);
    n->actual = r->answer == NULL ? NULL : json_incref(r->answer);
    run_next_step(r, n->actual == NULL ? RUN_READ : RUN_READY);
}

void run_step_write(struct engine *e, size_t i)
{
    if (e->nodes[i]->run->was_asked)
        after_write(e, i);
    else
        begin_write(e, i);
}

/* The create was answered "already exists", and this is what is there. */
static void after_own_create(struct engine *e, size_t i, struct err *error)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    struct err *first = TAKE(r->create_error);

    if (error != NULL || r->answer == NULL) {
        err_ignore(error, "the create's own error says more");
        fail_write(e, i, first);
        return;
    }
    err_ignore(first, "our own create, sent again after its answer was lost");
    n->presence = NODE_PRESENT;
    json_decref(n->actual);
    n->actual = json_incref(r->answer);
    error = planning_again(e, i);
    if (error != NULL) {
        run_end_failed(e, i, error);
        return;
    }
    r->is_create = false;
    r->is_skipping_write = n->changes.count == 0;
    n->was_changed = true;
    run_next_step(r, RUN_WRITE);
}

void run_step_read(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (!r->was_asked) {
        run_expect(e, r);
        e->setup.cloud->ops->read(
                e->setup.cloud, n->kind, n->id, engine_deadline(e, n), run_on_answer, r);
        return;
    }
    struct err *error = TAKE(r->answer_error);

    if (r->create_error != NULL) {
        after_own_create(e, i, error);
        return;
    }
    if (error == NULL && r->answer == NULL)
        error = err_new(ERR_PROTO, 0, "it is not there although the write succeeded");
    if (error != NULL) {
        run_end_failed(e, i, error);
        return;
    }
    n->actual = json_incref(r->answer);
    run_next_step(r, RUN_READY);
}
