#include "sandbox/children.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/checks.h"
#include "sandbox/resources.h"
#include "sandbox/rid.h"
#include "sandbox/template.h"
#include "sandbox/validate.h"
#include "sandbox/view.h"

/* One inline member judged as a PUT of the child would be. */
static struct err *check_item(
        struct call *c, const struct kind *kind, const json_t *item, json_t **ret)
{
    const char *name = jsonx_text(item, "name");

    if (name == NULL)
        return refuse(400, "InvalidRequestFormat", "A member of %s has no name.", kind->type);
    TRY(validate_name(kind, name));
    const char *key = rid_key(c->q->arena,
            arena_printf(c->q->arena, "%s%s/%s", c->rid->id, strrchr(kind->type, '/'), name));
    const struct resource *old = store_find(&c->s->store, key);
    const struct validate_request q = {
        .arena = c->q->arena, .kind = kind, .body = item, .old = old == NULL ? NULL : old->doc
    };
    json_t *doc = NULL;

    TRY(validate_body(&q, &doc));
    *ret = jsonx_must(json_pack("{s:s, s:o}", "name", name, "doc", doc));
    return NULL;
}

static bool is_named(const json_t *list, const char *name)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
        if (strcasecmp(jsonx_text(one, "name"), name) == 0)
            return true;
    }
    return false;
}

/* What is left out goes, unless something uses it. */
static struct err *check_dropped(struct call *c, const struct kind *kind, const json_t *list)
{
    size_t from = 0;
    size_t to = 0;

    store_below(&c->s->store, c->rid->key, &from, &to);
    for (size_t i = from; i < to; i++) {
        const struct resource *child = c->s->store.items[i];

        if (child->kind == kind && !is_named(list, child->name))
            TRY(checks_unused(c->s, child));
    }
    return NULL;
}

static struct err *split_one(struct call *c, const struct kind *kind, json_t *value, json_t *moved)
{
    json_auto_t *list = jsonx_must(json_array());
    size_t i = 0;
    json_t *item = NULL;

    json_array_foreach (value, i, item) {
        json_t *one = NULL;

        TRY(check_item(c, kind, item, &one));
        json_array_append_new(list, one);
    }
    TRY(check_dropped(c, kind, list));
    json_object_set(moved, kind->type, list);
    return NULL;
}

struct err *children_split(struct call *c, json_t *doc, json_t **ret_moved)
{
    json_auto_t *moved = jsonx_must(json_object());
    const char *path = NULL;
    json_t *type = NULL;

    json_object_foreach (json_object_get(c->kind->data, "inline"), path, type) {
        const struct kind *kind = kinds_find(c->s->kinds, json_string_value(type));
        json_t *value = jsonx_at(doc, path);
        const char *dot = strrchr(path, '.');

        if (value == NULL || kind == NULL)
            continue;
        TRY(split_one(c, kind, value, moved));
        json_object_del(json_object_get(doc, "properties"), dot == NULL ? path : dot + 1);
    }
    *ret_moved = TAKE(moved);
    return NULL;
}

static void place_item(
        struct call *c, const struct resource *r, const struct kind *kind, const json_t *item)
{
    const char *id = arena_printf(
            c->q->arena, "%s%s/%s", r->id, strrchr(kind->type, '/'), jsonx_text(item, "name"));
    struct resource *child = store_find(&c->s->store, rid_key(c->q->arena, id));
    const bool is_new = child == NULL;

    if (is_new)
        child = store_add(&c->s->store, id, kind);
    json_decref(child->doc);
    child->doc = json_incref(json_object_get(item, "doc"));
    store_touch(&c->s->store, child);
    resource_make(c->s, child, is_new);
    resource_announce(c->s, child);
}

static void drop_unnamed(
        struct call *c, const char *parent_key, const struct kind *kind, const json_t *list)
{
    size_t from = 0;
    size_t to = 0;

    store_below(&c->s->store, parent_key, &from, &to);
    for (size_t i = to; i > from; i--) {
        const struct resource *child = c->s->store.items[i - 1];

        if (child->kind == kind && !is_named(list, child->name)) {
            AUTO(free) char *key = xstrdup(child->key);

            resource_remove_tree(c->s, key);
        }
    }
}

void children_place(struct call *c, struct resource *r, const json_t *moved)
{
    const char *type = NULL;
    json_t *list = NULL;
    size_t i = 0;
    json_t *item = NULL;

    json_object_foreach ((json_t *)(uintptr_t)moved, type, list) {
        const struct kind *kind = kinds_find(c->s->kinds, type);

        drop_unnamed(c, r->key, kind, list);
        json_array_foreach (list, i, item)
            place_item(c, r, kind, item);
    }
}

void children_add_implicit(struct sandbox *s, struct resource *r)
{
    size_t i = 0;
    json_t *one = NULL;

    /* `r` stays where it is: the store moves pointers only. */
    json_array_foreach (json_object_get(r->kind->data, "implicit"), i, one) {
        const struct kind *kind = kinds_find(s->kinds, jsonx_text(one, "type"));
        const json_t *doc = json_object_get(one, "doc");
        const json_t *made = json_object_get(one, "made");

        if (kind == NULL)
            continue;
        AUTO(free)
        char *id = xasprintf("%s%s/%s", r->id, strrchr(kind->type, '/'), jsonx_text(one, "name"));
        struct resource *child = store_add(&s->store, id, kind);
        json_auto_t *context = view_context(s, child);

        json_decref(child->doc);
        child->doc = doc == NULL ? jsonx_must(json_object()) : template_expand(doc, context);
        json_decref(child->made);
        child->made = made == NULL ? jsonx_must(json_object()) : template_expand(made, context);
    }
}
