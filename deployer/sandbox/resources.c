#include "sandbox/resources.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "sandbox/answer.h"
#include "sandbox/backend.h"
#include "sandbox/checks.h"
#include "sandbox/children.h"
#include "sandbox/faults.h"
#include "sandbox/hooks.h"
#include "sandbox/rid.h"
#include "sandbox/template.h"
#include "sandbox/validate.h"
#include "sandbox/view.h"

void resource_announce(struct sandbox *s, const struct resource *r)
{
    json_auto_t *full = store_full(r);

    json_object_set_new(full, "id", jsonx_textf("%s", r->id));
    json_object_set_new(full, "name", jsonx_textf("%s", r->name));
    json_object_set_new(full, "type", jsonx_textf("%s", r->kind->type));
    if (r->location != NULL)
        json_object_set_new(full, "location", jsonx_textf("%s", r->location));
    if (r->tags != NULL)
        json_object_set(full, "tags", r->tags);
    json_object_set(full, "hidden", r->hidden);
    backend_put(s->backend, r->id, r->kind->type, full);
}

/* Sets each "path: template" of an object into `into`. */
static void expand_into(json_t *into, const json_t *templates, const json_t *context)
{
    const char *path = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)templates, path, value)
        jsonx_set_at(into, path, template_expand(value, context));
}

void resource_make(struct sandbox *s, struct resource *r, bool is_new)
{
    const json_t *data = r->kind->data;

    if (is_new) {
        json_auto_t *context = view_context(s, r);

        expand_into(r->hidden, json_object_get(data, "hidden"), context);
        expand_into(r->made, json_object_get(data, "generate"), context);
    }
    json_auto_t *context = view_context(s, r);

    expand_into(r->made, json_object_get(data, "compute"), context);
    hooks_made(s, r, is_new);
}

static struct err *check_location(
        const struct call *c, const json_t *body, const struct resource *old)
{
    const char *location = json_string_value(jsonx_get_ci(body, "location"));
    const json_t *given = jsonx_get_ci(body, "location");

    if (c->kind->location == KIND_LOCATION_NONE)
        return NULL;
    if (given != NULL && !json_is_null(given) && !json_is_string(given))
        return refuse(400, "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'location' is no "
                "text.");
    if (location == NULL || location[0] == '\0')
        return c->kind->location == KIND_LOCATION_OPTIONAL || old != NULL
                       ? NULL
                       : refuse(400, "LocationRequired",
                               "The location property is required for this definition.");
    AUTO(free) char *now = view_region(location);

    if (c->kind->fixed_location != NULL && !text_eq(now, c->kind->fixed_location))
        return refuse(400, "LocationNotAvailableForResourceType",
                "The provided location '%s' is not available for resource type '%s'. List of "
                "available regions for the resource type is '%s'.",
                location, c->kind->type, c->kind->fixed_location);
    AUTO(free) char *before = view_region(old == NULL ? NULL : old->location);

    if (old != NULL && old->location != NULL && !text_eq(before, now))
        return refuse(409, "InvalidResourceLocation",
                "The resource '%s' already exists in location '%s' in resource group '%s'. A "
                "resource with the same name cannot be created in location '%s'. Please select a "
                "new resource name.",
                c->rid->name, old->location, c->rid->group == NULL ? "" : c->rid->group, location);
    return NULL;
}

static struct err *check_tags(const struct call *c, const json_t *body)
{
    const json_t *tags = jsonx_get_ci(body, "tags");
    const char *key = NULL;
    json_t *value = NULL;

    if (tags == NULL || json_is_null(tags) || !c->kind->has_tags)
        return NULL;
    if (!json_is_object(tags))
        return refuse(400, "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'tags' is no "
                "object.");
    json_object_foreach ((json_t *)(uintptr_t)tags, key, value) {
        if (!json_is_string(value) && !json_is_null(value))
            return refuse(400, "InvalidRequestContent",
                    "The request content was invalid and could not be deserialized: the tag '%s' "
                    "is no text.",
                    key);
        if (strlen(key) > 512 || (json_is_string(value) && json_string_length(value) > 256))
            return refuse(400, "InvalidTagNameOrValue", "The tag '%.50s' is too long.", key);
    }
    return NULL;
}

static void set_tags(struct resource *r, const json_t *body, bool is_merge)
{
    const json_t *tags = jsonx_get_ci(body, "tags");

    if (!r->kind->has_tags || (is_merge && tags == NULL))
        return;
    json_t *now = is_merge && r->tags != NULL ? jsonx_copy(r->tags) : jsonx_must(json_object());

    if (json_is_object(tags))
        jsonx_merge_patch(now, tags);
    json_decref(r->tags);
    r->tags = now;
    if (json_object_size(now) == 0 && (tags == NULL || json_is_null(tags))) {
        json_decref(now);
        r->tags = NULL;
    }
}

static void set_location(struct resource *r, const json_t *body)
{
    const char *location = json_string_value(jsonx_get_ci(body, "location"));

    if (r->kind->location == KIND_LOCATION_NONE || location == NULL || location[0] == '\0')
        return;
    free(r->location);
    r->location = xstrdup(location);
}

/* Takes a soft-deleted namesake's document back. */
static struct resource *recover(struct call *c)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (c->s->store.deleted, i, one) {
        if (strcasecmp(jsonx_text(one, "id"), c->rid->id) != 0)
            continue;
        struct resource *r =
                store_restore(&c->s->store, c->s->kinds, json_object_get(one, "resource"));

        if (r != NULL) {
            r->is_deleting = false;
            free(r->op_id);
            r->op_id = NULL;
        }
        json_array_remove(c->s->store.deleted, i);
        return r;
    }
    return NULL;
}

/* The id with the names as the caller spelt them and the types as the service does. */
static const char *new_id(const struct call *c)
{
    const char *slash = strrchr(c->kind->is_name_lower ? c->rid->key : c->rid->id, '/');

    if (c->rid->ns == NULL)
        return c->rid->id;
    struct arena *arena = c->q->arena;

    if (c->kind->scope == KIND_PARENT) {
        const struct resource *parent = store_find(&c->s->store, c->rid->parent_key);

        return arena_printf(arena, "%s%s/%s", parent->id, strrchr(c->kind->type, '/'), slash + 1);
    }
    const char *scope = arena_str(arena, (struct str){ c->rid->id, strlen(c->rid->scope_key) });

    return arena_printf(arena, "%s/providers/%s/%s", scope, c->kind->type, slash + 1);
}

struct write {
    const json_t *body;  /* as sent */
    const json_t *whole; /* what the document is made from */
    struct resource *old;
    bool is_patch;
};

static void see_later(const struct call *c, struct resource *r)
{
    const int64_t now_ms = clock_wall_ms();
    const json_t *lag = faults_setting(c->s->faults, "list_lag_ms");
    const int64_t list_ms = json_is_integer(lag) ? json_integer_value(lag) : 0;

    r->listed_ms = list_ms > 0 ? now_ms + list_ms : 0;
    if (c->fault != NULL && c->fault->get_lag_ms > 0)
        r->readable_ms = now_ms + c->fault->get_lag_ms;
    if (c->fault != NULL && c->fault->list_lag_ms > 0)
        r->listed_ms = now_ms + c->fault->list_lag_ms;
}

/* Everything was checked: the document takes effect. */
static struct resource *store_write(
        struct call *c, const struct write *w, json_t *doc, const json_t *moved)
{
    struct resource *r = w->old != NULL ? w->old : recover(c);
    const bool is_new = r == NULL;

    if (is_new) {
        r = store_add(&c->s->store, new_id(c), c->kind);
        see_later(c, r);
    }
    json_decref(r->doc);
    r->doc = json_incref(doc);
    set_location(r, w->body);
    set_tags(r, w->body, w->is_patch && c->kind->patch == KIND_PATCH_MERGE);
    store_touch(&c->s->store, r);
    free(r->state);
    r->state = xstrdup(c->kind->state_done);
    resource_make(c->s, r, is_new);
    children_place(c, r, moved);
    if (is_new)
        children_add_implicit(c->s, r);
    resource_announce(c->s, r);
    return r;
}

static struct err *write_resource(struct call *c, const struct write *w)
{
    json_auto_t *doc = NULL;
    json_auto_t *moved = NULL;
    const struct validate_request q = {
        .arena = c->q->arena,
        .kind = c->kind,
        .body = w->whole,
        .old = w->old == NULL ? NULL : w->old->doc,
    };

    TRY(check_tags(c, w->body));
    TRY(check_location(c, w->body, w->old));
    TRY(validate_body(&q, &doc));
    TRY(checks_refs(c, doc));
    TRY(hooks_check(c, w->body, doc, w->old));
    TRY(children_split(c, doc, &moved));
    const enum kind_verb verb = w->old == NULL ? KIND_CREATE : KIND_UPDATE;
    struct resource *r = store_write(c, w, doc, moved);
    struct operation *op = answer_start(c, r, verb);

    answer_write(c, r, verb, op, w->is_patch);
    return NULL;
}

static struct err *check_write(struct call *c, struct resource *old)
{
    TRY(checks_locks(c, c->rid->key, false));
    TRY(checks_preconditions(c, old));
    TRY(checks_busy(c));
    if (old != NULL && old->is_deleting)
        return refuse(409, "Conflict", "The resource '%s' is being deleted.", c->rid->id);
    return NULL;
}

struct err *resource_put(struct call *c)
{
    TRY(request_need_json(c->q));
    TRY(validate_name(c->kind, c->rid->name));
    if (c->kind->location == KIND_LOCATION_REQUIRED)
        TRY(check_location(c, c->q->json, NULL));
    TRY(checks_scope(c, "write"));
    struct resource *old = store_find(&c->s->store, c->rid->key);

    TRY(check_write(c, old));
    if (old == NULL)
        TRY(checks_name_free(c, c->q->json));
    return write_resource(
            c, &(struct write){ .body = c->q->json, .whole = c->q->json, .old = old });
}

static struct err *patch_tags(struct call *c, struct resource *r)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach (c->q->json, key, value) {
        if (strcasecmp(key, "tags") != 0 && strcasecmp(key, "id") != 0
                && strcasecmp(key, "location") != 0)
            return refuse(400, "InvalidRequestFormat",
                    "Only tags can be changed by PATCH on type %s.", c->kind->type);
    }
    TRY(check_tags(c, c->q->json));
    json_decref(r->tags);
    r->tags = NULL;
    set_tags(r, c->q->json, true);
    store_touch(&c->s->store, r);
    reply_json(c->r, 200, view_resource(c->s, r));
    return NULL;
}

struct err *resource_patch(struct call *c)
{
    TRY(request_need_json(c->q));
    TRY(checks_scope(c, "write"));
    struct resource *old = store_find(&c->s->store, c->rid->key);

    if (old == NULL)
        return checks_not_found(c);
    if (c->kind->patch == KIND_PATCH_NONE)
        return refuse(405, "MethodNotAllowed", "Type %s has no PATCH.", c->kind->type);
    TRY(check_write(c, old));
    if (c->kind->patch == KIND_PATCH_TAGS)
        return patch_tags(c, old);
    json_auto_t *whole = jsonx_copy(old->doc);

    jsonx_merge_patch(whole, c->q->json);
    return write_resource(
            c, &(struct write){ .body = c->q->json, .whole = whole, .old = old, .is_patch = true });
}

struct err *resource_get(struct call *c)
{
    TRY(checks_scope(c, "read"));
    const struct resource *r = store_find(&c->s->store, c->rid->key);

    if (r == NULL || r->readable_ms > clock_wall_ms())
        return checks_not_found(c);
    if (!c->kind->is_readable)
        return refuse(405, "MethodNotAllowed", "Type %s has no GET.", c->kind->type);
    reply_json(c->r, request_is(c->q, "HEAD") ? 204 : 200, view_resource(c->s, r));
    return NULL;
}

static void tell_gone(struct sandbox *s, const char *key)
{
    size_t from = 0;
    size_t to = 0;
    struct resource *r = store_find(&s->store, key);

    store_below(&s->store, key, &from, &to);
    for (size_t i = to; i > from; i--)
        backend_remove(s->backend, s->store.items[i - 1]->id, s->store.items[i - 1]->kind->type);
    if (r != NULL)
        backend_remove(s->backend, r->id, r->kind->type);
}

struct err *resource_delete(struct call *c)
{
    TRY(checks_scope(c, "delete"));
    struct resource *r = store_find(&c->s->store, c->rid->key);

    if (r == NULL) {
        TRY(checks_preconditions(c, r));
        reply_json(c->r, 204, NULL);
        return NULL;
    }
    if (!c->kind->is_deletable)
        return refuse(405, "MethodNotAllowed", "Type %s can't be deleted.", c->kind->type);
    struct operation *running = r->op_id == NULL ? NULL : operations_find(&c->s->ops, r->op_id);

    if (r->is_deleting && running != NULL) {
        answer_delete(c, running);
        return NULL;
    }
    TRY(checks_locks(c, c->rid->key, true));
    TRY(checks_preconditions(c, r));
    TRY(checks_busy(c));
    TRY(checks_unused(c->s, r));
    if (request_query(c->q, "force") != NULL)
        json_object_set_new(r->hidden, "purge", json_true());
    r->is_deleting = true;
    tell_gone(c->s, r->key);
    struct operation *op = answer_start(c, r, KIND_DELETE);

    answer_delete(c, op);
    if (op == NULL)
        resource_remove_tree(c->s, c->rid->key);
    return NULL;
}

static void remove_one(struct sandbox *s, struct resource *r)
{
    AUTO(free) char *key = xstrdup(r->key);
    const bool is_purged = json_is_true(json_object_get(r->hidden, "purge"));

    backend_remove(s->backend, r->id, r->kind->type);
    hooks_removed(s, r);
    if (json_object_get(r->kind->data, "soft_delete") != NULL && !is_purged)
        store_bury(&s->store, r);
    /* A hook may have removed others and moved what stands in the store. */
    r = store_find(&s->store, key);
    if (r != NULL)
        store_remove(&s->store, r);
}

void resource_remove_tree(struct sandbox *s, const char *key)
{
    for (;;) {
        size_t from = 0;
        size_t to = 0;

        store_below(&s->store, key, &from, &to);
        if (from == to)
            break;
        remove_one(s, s->store.items[to - 1]);
    }
    struct resource *r = store_find(&s->store, key);

    if (r != NULL)
        remove_one(s, r);
}

void resource_finish(struct sandbox *s, struct operation *op)
{
    struct resource *r = store_find(&s->store, op->key);
    const bool was_cancelled = op->state == OPERATION_CANCELED;
    const bool has_failed = op->state == OPERATION_FAILED || was_cancelled;

    s->store.is_dirty = true;
    if (op->is_action || r == NULL)
        return;
    if (r->op_id != NULL && !text_eq(r->op_id, op->id))
        return;
    if (op->verb == KIND_DELETE && !has_failed) {
        AUTO(free) char *key = xstrdup(op->key);

        resource_remove_tree(s, key);
        return;
    }
    free(r->op_id);
    r->op_id = NULL;
    r->is_deleting = false;
    free(r->state);
    r->state = xstrdup(was_cancelled ? "Canceled" : has_failed ? "Failed" : r->kind->state_done);
    r->changed_ms = clock_wall_ms();
}
