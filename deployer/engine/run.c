/*
 * run.c - one node while the plan is carried out: a small machine of steps that goes on until it
 * waits for the cloud, for the time or for the round's commit. apply.c calls it.
 *
 * What a failure leaves behind decides what the state says: refused before it was accepted, nothing
 * has changed; failed after that, the resource is damaged ("tainted") and written again next time;
 * no answer at all, the intent stays and the next run looks.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"

/* ---- how a node ends ---- */

/* Lets the next of its serial groups write. */
static void give_turn(struct engine *e, struct node_run *r)
{
    for (size_t i = 0; r->has_turn && i < r->serial_count; i++)
        json_object_del(e->serial_held, r->serial[i]);
    r->has_turn = false;
}

static void end(struct engine *e, struct engine_node *n, enum node_status status)
{
    struct node_run *r = n->run;

    n->status = status;
    n->elapsed_ms = clock_now_ms() - n->started_ms;
    r->step = RUN_END;
    give_turn(e, r);
}

static void end_done(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    end(e, n, NODE_DONE);
    resolve_view(e, i);
    if (n->was_changed || n->run->is_shown)
        engine_emit(e, ENGINE_EVENT_DONE, n, n->note);
}

static void end_failed(struct engine *e, size_t i, struct err *error)
{
    struct engine_node *n = e->nodes[i];

    end(e, n, NODE_FAILED);
    n->error = error;
    engine_emit(e, ENGINE_EVENT_FAILED, n, err_text(error));
}

static void show(struct engine *e, struct engine_node *n)
{
    if (n->run->is_shown)
        return;
    n->run->is_shown = true;
    engine_emit(e, ENGINE_EVENT_STARTED, n, NULL);
}

static void set_doing(struct engine *e, struct engine_node *n, const char *text)
{
    if (text_eq(n->doing, text))
        return;
    engine_set_text(&n->doing, xstrdup(text));
    engine_emit(e, ENGINE_EVENT_PROGRESS, n, text);
}

/* ---- answers ---- */

static void on_answer(void *arg, const struct cloud_result *result)
{
    struct node_run *r = arg;

    r->engine->outstanding--;
    r->engine->was_called = true;
    r->is_waiting = false;
    err_free(r->answer_error);
    r->answer_error = result->e;
    json_decref(r->answer);
    r->answer =
            result->document == NULL || result->is_absent ? NULL : json_incref(result->document);
}

static void on_accepted(void *arg, const json_t *token)
{
    struct node_run *r = arg;

    r->is_accepted = true;
    r->engine->was_called = true;
    journal_token(r->engine, r->engine->nodes[r->index], token);
}

static void on_progress(void *arg, const char *what)
{
    struct node_run *r = arg;

    set_doing(r->engine, r->engine->nodes[r->index], what);
}

static void ask(struct engine *e, struct node_run *r)
{
    r->was_asked = true;
    r->is_waiting = true;
    e->outstanding++;
}

static void next_step(struct node_run *r, enum run_step step)
{
    r->step = step;
    r->was_asked = false;
    r->wake_ms = 0;
}

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
    next_step(r, RUN_ROLLOUT);
}

static void step_resolve(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct err *error = NULL;

    if (!resolve_again(e, i, &error))
        return;
    if (error != NULL) {
        end_failed(e, i, error);
    } else if (is_write(n->action)) {
        begin_changes(e, i);
    } else {
        journal_sync(e, n);
        n->was_changed = n->item->action == PLAN_MOVE;
        end_done(e, i);
    }
}

/* ---- what a replaced resource waits for between its end and its beginning ---- */

bool run_are_needs_met(
        const struct engine *e, const struct engine_node *n, const struct engine_node **ret_failed)
{
    bool is_met = true;

    for (size_t d = 0; d < n->need_count; d++) {
        const struct engine_node *on = e->nodes[n->needs[d]];

        if (ret_failed != NULL && (on->status == NODE_FAILED || on->status == NODE_SKIPPED))
            *ret_failed = on;
        is_met = is_met && on->status == NODE_DONE;
    }
    return is_met;
}

void run_skip(struct engine *e, struct engine_node *n, const struct engine_node *because)
{
    n->status = NODE_SKIPPED;
    n->because = because->status == NODE_SKIPPED ? because->because : because->address;
    engine_emit(e, ENGINE_EVENT_SKIPPED, n, n->because);
}

static void step_await(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const struct engine_node *failed = NULL;

    n->run->is_blocked = !run_are_needs_met(e, n, &failed);
    if (failed != NULL) {
        end(e, n, NODE_SKIPPED);
        run_skip(e, n, failed);
    } else if (!n->run->is_blocked) {
        next_step(n->run, RUN_RESOLVE);
    }
}

/* ---- procedures ---- */

static void procedure_request(
        struct engine *e, struct engine_node *n, const struct procedure_request *q)
{
    struct cloud *c = e->setup.cloud;

    ask(e, n->run);
    if (q->path[0] == '\0' && strcmp(q->method, "GET") == 0)
        c->ops->read(c, n->kind, n->id, engine_deadline(e, n), on_answer, n->run);
    else
        c->ops->act(c, n->kind, n->id, q->method, q->path, q->body, engine_deadline(e, n),
                on_answer, n->run);
}

static void procedure_reply(struct node_run *r)
{
    struct err *error = TAKE(r->answer_error);

    r->was_asked = false;
    if (error != NULL && err_kind(error) == ERR_API && err_code(error) == 404) {
        err_ignore(error, "not there is an answer to a procedure");
        error = NULL;
        json_decref(r->answer);
        r->answer = NULL;
    }
    procedure_answer(r->procedure, clock_now_ms(), r->answer, error);
}

enum walk { WALK_ON, WALK_WAITS, WALK_FAILED };

/* Goes through a procedure as far as it comes. */
static enum walk walk_procedure(
        struct engine *e, struct engine_node *n, const json_t *steps, struct err **ret)
{
    struct node_run *r = n->run;
    struct procedure_request q = { 0 };

    if (r->procedure == NULL)
        r->procedure = procedure_new(steps, n->actual, e->target, clock_now_ms());
    if (r->was_asked)
        procedure_reply(r);
    const enum procedure_want want = procedure_next(r->procedure, clock_now_ms(), &q);

    if (procedure_doing(r->procedure)[0] != '\0')
        set_doing(e, n, procedure_doing(r->procedure));
    if (want == PROCEDURE_ACT) {
        procedure_request(e, n, &q);
        return WALK_WAITS;
    }
    if (want == PROCEDURE_WAIT) {
        r->wake_ms = q.at_ms;
        return WALK_WAITS;
    }
    if (procedure_tolerated(r->procedure) != NULL)
        engine_set_text(&n->note, xstrdup(procedure_tolerated(r->procedure)));
    if (want == PROCEDURE_FAILED)
        *ret = procedure_take_error(r->procedure);
    procedure_free(r->procedure);
    r->procedure = NULL;
    return want == PROCEDURE_DONE ? WALK_ON : WALK_FAILED;
}

static const json_t *rollout_steps(const struct engine_node *n)
{
    const char *name = n->resource == NULL ? NULL : n->resource->rollout;

    return name == NULL || n->kind->rollouts == NULL ? NULL
                                                     : json_object_get(n->kind->rollouts, name);
}

/* Where the kind names paths (`rollout_when`), only their changes are worth a rollout. */
static bool is_rollout_due(const struct engine_node *n)
{
    const json_t *paths = json_object_get(n->kind->document, "rollout_when");
    size_t k = 0;
    json_t *path = NULL;

    if (paths == NULL)
        paths = json_object_get(n->kind->document, "x-rollout_when");
    json_array_foreach ((json_t *)(uintptr_t)paths, k, path) {
        for (size_t i = 0; i < n->changes.count; i++) {
            if (str_starts_ci(str_of(n->changes.items[i].path), str_of(json_string_value(path))))
                return true;
        }
    }
    return json_array_size(paths) == 0;
}

static void step_rollout(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const json_t *steps = rollout_steps(n);
    struct err *error = NULL;

    if (steps == NULL || n->run->is_create || n->run->is_skipping_write
            || n->presence != NODE_PRESENT || !is_rollout_due(n)) {
        next_step(n->run, RUN_WRITE);
        return;
    }
    show(e, n);
    switch (walk_procedure(e, n, steps, &error)) {
    case WALK_WAITS:
        return;
    case WALK_FAILED:
        end_failed(e, i, err_wrap(error, "%s", n->resource->rollout));
        return;
    case WALK_ON:
        next_step(n->run, RUN_WRITE);
    }
}

/* ---- writes that must not overlap ---- */

static void add_serial_key(struct node_run *r, char *key)
{
    for (char *c = key; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    r->serial = xrealloc(r->serial, r->serial_count + 1, sizeof(*r->serial));
    r->serial[r->serial_count++] = key;
}

static char *container_of(const char *id)
{
    /* .../TYPE/NAME: the parent is what is before these two. */
    AUTO(free) char *copy = xstrdup(id);

    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(copy, '/');

        if (slash != NULL)
            *slash = '\0';
    }
    return xasprintf("parent:%s", copy);
}

static void find_serial_keys(struct engine_node *n)
{
    size_t i = 0;
    json_t *rule = NULL;

    if (n->run->serial != NULL)
        return;
    json_array_foreach ((json_t *)(uintptr_t)n->kind->serial, i, rule) {
        const char *text = json_string_value(rule);
        const json_t *from = n->desired != NULL ? n->desired : n->actual;

        if (text_eq(text, "parent")) {
            add_serial_key(n->run, container_of(n->id));
        } else if (text != NULL && strncmp(text, "ref:", 4) == 0 && from != NULL) {
            const char *value = json_string_value(jsonx_at_ci(from, text + 4));

            if (value != NULL)
                add_serial_key(n->run, xasprintf("ref:%s", value));
        }
    }
}

/* All keys or none. */
static bool take_turn(struct engine *e, struct engine_node *n)
{
    struct node_run *r = n->run;

    find_serial_keys(n);
    if (r->has_turn)
        return true;
    r->is_blocked = false;
    for (size_t i = 0; i < r->serial_count; i++)
        r->is_blocked = r->is_blocked || json_object_get(e->serial_held, r->serial[i]) != NULL;
    if (r->is_blocked)
        return false;
    for (size_t i = 0; i < r->serial_count; i++)
        json_object_set_new(e->serial_held, r->serial[i], json_true());
    r->has_turn = true;
    return true;
}

/* ---- remove ---- */

static const struct kind_action *contents_action(const struct kind *k)
{
    for (size_t i = 0; i < k->action_count; i++) {
        if (text_eq(k->actions[i].name, "contents"))
            return &k->actions[i];
    }
    return NULL;
}

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
static void step_check(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    const struct kind_action *contents = n->kind->is_group ? contents_action(n->kind) : NULL;

    if (contents == NULL) {
        next_step(r, RUN_REMOVE);
        return;
    }
    if (!r->was_asked) {
        ask(e, r);
        e->setup.cloud->ops->act(e->setup.cloud, n->kind, n->id, contents->method, contents->path,
                contents->body, engine_deadline(e, n), on_answer, r);
        return;
    }
    if (r->answer_error != NULL) {
        end_failed(e, i, err_wrap(TAKE(r->answer_error), "what is in it"));
        return;
    }
    char *foreign = name_foreign(e, r->answer);

    if (foreign == NULL) {
        next_step(r, RUN_REMOVE);
        return;
    }
    engine_set_text(&n->note, foreign);
    n->was_kept = true;
    show(e, n);
    end_done(e, i);
}

static void after_remove(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    struct err *error = TAKE(r->answer_error);

    if (error != NULL) {
        if (err_kind(error) == ERR_API && !r->is_accepted)
            journal_drop_intent(e, n);
        end_failed(e, i, err_wrap(error, "delete"));
        return;
    }
    n->was_changed = true;
    n->presence = NODE_ABSENT;
    json_decref(n->actual);
    n->actual = NULL;
    resolve_forget_answers(e, i);
    n->is_removed = true;
    if (n->item->action == PLAN_REPLACE) {
        journal_forget(e, n);
        give_turn(e, r);
        r->is_accepted = false;
        next_step(r, RUN_AWAIT);
    } else {
        next_step(r, RUN_FORGET);
    }
}

static void step_remove(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    if (n->run->was_asked) {
        after_remove(e, i);
        return;
    }
    if (!take_turn(e, n))
        return;
    show(e, n);
    set_doing(e, n, "deleting");
    journal_intent(e, n, "delete");
    n->run->send = RUN_SEND_REMOVE;
}

static void step_forget(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    n->was_changed = n->item->action != PLAN_READ;
    n->is_removed = true;
    journal_forget(e, n);
    end_done(e, i);
}

/* ---- write ---- */

/* The body of a write: all of it, or for an update by patch what differs. */
static json_t *write_body(const struct engine_node *n, bool is_patch)
{
    const struct diff_input in = {
        .kind = n->kind,
        .desired = n->desired,
        .desired_stored = n->desired_stored,
        .last_applied = json_object_get(n->entry, "last_applied"),
        .actual = n->actual,
    };

    if (!is_patch || n->changes.count == 0)
        return json_incref(n->desired);
    return plan_merge_patch(&in, &n->changes);
}

static void begin_write(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (r->is_skipping_write) {
        if (n->action == PLAN_ADOPT)
            n->was_changed = true;
        next_step(r, RUN_READY);
        return;
    }
    if (!take_turn(e, n))
        return;
    show(e, n);
    r->is_patch = !r->is_create && n->kind->update == KIND_UPDATE_PATCH;
    json_decref(r->body);
    r->body = write_body(n, r->is_patch);
    set_doing(e, n, r->is_create ? "creating" : "updating");
    journal_intent(e, n, r->is_create ? "create" : "update");
    r->send = RUN_SEND_WRITE;
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
    end_failed(e, i, error);
}

static void after_write(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    struct err *error = TAKE(r->answer_error);

    if (error != NULL && may_be_own_create(r, error)) {
        r->create_error = error;
        next_step(r, RUN_READ);
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
    next_step(r, n->actual == NULL ? RUN_READ : RUN_READY);
}

static void step_write(struct engine *e, size_t i)
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
        end_failed(e, i, error);
        return;
    }
    r->is_create = false;
    r->is_skipping_write = n->changes.count == 0;
    n->was_changed = true;
    next_step(r, RUN_WRITE);
}

static void step_read(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;

    if (!r->was_asked) {
        ask(e, r);
        e->setup.cloud->ops->read(
                e->setup.cloud, n->kind, n->id, engine_deadline(e, n), on_answer, r);
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
        end_failed(e, i, error);
        return;
    }
    n->actual = json_incref(r->answer);
    next_step(r, RUN_READY);
}

/* ---- ready, run ---- */

static const json_t *steps_of(const struct engine_node *n, enum run_step step)
{
    const json_t *steps = step == RUN_READY         ? n->kind->ready
                          : n->run->is_document_new ? n->kind->run
                                                    : NULL;

    return json_array_size(steps) == 0 ? NULL : steps;
}

/* The write is through; from here on only its being ready is open. */
static void note_written(struct engine *e, struct engine_node *n)
{
    const bool is_open = steps_of(n, RUN_READY) != NULL || steps_of(n, RUN_RUN) != NULL;

    journal_entry(e, n, is_open ? "unready" : "ready");
    journal_drop_intent(e, n);
    give_turn(e, n->run);
    n->run->is_noted = true;
}

static void step_procedure(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    const json_t *steps = steps_of(n, r->step);
    struct err *error = NULL;

    if (!r->is_noted)
        note_written(e, n);
    if (steps != NULL) {
        show(e, n);
        const enum walk walk = walk_procedure(e, n, steps, &error);

        if (walk == WALK_WAITS)
            return;
        if (walk == WALK_FAILED) {
            end_failed(e, i, error);
            return;
        }
        n->was_changed = true;
    }
    if (r->step == RUN_READY) {
        next_step(r, RUN_RUN);
        return;
    }
    journal_entry(e, n, "ready");
    end_done(e, i);
}

/* ---- the machine ---- */

void run_advance(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    enum run_step before = RUN_END;
    bool had_asked = false;

    do {
        if (r->is_waiting || r->send != RUN_SEND_NOTHING || clock_now_ms() < r->wake_ms)
            return;
        r->wake_ms = 0;
        before = r->step;
        had_asked = r->was_asked;
        switch (r->step) {
        case RUN_AWAIT:
            step_await(e, i);
            break;
        case RUN_RESOLVE:
            step_resolve(e, i);
            break;
        case RUN_ROLLOUT:
            step_rollout(e, i);
            break;
        case RUN_CHECK:
            step_check(e, i);
            break;
        case RUN_REMOVE:
            step_remove(e, i);
            break;
        case RUN_WRITE:
            step_write(e, i);
            break;
        case RUN_READ:
            step_read(e, i);
            break;
        case RUN_READY:
        case RUN_RUN:
            step_procedure(e, i);
            break;
        case RUN_FORGET:
            step_forget(e, i);
            break;
        case RUN_END:
            if (n->status == NODE_RUNNING)
                end_done(e, i); /* nothing to do */
            return;
        }
    } while (r->step != before || (had_asked && !r->was_asked));
}

void run_send(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    struct cloud *c = e->setup.cloud;
    const enum run_send send = r->send;

    if (send == RUN_SEND_NOTHING)
        return;
    r->send = RUN_SEND_NOTHING;
    r->is_accepted = false;
    ask(e, r);
    if (send == RUN_SEND_REMOVE) {
        c->ops->remove(c, n->kind, n->id, NULL, engine_deadline(e, n), on_accepted, on_answer, r);
        return;
    }
    c->ops->write(c, &(struct cloud_write){
                             .kind = n->kind,
                             .id = n->id,
                             .body = r->body,
                             .secrets = &e->secrets,
                             .is_create = r->is_create,
                             .is_patch = r->is_patch,
                             .deadline_ms = engine_deadline(e, n),
                             .progress = on_progress,
                             .accepted = on_accepted,
                             .done = on_answer,
                             .arg = r,
                     });
}

static enum run_step first_step(const struct engine *e, const struct engine_node *n)
{
    switch (n->item->action) {
    case PLAN_DELETE:
        return n->item->goes_with != NULL ? RUN_FORGET : RUN_CHECK;
    case PLAN_REPLACE:
        return n->item->goes_with != NULL ? RUN_RESOLVE : RUN_REMOVE;
    case PLAN_FORGET:
        return RUN_FORGET;
    case PLAN_READ:
        return n->item->entry != NULL ? RUN_FORGET : RUN_END;
    case PLAN_UNKNOWN:
        return RUN_END;
    case PLAN_NONE:
    case PLAN_CREATE:
    case PLAN_UPDATE:
    case PLAN_MOVE:
    case PLAN_ADOPT:
        break;
    }
    return e->is_destroy ? RUN_END : RUN_RESOLVE;
}

void run_begin(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    n->run = xcalloc(1, sizeof(*n->run));
    n->run->engine = e;
    n->run->index = i;
    n->run->step = first_step(e, n);
    n->status = NODE_RUNNING;
    n->started_ms = clock_now_ms();
    if (n->item->goes_with != NULL && n->item->action == PLAN_REPLACE) {
        /* It went with its parent, which is there anew. */
        n->presence = NODE_ABSENT;
        n->is_removed = true;
        resolve_forget_answers(e, i);
    }
}

void run_free(struct node_run *r)
{
    if (r == NULL)
        return;
    json_decref(r->body);
    json_decref(r->answer);
    err_free(r->answer_error);
    err_free(r->create_error);
    procedure_free(r->procedure);
    for (size_t i = 0; i < r->serial_count; i++)
        free(r->serial[i]);
    free(r->serial);
    free(r);
}
