#include "sandbox/service_core.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/recipe.h"
#include "sandbox/task.h"

#define STEPS_TIME_MS 60000

struct child {
    struct task *task;
    bool is_due;
    bool is_again; /* it was applied before, in this run of the sandbox */
};

static struct entry *service_above(struct backend *b, const char *id)
{
    for (int levels = 1; levels <= 3; levels++) {
        struct entry *e = backend_parent(b, id, levels);

        if (e != NULL && e->driver == &driver_service)
            return e;
    }
    return NULL;
}

static struct task *child_task(struct backend *b, const struct entry *e, const char *what)
{
    const struct entry *above = service_above(b, e->id);
    const struct child *c = e->data;

    if (above == NULL || above->data == NULL)
        return NULL;
    const struct service *s = above->data;
    json_auto_t *scope = jsonx_copy(s->scope);

    json_object_set(scope, "child", e->doc);
    service_set_text(scope, "child_name", backend_name(e->id));
    service_set_text(scope, "child_again", c->is_again ? "yes" : "no");
    const struct task_spec spec = {
        .steps = json_object_get(recipes_child(b->recipes, e->type), what),
        .commands = json_object_get(s->recipe, "commands"),
        .scope = scope,
        .dir = s->dir,
        .user = service_user(s),
        .time_ms = STEPS_TIME_MS,
    };

    return task_new(b, &spec);
}

static bool is_up(const struct entry *above)
{
    const struct service *s = above->data;

    return s != NULL && s->phase == PHASE_RUN;
}

static void child_put(struct backend *b, struct entry *e)
{
    struct child *c = e->data;

    backend_set_ready(e);
    if (!b->has_services)
        return;
    if (c == NULL)
        e->data = c = xcalloc(1, sizeof(*c));
    c->is_due = true;
    backend_set_pending(e);
}

static void child_tick(struct backend *b, struct entry *e)
{
    struct child *c = e->data;
    const struct entry *above = service_above(b, e->id);

    if (c == NULL || !c->is_due)
        return;
    if (above != NULL && above->data == NULL) { /* nothing stands behind the service itself */
        c->is_due = false;
        backend_set_ready(e);
        return;
    }
    if (above != NULL && above->state == BACKEND_FAILED) {
        c->is_due = false;
        backend_set_failed(e, "SandboxServiceFailed", "%s", jsonx_text(above->error, "message"));
        return;
    }
    if (c->task == NULL && (above == NULL || !is_up(above)))
        return;
    if (c->task == NULL)
        c->task = child_task(b, e, "create");
    const enum task_state state = task_tick(c->task);

    if (state == TASK_RUNNING)
        return;
    if (state == TASK_DONE)
        backend_set_ready(e);
    else
        backend_set_failed(e, "SandboxServiceFailed", "%s", task_problem(c->task));
    task_free(c->task);
    c->task = NULL;
    c->is_due = false;
    c->is_again = true;
}

static void child_removed(struct backend *b, struct entry *e)
{
    const struct entry *above = service_above(b, e->id);

    if (e->data != NULL && above != NULL && is_up(above))
        backend_finish_later(b, child_task(b, e, "remove"));
}

static void child_release(struct entry *e)
{
    struct child *c = e->data;

    if (c != NULL)
        task_free(c->task);
    free(c);
}

const struct driver driver_service_child = {
    .put = child_put,
    .remove = child_removed,
    .release = child_release,
    .tick = child_tick,
};
