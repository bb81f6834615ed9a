#include "sandbox/store.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/str.h"

void store_init(struct store *s)
{
    *s = (struct store){ .deleted = jsonx_must(json_array()) };
}

static void resource_free(struct resource *r)
{
    json_decref(r->doc);
    json_decref(r->made);
    json_decref(r->hidden);
    json_decref(r->tags);
    free(r->id);
    free(r->key);
    free(r->name);
    free(r->location);
    free(r->etag);
    free(r->state);
    free(r->op_id);
    free(r);
}

void store_release(struct store *s)
{
    for (size_t i = 0; i < s->count; i++)
        resource_free(s->items[i]);
    free(s->items);
    json_decref(s->deleted);
    *s = (struct store){ 0 };
}

/* The first place whose key is not below `key`. */
static size_t lower_bound(const struct store *s, const char *key)
{
    size_t low = 0;
    size_t high = s->count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (strcmp(s->items[mid]->key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct resource *store_find(const struct store *s, const char *key)
{
    const size_t at = lower_bound(s, key);

    return at < s->count && text_eq(s->items[at]->key, key) ? s->items[at] : NULL;
}

struct resource *store_add(struct store *s, const char *id, const struct kind *kind)
{
    struct resource *r = xcalloc(1, sizeof(*r));
    const char *slash = strrchr(id, '/');

    r->id = xstrdup(id);
    r->key = xstrdup(id);
    for (char *c = r->key; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    r->name = xstrdup(slash == NULL ? id : slash + 1);
    r->kind = kind;
    r->doc = jsonx_must(json_object());
    r->made = jsonx_must(json_object());
    r->hidden = jsonx_must(json_object());
    r->state = xstrdup(kind->state_done);
    r->created_ms = clock_wall_ms();
    const size_t at = lower_bound(s, r->key);

    GROW(s->items, s->count, s->capacity);
    memmove(s->items + at + 1, s->items + at, (s->count - at) * sizeof(struct resource *));
    s->items[at] = r;
    s->count++;
    store_touch(s, r);
    return r;
}

void store_remove(struct store *s, struct resource *r)
{
    const size_t at = lower_bound(s, r->key);

    memmove(s->items + at, s->items + at + 1, (s->count - at - 1) * sizeof(struct resource *));
    s->count--;
    s->is_dirty = true;
    resource_free(r);
}

void store_below(const struct store *s, const char *key, size_t *ret_from, size_t *ret_to)
{
    AUTO(free) char *prefix = xasprintf("%s/", key);
    const size_t len = strlen(prefix);

    *ret_from = lower_bound(s, prefix);
    *ret_to = *ret_from;
    while (*ret_to < s->count && strncmp(s->items[*ret_to]->key, prefix, len) == 0)
        (*ret_to)++;
}

void store_touch(struct store *s, struct resource *r)
{
    char uuid[DIGEST_UUID_SIZE];

    digest_uuid4(uuid);
    free(r->etag);
    r->etag = xstrdup(uuid);
    r->changed_ms = clock_wall_ms();
    s->is_dirty = true;
}

static void set_text(json_t *j, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(j, key, jsonx_textf("%s", text));
}

json_t *store_resource_json(const struct resource *r)
{
    json_t *j = jsonx_must(json_pack("{s:s, s:s, s:O, s:O, s:O, s:O?, s:I, s:I}", "id", r->id,
            "type", r->kind->type, "doc", r->doc, "made", r->made, "hidden", r->hidden, "tags",
            r->tags, "created_ms", (json_int_t)r->created_ms, "changed_ms",
            (json_int_t)r->changed_ms));

    set_text(j, "location", r->location);
    set_text(j, "etag", r->etag);
    set_text(j, "state", r->state);
    set_text(j, "op_id", r->op_id);
    if (r->is_deleting)
        json_object_set_new(j, "is_deleting", json_true());
    return j;
}

void store_bury(struct store *s, const struct resource *r)
{
    json_array_append_new(
            s->deleted, jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "type",
                                r->kind->type, "name", r->name, "id", r->id, "location",
                                r->location == NULL ? "" : r->location, "deleted_ms",
                                (json_int_t)clock_wall_ms(), "resource", store_resource_json(r))));
    s->is_dirty = true;
}

void store_end_purges(struct store *s, int64_t now_ms)
{
    for (size_t i = json_array_size(s->deleted); i > 0; i--) {
        if (jsonx_int(json_array_get(s->deleted, i - 1), "purged_ms", INT64_MAX) > now_ms)
            continue;
        json_array_remove(s->deleted, i - 1);
        s->is_dirty = true;
    }
}

json_t *store_json(const struct store *s)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(list, store_resource_json(s->items[i]));
    return jsonx_must(json_pack("{s:o, s:O}", "resources", list, "deleted", s->deleted));
}

static char *text_copy(const json_t *j, const char *key)
{
    const char *text = jsonx_text(j, key);

    return text == NULL ? NULL : xstrdup(text);
}

static void replace_json(json_t **at, const json_t *j, const char *key)
{
    const json_t *value = json_object_get(j, key);

    if (!json_is_object(value))
        return;
    json_decref(*at);
    *at = jsonx_copy(value);
}

struct resource *store_restore(struct store *s, const struct kinds *kinds, const json_t *j)
{
    const char *id = jsonx_text(j, "id");
    const char *type = jsonx_text(j, "type");
    const struct kind *kind = type == NULL ? NULL : kinds_find(kinds, type);

    if (kind == NULL || id == NULL)
        return NULL;
    struct resource *r = store_add(s, id, kind);

    replace_json(&r->doc, j, "doc");
    replace_json(&r->made, j, "made");
    replace_json(&r->hidden, j, "hidden");
    replace_json(&r->tags, j, "tags");
    r->location = text_copy(j, "location");
    free(r->etag);
    r->etag = text_copy(j, "etag");
    free(r->state);
    r->state = text_copy(j, "state");
    r->op_id = text_copy(j, "op_id");
    r->is_deleting = jsonx_bool(j, "is_deleting", false);
    r->created_ms = jsonx_int(j, "created_ms", r->created_ms);
    r->changed_ms = jsonx_int(j, "changed_ms", r->changed_ms);
    return r;
}

void store_load(struct store *s, const struct kinds *kinds, const json_t *j)
{
    size_t i = 0;
    json_t *one = NULL;
    const json_t *deleted = json_object_get(j, "deleted");

    json_array_foreach (json_object_get(j, "resources"), i, one)
        store_restore(s, kinds, one);
    if (json_is_array(deleted)) {
        json_decref(s->deleted);
        s->deleted = jsonx_copy(deleted);
    }
    s->is_dirty = false;
}

json_t *store_full(const struct resource *r)
{
    json_t *full = jsonx_copy(r->doc);

    jsonx_merge_patch(full, r->made);
    return full;
}
