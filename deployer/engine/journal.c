/*
 * journal.c - what the engine writes down, and when: an intent before a request that changes
 * something, its token once the service took it, an entry when it is through.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "engine/internal.h"

static json_t *now(void)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(clock_wall_ms(), text);
    return jsonx_must(json_string(text));
}

/* By the file; of what is no longer in it, as they were: they order its removal, also the next
 * run's. */
static json_t *edges(const struct engine_node *n)
{
    json_t *old = json_object_get(n->entry, "depends_on");

    if (n->resource == NULL && old != NULL)
        return json_incref(old);
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; n->resource != NULL && i < n->resource->depends_on_count; i++)
        json_array_append_new(list, jsonx_must(json_string(n->resource->depends_on[i])));
    return list;
}

void journal_intent(struct engine *e, const struct engine_node *n, const char *action)
{
    json_t *intent = jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "action", action,
            "address", n->address, "kind", n->kind->name, "id", n->id, "api_version",
            n->kind->api_version, "since", now(), "depends_on", edges(n)));

    if (n->desired_stored != NULL && strcmp(action, "delete") != 0)
        json_object_set(intent, "document", n->desired_stored);
    state_put_intent(e->setup.state, n->id, intent);
}

void journal_token(struct engine *e, const struct engine_node *n, const json_t *token)
{
    AUTO(free) char *key = state_id_key(n->id);
    const json_t *intent =
            json_object_get(json_object_get(state_document(e->setup.state), "intents"), key);

    if (intent == NULL || token == NULL)
        return;
    json_t *changed = jsonx_copy(intent);

    json_object_set_new(changed, "token", jsonx_copy(token));
    state_put_intent(e->setup.state, n->id, changed);
}

/* An id that was recorded under the address which the resource had goes along. */
static void rename_kept_id(struct engine *e, const json_t *old, const struct engine_node *n)
{
    const char *was = jsonx_text(old, "address");
    const char *kept =
            was == NULL ? NULL
                        : jsonx_text(json_object_get(state_document(e->setup.state), "ids"), was);

    if (kept != NULL && strcmp(was, n->address) != 0 && e->setup.cloud->ops->same_id(kept, n->id))
        state_rename_id(e->setup.state, was, n->address);
}

void journal_entry(struct engine *e, struct engine_node *n, const char *status)
{
    const json_t *old = state_entry(e->setup.state, n->id);
    json_t *created = json_object_get(old, "created");

    rename_kept_id(e, old, n);
    json_t *entry = jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o}", "id", n->id,
            "address", n->address, "kind", n->kind->name, "api_version", n->kind->api_version,
            "depends_on", edges(n), "status", status, "updated", now()));

    if (created != NULL)
        json_object_set(entry, "created", created);
    else
        json_object_set_new(entry, "created", now());
    if (n->note != NULL)
        json_object_set_new(entry, "note", jsonx_must(json_string(n->note)));
    if (n->resource != NULL && n->resource->is_protected)
        json_object_set_new(entry, "protected", json_true());
    if (n->desired_stored != NULL)
        json_object_set(entry, "last_applied", n->desired_stored);
    if (n->actual != NULL)
        json_object_set_new(entry, "observed", plan_observed(n->kind, n->actual));
    state_put_entry(e->setup.state, n->id, entry);
}

void engine_adopt(struct engine *e, struct engine_node *n)
{
    json_t *stored = TAKE(n->desired_stored);

    /* What was applied last is not known: members that are never returned are sent next time. */
    journal_entry(e, n, "ready");
    n->desired_stored = stored;
}

void journal_sync(struct engine *e, struct engine_node *n)
{
    const json_t *old = n->id == NULL ? NULL : state_entry(e->setup.state, n->id);
    json_auto_t *depends_on = edges(n);

    if (old == NULL || n->resource == NULL)
        return;
    const char *address = jsonx_text(old, "address");

    if (address != NULL && strcmp(address, n->address) == 0
            && json_equal(json_object_get(old, "depends_on"), depends_on) == 1
            && json_equal(json_object_get(old, "last_applied"), n->desired_stored) == 1)
        return;
    json_t *entry = jsonx_copy(old);

    rename_kept_id(e, old, n);
    json_object_set_new(entry, "address", jsonx_must(json_string(n->address)));
    json_object_set(entry, "depends_on", depends_on);
    if (n->desired_stored != NULL)
        json_object_set(entry, "last_applied", n->desired_stored);
    state_put_entry(e->setup.state, n->id, entry);
}

void journal_forget(struct engine *e, struct engine_node *n)
{
    if (n->id == NULL)
        return;
    state_drop_entry(e->setup.state, n->id);
    journal_drop_intent(e, n);
}

void journal_drop_intent(struct engine *e, const struct engine_node *n)
{
    AUTO(free) char *key = state_id_key(n->id);

    if (json_object_get(json_object_get(state_document(e->setup.state), "intents"), key) != NULL)
        state_drop_intent(e->setup.state, n->id);
}
