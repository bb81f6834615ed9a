#include "commands/control.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"

/* A gateway takes half a minute to ask its backends. */
#define ANSWER_MS 60000

static bool look(void *arg, const char *address, struct control_view *ret)
{
    const struct session *s = arg;
    const struct engine_node *n = engine_find(s->engine, address);

    if (n == NULL || n->presence == NODE_UNASKED)
        return false;
    *ret = (struct control_view){ .kind = n->kind,
        .id = n->id,
        .document = n->presence == NODE_PRESENT ? n->actual : NULL,
        .is_denied = n->presence == NODE_DENIED };
    return true;
}

static struct err *resolve(void *arg, const json_t *doc, json_t **ret)
{
    return engine_resolve(((struct session *)arg)->engine, doc, ret);
}

static void take_answer(struct engine_question *q, json_t *asked)
{
    if (q->answer != NULL)
        json_object_set_new(asked, "answer", TAKE(q->answer));
    else
        json_object_set_new(asked, "error",
                jsonx_textf("%s", q->error == NULL ? "no answer" : err_text(q->error)));
    err_free(TAKE(q->error));
}

static struct err *ask(void *arg, json_t *questions)
{
    struct session *s = arg;
    AUTO(free) struct engine_question *all = xcalloc(json_object_size(questions) + 1, sizeof(*all));
    AUTO(free) json_t **asked = xcalloc(json_object_size(questions) + 1, sizeof(json_t *));
    size_t count = 0;
    const char *key = NULL;
    json_t *question = NULL;

    json_object_foreach (questions, key, question) {
        const struct engine_node *n = engine_find(s->engine, jsonx_text(question, "address"));

        if (n == NULL || n->id == NULL)
            continue;
        asked[count] = question;
        all[count++] = (struct engine_question){ .node = n,
            .method = jsonx_text(question, "method"),
            .path = jsonx_text(question, "path") };
    }
    TRY(engine_ask(s->engine, all, count, clock_now_ms() + ANSWER_MS));
    for (size_t i = 0; i < count; i++)
        take_answer(&all[i], asked[i]);
    return NULL;
}

struct control_source control_source_of(
        struct session *s, const char *(*not_running)(void *arg, const char *service))
{
    return (struct control_source){
        .arg = s, .look = look, .ask = ask, .resolve = resolve, .not_running = not_running
    };
}
