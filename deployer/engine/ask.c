/*
 * ask.c - questions of others about resources: requests that the engine's own work does not need.
 */
#include "base/alloc.h"
#include "base/jsonx.h"
#include "engine/internal.h"

/* Lives as long as the engine: a run that is interrupted leaves requests whose callbacks come
 * later.
 */
struct asked {
    struct engine *engine;
    json_t *answer;
    struct err *error;
    bool is_absent;
};

static void on_answer(void *arg, const struct cloud_result *result)
{
    struct asked *a = arg;

    a->engine->outstanding--;
    a->engine->was_called = true;
    a->error = result->e;
    a->is_absent = result->is_absent;
    if (result->e == NULL && result->document != NULL)
        a->answer = json_incref(result->document);
}

static void release(void *object)
{
    struct asked *a = object;

    json_decref(a->answer);
    err_ignore(a->error, "nobody waits for the answer any more");
}

static struct asked *ask_new(struct engine *e)
{
    struct asked *a = arena_alloc(e->arena, sizeof(*a));

    a->engine = e;
    arena_hook(e->arena, release, a);
    e->outstanding++;
    return a;
}

static struct asked *ask(struct engine *e, const struct engine_question *q, int64_t deadline_ms)
{
    struct asked *a = ask_new(e);

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

const struct kind_action *engine_contents_action(const struct kind *k)
{
    for (size_t i = 0; k->is_group && i < k->action_count; i++) {
        if (text_eq(k->actions[i].name, "contents"))
            return &k->actions[i];
    }
    return NULL;
}

/* A stack has one group; NULL if its kind does not say how to look into it. */
static const struct engine_node *find_group(const struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->nodes[i]->resource != NULL && engine_contents_action(e->nodes[i]->kind) != NULL)
            return e->nodes[i];
    }
    return NULL;
}

struct err *engine_list_contents(
        struct engine *e, const char *group, int64_t deadline_ms, json_t **ret)
{
    struct cloud *c = e->setup.cloud;
    const struct engine_node *n = find_group(e);
    AUTO(free)
    char *id = n == NULL       ? NULL
               : group != NULL ? c->ops->make_id(c, n->kind, NULL, group)
               : n->id == NULL ? NULL
                               : xstrdup(n->id);

    *ret = NULL;
    if (id == NULL)
        return NULL;
    const struct kind_action *contents = engine_contents_action(n->kind);
    struct asked *a = ask_new(e);

    c->ops->act(c, n->kind, id, contents->method, contents->path, contents->body, deadline_ms,
            on_answer, a);
    TRY(engine_drain(e));
    TRY(err_wrap(TAKE(a->error), "what is in %s", id));
    if (!a->is_absent)
        *ret = json_is_array(a->answer) ? json_incref(a->answer) : jsonx_must(json_array());
    return NULL;
}
