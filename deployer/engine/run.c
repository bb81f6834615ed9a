/*
 * run.c - one node while the plan is carried out: a small machine of steps that goes on until it
 * waits for the cloud, for the time or for the round's commit. apply.c calls it.
 *
 * What a failure leaves behind decides what the state says: refused before it was accepted, nothing
 * has changed; failed after that, the resource is damaged ("tainted") and written again next time;
 * no answer at all, the intent stays and the next run looks.
 */
#include "engine/run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"

/* ---- how a node ends ---- */

/* Lets the next of its serial groups write. */
void run_give_turn(struct engine *e, struct node_run *r)
{
    for (size_t i = 0; r->has_turn && i < r->serial_count; i++)
        json_object_del(e->serial_held, r->serial[i]);
    r->has_turn = false;
}

void run_end(struct engine *e, struct engine_node *n, enum node_status status)
{
    struct node_run *r = n->run;

    n->status = status;
    n->elapsed_ms = clock_now_ms() - n->started_ms;
    r->step = RUN_END;
    run_give_turn(e, r);
}

void run_end_done(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    run_end(e, n, NODE_DONE);
    resolve_view(e, i);
    if (n->was_changed || n->run->is_shown)
        engine_emit(e, ENGINE_EVENT_DONE, n, n->note);
}

void run_end_failed(struct engine *e, size_t i, struct err *error)
{
    struct engine_node *n = e->nodes[i];

    run_end(e, n, NODE_FAILED);
    n->error = error;
    engine_emit(e, ENGINE_EVENT_FAILED, n, err_text(error));
}

void run_show(struct engine *e, struct engine_node *n)
{
    if (n->run->is_shown)
        return;
    n->run->is_shown = true;
    engine_emit(e, ENGINE_EVENT_STARTED, n, NULL);
}

void run_set_doing(struct engine *e, struct engine_node *n, const char *text)
{
    if (text_eq(n->doing, text))
        return;
    engine_set_text(&n->doing, xstrdup(text));
    engine_emit(e, ENGINE_EVENT_PROGRESS, n, text);
}

/* ---- answers ---- */

void run_on_answer(void *arg, const struct cloud_result *result)
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

    run_set_doing(r->engine, r->engine->nodes[r->index], what);
}

void run_expect(struct engine *e, struct node_run *r)
{
    r->was_asked = true;
    r->is_waiting = true;
    e->outstanding++;
}

void run_next_step(struct node_run *r, enum run_step step)
{
    r->step = step;
    r->was_asked = false;
    r->wake_ms = 0;
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

static void add_reference(struct node_run *r, const json_t *document, const char *path)
{
    const char *value = json_string_value(jsonx_at_ci(document, path));

    if (value != NULL)
        add_serial_key(r, xasprintf("ref:%s", value));
}

static void drop_serial_keys(struct node_run *r)
{
    for (size_t i = 0; i < r->serial_count; i++)
        free(r->serial[i]);
    free(r->serial);
    r->serial = NULL;
    r->serial_count = 0;
}

/*
 * A delete touches what the resource that is there names, a write also what it will name. Anew for
 * each turn: a replaced one is deleted in one place and made in another.
 */
static void find_serial_keys(struct engine_node *n)
{
    struct node_run *r = n->run;
    const json_t *there = n->actual != NULL ? n->actual : json_object_get(n->entry, "last_applied");
    size_t i = 0;
    json_t *rule = NULL;

    drop_serial_keys(r);
    json_array_foreach ((json_t *)(uintptr_t)n->kind->serial, i, rule) {
        const char *text = json_string_value(rule);

        if (text_eq(text, "parent")) {
            add_serial_key(r, container_of(n->id));
        } else if (text != NULL && strncmp(text, "ref:", 4) == 0) {
            add_reference(r, n->is_removed ? NULL : there, text + 4);
            if (r->step != RUN_REMOVE)
                add_reference(r, n->desired, text + 4);
        }
    }
}

/* All keys or none. */
bool run_take_turn(struct engine *e, struct engine_node *n)
{
    struct node_run *r = n->run;

    if (r->has_turn)
        return true;
    find_serial_keys(n);
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
            run_step_await(e, i);
            break;
        case RUN_RESOLVE:
            run_step_resolve(e, i);
            break;
        case RUN_ROLLOUT:
            run_step_rollout(e, i);
            break;
        case RUN_FRESH:
            run_step_fresh(e, i);
            break;
        case RUN_CHECK:
            run_step_check(e, i);
            break;
        case RUN_REMOVE:
            run_step_remove(e, i);
            break;
        case RUN_WRITE:
            run_step_write(e, i);
            break;
        case RUN_READ:
            run_step_read(e, i);
            break;
        case RUN_RESUME:
        case RUN_READY:
        case RUN_RUN:
            run_step_procedure(e, i);
            break;
        case RUN_FORGET:
            run_step_forget(e, i);
            break;
        case RUN_END:
            if (n->status == NODE_RUNNING)
                run_end_done(e, i); /* nothing to do */
            return;
        }
    } while (r->step != before || (had_asked && !r->was_asked));
}

/* A change goes to what was compared, not to what somebody has made of it since. */
static const char *if_match(const struct engine_node *n)
{
    return n->kind->has_etag && n->action == PLAN_UPDATE && !n->run->is_create
                   ? jsonx_text(n->actual, "etag")
                   : NULL;
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
    run_expect(e, r);
    if (send == RUN_SEND_REMOVE) {
        c->ops->remove(
                c, n->kind, n->id, NULL, engine_deadline(e, n), on_accepted, run_on_answer, r);
        return;
    }
    c->ops->write(c, &(struct cloud_write){
                             .kind = n->kind,
                             .id = n->id,
                             .body = r->body,
                             .secrets = &e->secrets,
                             .is_create = r->is_create,
                             .is_patch = r->is_patch,
                             .if_match = if_match(n),
                             .resume = r->resume,
                             .deadline_ms = engine_deadline(e, n),
                             .progress = on_progress,
                             .accepted = on_accepted,
                             .done = run_on_answer,
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
    case PLAN_RESET:
        return RUN_REMOVE;
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
    json_decref(r->told);
    json_decref(r->resume);
    json_decref(r->answer);
    err_free(r->answer_error);
    err_free(r->create_error);
    procedure_free(r->procedure);
    drop_serial_keys(r);
    free(r);
}
