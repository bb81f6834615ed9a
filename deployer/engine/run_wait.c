/*
 * run_wait.c - the steps of a node that wait for something to come about: what a kind's procedures
 * want before and after a write, and what a replaced resource needs before it is made again.
 */
#include "engine/run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"

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

void run_step_await(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const struct engine_node *failed = NULL;

    n->run->is_blocked = !run_are_needs_met(e, n, &failed);
    if (failed != NULL) {
        run_end(e, n, NODE_SKIPPED);
        run_skip(e, n, failed);
    } else if (!n->run->is_blocked) {
        run_next_step(n->run, RUN_RESOLVE);
    }
}

/* ---- procedures ---- */

static void procedure_request(
        struct engine *e, struct engine_node *n, const struct procedure_request *q)
{
    struct cloud *c = e->setup.cloud;

    run_expect(e, n->run);
    if (q->path[0] == '\0' && strcmp(q->method, "GET") == 0)
        c->ops->read(c, n->kind, n->id, engine_deadline(e, n), run_on_answer, n->run);
    else
        c->ops->act(c, n->kind, n->id, q->method, q->path, q->body, engine_deadline(e, n),
                run_on_answer, n->run);
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
        run_set_doing(e, n, procedure_doing(r->procedure));
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

void run_step_rollout(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const json_t *steps = rollout_steps(n);
    struct err *error = NULL;

    if (steps == NULL || n->run->is_create || n->run->is_skipping_write
            || n->presence != NODE_PRESENT || !plan_is_rollout_due(n->kind, &n->changes)) {
        run_next_step(n->run, RUN_FRESH);
        return;
    }
    run_show(e, n);
    switch (walk_procedure(e, n, steps, &error)) {
    case WALK_WAITS:
        return;
    case WALK_FAILED:
        run_end_failed(e, i, err_wrap(error, "%s", n->resource->rollout));
        return;
    case WALK_ON:
        run_next_step(n->run, RUN_FRESH);
    }
}

/* ---- resume, ready, run ---- */

static const json_t *steps_of(const struct engine_node *n, enum run_step step)
{
    const json_t *steps = step == RUN_RESUME        ? n->kind->resume
                          : step == RUN_READY       ? n->kind->ready
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
    run_give_turn(e, n->run);
    n->run->is_noted = true;
}

void run_step_procedure(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    struct node_run *r = n->run;
    const json_t *steps = steps_of(n, r->step);
    struct err *error = NULL;

    if (!r->is_noted)
        note_written(e, n);
    if (steps != NULL) {
        run_show(e, n);
        const enum walk walk = walk_procedure(e, n, steps, &error);

        if (walk == WALK_WAITS)
            return;
        if (walk == WALK_FAILED) {
            run_end_failed(e, i, error);
            return;
        }
        n->was_changed = true;
    }
    if (r->step != RUN_RUN) {
        run_next_step(r, r->step == RUN_RESUME ? RUN_READY : RUN_RUN);
        return;
    }
    journal_entry(e, n, "ready");
    run_end_done(e, i);
}
