/*
 * ask.c - questions of others about resources: requests that the engine's own work does not need.
 */
#include "base/jsonx.h"
#include "engine/internal.h"

/* Lives as long as the engine: a run that is interrupted leaves requests whose callbacks come
 * later.
 */
struct asked {
    struct engine *engine;
    json_t *answer;
    struct err *error;
};

static void on_answer(void *arg, const struct cloud_result *result)
{
    struct asked *a = arg;

    a->engine->outstanding--;
    a->engine->was_called = true;
    a->error = result->e;
    if (result->e == NULL && result->document != NULL)
        a->answer = json_incref(result->document);
}

static void release(void *object)
{
    struct asked *a = object;

    json_decref(a->answer);
    err_ignore(a->error, "nobody waits for the answer any more");
}

static struct asked *ask(struct engine *e, const struct engine_question *q, int64_t deadline_ms)
{
    struct asked *a = arena_alloc(e->arena, sizeof(*a));

    a->engine = e;
    arena_hook(e->arena, release, a);
    e->outstanding++;
    e->setup.cloud->ops->act(e->setup.cloud, q->node->kind, q->node->id, q->method, q->path, NULL,
            deadline_ms, on_answer, a);
    return a;
}

struct err *engine_ask(
        struct engine *e, struct engine_question *questions, size_t count, int64_t deadline_ms)
{
    struct asked **all = arena_alloc(e->arena, (count + 1) * sizeof(*all));

    for (size_t i = 0; i < count; i++)
        all[i] = ask(e, &questions[i], deadline_ms);
    TRY(engine_drain(e));
    for (size_t i = 0; i < count; i++) {
        questions[i].answer = TAKE(all[i]->answer);
        questions[i].error = TAKE(all[i]->error);
    }
    return NULL;
}
