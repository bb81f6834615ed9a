/*
 * resume.c - what an earlier run left under way. Its intents are in the state: with a token the
 * operation is waited for, without one the cloud is asked whether the request came through. Either
 * way an intent becomes an entry or goes; nothing is created twice.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"

/* An operation that takes longer than this is not waited for by the next run either. */
#define RESUME_MIN 60

struct leftover {
    struct engine *e;
    json_t *intent; /* owned */
    json_t *resume; /* owned; what the cloud is given, until its callback */
    const struct kind *kind;
    const char *id;
    const char *action;
    json_t *body; /* owned; likewise, empty */
    int64_t deadline_ms;
    bool has_token;
    bool was_waited_for;
    struct err *error;
};

static json_t *entry_of(const struct leftover *l, const char *status)
{
    static const char *const kept[] = { "id", "address", "kind", "api_version", "depends_on" };
    const json_t *old = state_entry(l->e->setup.state, l->id);
    json_t *entry = old == NULL ? jsonx_must(json_object()) : jsonx_copy(old);
    json_t *document = json_object_get(l->intent, "document");

    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json_t *value = json_object_get(l->intent, kept[i]);

        if (value != NULL)
            json_object_set(entry, kept[i], value);
    }
    if (document != NULL && text_eq(status, "unready"))
        json_object_set(entry, "last_applied", document);
    json_object_set(entry, "updated", json_object_get(l->intent, "since"));
    if (json_object_get(entry, "created") == NULL)
        json_object_set(entry, "created", json_object_get(l->intent, "since"));
    json_object_set_new(entry, "status", jsonx_must(json_string(status)));
    return entry;
}

static void tell(const struct leftover *l, const char *how)
{
    AUTO(free)
    char *text = xasprintf(
            "%s: %s of an earlier run: %s", jsonx_text(l->intent, "address"), l->action, how);

    engine_emit(l->e, ENGINE_EVENT_RESUMED, NULL, text);
}

/* A create or update whose fate is known now. */
static void conclude_write(struct leftover *l, const struct cloud_result *result, struct err *error)
{
    struct state *state = l->e->setup.state;
    const bool is_there = error == NULL && !result->is_absent && result->document != NULL;

    if (error == NULL && !is_there) {
        tell(l, "did not come about");
    } else if (error == NULL && l->has_token) {
        tell(l, "finished");
        state_put_entry(state, l->id, entry_of(l, "unready"));
    } else if (error == NULL) {
        tell(l, "is there");
        state_put_entry(state, l->id, entry_of(l, "tainted"));
    } else {
        tell(l, err_text(error));
        state_put_entry(state, l->id, entry_of(l, "tainted"));
    }
    state_drop_intent(state, l->id);
}

static void conclude_delete(struct leftover *l, struct err *error)
{
    struct state *state = l->e->setup.state;

    if (error == NULL) {
        tell(l, "finished");
        state_drop_entry(state, l->id);
    } else {
        tell(l, err_text(error));
    }
    state_drop_intent(state, l->id);
}

/* Not knowing is no fate: the intent stays for the run after this one. */
static bool is_unknown(const struct err *error)
{
    if (error == NULL)
        return false;
    const enum err_kind kind = err_kind(error);

    return kind != ERR_API && kind != ERR_FAILED;
}

static void wait_for_write(struct leftover *l);
static void wait_for_delete(struct leftover *l);

/* Whether a document tells of an operation that still goes on. */
static bool is_under_way(const struct leftover *l, const json_t *document)
{
    static const char *const ends[] = { "Succeeded", "Failed", "Canceled", "Cancelled" };
    const struct cloud_ops *ops = l->e->setup.cloud->ops;
    const char *state = document == NULL || ops->state == NULL ? NULL : ops->state(document);

    for (size_t i = 0; state != NULL && i < ARRAY_LEN(ends); i++) {
        if (str_eq_ci(str_of(state), str_of(ends[i])))
            return false;
    }
    return state != NULL;
}

static void on_done(void *arg, const struct cloud_result *result)
{
    struct leftover *l = arg;

    l->e->outstanding--;
    l->e->was_called = true;
    const bool is_open = result->e == NULL && !l->has_token && !l->was_waited_for;

    if (is_open && text_eq(l->action, "delete")) {
        if (engine_is_being_deleted(l->e, result->document)) {
            wait_for_delete(l);
            return;
        }
    } else if (is_open && is_under_way(l, result->document)) {
        wait_for_write(l);
        return;
    }
    if (is_unknown(result->e)) {
        l->error = err_wrap(
                result->e, "%s: %s of an earlier run", jsonx_text(l->intent, "address"), l->action);
        return;
    }
    if (!text_eq(l->action, "delete"))
        conclude_write(l, result, result->e);
    else if (l->has_token || l->was_waited_for)
        conclude_delete(l, result->e);
    else
        state_drop_intent(l->e->setup.state, l->id); /* the plan sees whether it is still there */
    err_free(result->e);
}

static void on_accepted(void *arg, const json_t *token)
{
    (void)arg;
    (void)token; /* it is in the intent already */
}

static void wait_for_write(struct leftover *l)
{
    struct engine *e = l->e;
    const json_t *token = json_object_get(l->intent, "token");

    l->was_waited_for = true;
    l->resume = token != NULL ? jsonx_copy(token) : jsonx_must(json_object());
    l->body = jsonx_must(json_object());
    e->outstanding++;
    e->setup.cloud->ops->write(e->setup.cloud, &(struct cloud_write){
                                                       .kind = l->kind,
                                                       .id = l->id,
                                                       .body = l->body,
                                                       .secrets = &e->secrets,
                                                       .is_create = text_eq(l->action, "create"),
                                                       .resume = l->resume,
                                                       .deadline_ms = l->deadline_ms,
                                                       .accepted = on_accepted,
                                                       .done = on_done,
                                                       .arg = l,
                                               });
}

static void wait_for_delete(struct leftover *l)
{
    struct engine *e = l->e;
    const json_t *token = json_object_get(l->intent, "token");

    l->was_waited_for = true;
    l->resume = token != NULL ? jsonx_copy(token) : jsonx_must(json_object());
    e->outstanding++;
    e->setup.cloud->ops->remove(
            e->setup.cloud, l->kind, l->id, l->resume, l->deadline_ms, on_accepted, on_done, l);
}

/*
 * With a token the operation is waited for. Without one it is not known whether the request came
 * through at all: what is there tells, and is waited for if it is still being made.
 */
static void take_up(struct leftover *l)
{
    struct engine *e = l->e;
    struct cloud *c = e->setup.cloud;
    const json_t *token = json_object_get(l->intent, "token");

    l->has_token = token != NULL;
    l->deadline_ms = clock_now_ms() + (int64_t)RESUME_MIN * 60000;
    if (l->has_token && text_eq(l->action, "delete")) {
        wait_for_delete(l);
    } else if (l->has_token) {
        wait_for_write(l);
    } else {
        e->outstanding++;
        c->ops->read(c, l->kind, l->id, l->deadline_ms, on_done, l);
    }
}

static void release(void *object)
{
    struct leftover *l = object;

    json_decref(l->intent);
    json_decref(l->resume);
    json_decref(l->body);
    err_free(l->error);
}

static struct err *take_up_all(struct engine *e, struct leftover *leftovers, size_t *ret_count)
{
    json_t *intents = json_object_get(state_document(e->setup.state), "intents");
    const char *key = NULL;
    json_t *intent = NULL;
    size_t count = 0;

    json_object_foreach (intents, key, intent) {
        struct leftover *l = &leftovers[count];
        const char *kind = jsonx_text(intent, "kind");

        *l = (struct leftover){
            .e = e,
            .intent = jsonx_copy(intent),
            .kind = kind == NULL ? NULL : e->setup.kind(e->setup.arg, kind),
        };
        l->id = jsonx_text(l->intent, "id");
        l->action = jsonx_text(l->intent, "action");
        arena_hook(e->arena, release, l);
        if (l->kind == NULL || l->id == NULL || l->action == NULL)
            return err_new(ERR_CONFIG, 0,
                    "the state's journal holds %s of kind %s, which the catalog does not have: "
                    "give its folder with --catalog",
                    key, kind == NULL ? "?" : kind);
        count++;
    }
    *ret_count = count;
    return NULL;
}

struct err *engine_resume(struct engine *e)
{
    const json_t *intents = json_object_get(state_document(e->setup.state), "intents");
    struct leftover *leftovers =
            arena_alloc(e->arena, (json_object_size(intents) + 1) * sizeof(*leftovers));
    size_t count = 0;

    TRY(take_up_all(e, leftovers, &count));
    for (size_t i = 0; i < count; i++)
        take_up(&leftovers[i]);
    /* What became known is kept, also when the wait for the rest is cut short. */
    AUTO(err) struct err *ended = engine_drain(e);
    AUTO(err) struct err *lost = state_commit(e->setup.state);

    if (ended != NULL || lost != NULL)
        return ended != NULL ? TAKE(ended) : TAKE(lost);
    for (size_t i = 0; i < count; i++) {
        if (leftovers[i].error != NULL)
            return TAKE(leftovers[i].error);
    }
    return NULL;
}
