#include "sandbox/view.h"

#include <ctype.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/auth.h"
#include "sandbox/backend.h"
#include "sandbox/hooks.h"
#include "sandbox/rid.h"
#include "sandbox/validate.h"

char *view_region(const char *location)
{
    char *out = xstrdup(location == NULL ? "" : location);
    size_t n = 0;

    for (size_t i = 0; out[i] != '\0'; i++) {
        if (out[i] != ' ')
            out[n++] = (char)tolower((unsigned char)out[i]);
    }
    out[n] = '\0';
    return out;
}

static char *lower(const char *text)
{
    char *out = xstrdup(text);

    for (char *c = out; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return out;
}

/* The parent resource of a child, or NULL. */
static const struct resource *parent_of(const struct store *s, const struct resource *r)
{
    AUTO(free) char *key = xstrdup(r->key);

    if (r->kind->scope != KIND_PARENT)
        return NULL;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(key, '/');

        if (slash == NULL)
            return NULL;
        *slash = '\0';
    }
    return store_find(s, key);
}

static const char *location_of(const struct store *s, const struct resource *r)
{
    for (const struct resource *at = r; at != NULL; at = parent_of(s, at)) {
        if (at->location != NULL)
            return at->location;
    }
    return "";
}

/* What several files need and no member of the document says. */
static void add_derived(
        struct sandbox *s, const struct resource *r, const struct rid *rid, json_t *j)
{
    const char *domain = json_string_value(jsonx_at(r->made, "properties.defaultDomain"));
    const json_t *secrets = jsonx_at(r->doc, "properties.configuration.secrets");

    json_object_set_new(j, "scope", jsonx_textf("%.*s", (int)strlen(rid->scope_key), r->id));
    json_object_set_new(j, "principal", jsonx_textf("%s", auth_object_id(s->auth)));
    json_object_set_new(
            j, "secrets", secrets == NULL ? jsonx_must(json_array()) : jsonx_copy(secrets));
    if (domain != NULL)
        json_object_set_new(j, "word", jsonx_textf("%.*s", (int)strcspn(domain, "."), domain));
}

json_t *view_context(struct sandbox *s, const struct resource *r)
{
    struct arena *arena = arena_new();
    struct rid rid = { 0 };
    const struct resource *parent = parent_of(&s->store, r);
    const char *location = location_of(&s->store, r);
    AUTO(free) char *region = view_region(location);
    AUTO(free) char *name = lower(r->name);

    rid_parse_text(arena, r->id, &rid);
    json_t *j = jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:o}", "id",
            r->id, "name", r->name, "lower", name, "location", location, "region", region,
            "subscription", rid.subscription == NULL ? "" : rid.subscription, "group",
            rid.group == NULL ? "" : rid.group, "tenant", auth_tenant(s->auth), "hidden", r->hidden,
            "self", store_full(r)));

    add_derived(s, r, &rid, j);
    if (parent != NULL) {
        json_t *full = store_full(parent);

        json_object_set_new(full, "name", jsonx_textf("%s", parent->name));
        json_object_set_new(full, "id", jsonx_textf("%s", parent->id));
        json_object_set(full, "hidden", parent->hidden);
        json_object_set_new(j, "parent", full);
    }
    arena_free(arena);
    return j;
}

/* Elements of lists marked as sub-resources get an id of their own and what goes with it. */
static void add_subresources(const struct resource *r, const struct spec *spec, json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    json_t *item = NULL;
    size_t i = 0;

    json_object_foreach (value, key, member) {
        const struct spec *m = spec_member(spec, key);

        if (m == NULL)
            continue;
        if (m->type == SPEC_OBJECT)
            add_subresources(r, m, member);
        if (m->type != SPEC_LIST || !m->is_subresource)
            continue;
        json_array_foreach (member, i, item) {
            const char *name = jsonx_text(item, "name");

            json_object_set_new(
                    item, "id", jsonx_textf("%s/%s/%s", r->id, m->name, name == NULL ? "" : name));
            json_object_set_new(item, "etag", jsonx_textf("W/\"%s\"", r->etag));
            json_object_set_new(item, "type", jsonx_textf("%s/%s", r->kind->type, m->name));
            jsonx_set_at(item, "properties.provisioningState", jsonx_textf("%s", r->state));
        }
    }
}

static void add_inline(struct sandbox *s, const struct resource *r, json_t *out)
{
    const char *path = NULL;
    json_t *type = NULL;
    size_t from = 0;
    size_t to = 0;

    json_object_foreach (json_object_get(r->kind->data, "inline"), path, type) {
        const struct kind *child = kinds_find(s->kinds, json_string_value(type));
        json_t *list = jsonx_must(json_array());

        store_below(&s->store, r->key, &from, &to);
        for (size_t i = from; i < to; i++) {
            if (s->store.items[i]->kind == child)
                json_array_append_new(list, view_resource(s, s->store.items[i]));
        }
        jsonx_set_at(out, path, list);
    }
}

static void add_system_data(struct sandbox *s, const struct resource *r, json_t *out)
{
    char created[CLOCK_RFC3339_SIZE];
    char changed[CLOCK_RFC3339_SIZE];
    const char *who = auth_client_id(s->auth);

    clock_rfc3339(r->created_ms, created);
    clock_rfc3339(r->changed_ms, changed);
    json_object_set_new(out, "systemData",
            jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "createdBy", who,
                    "createdByType", "Application", "createdAt", created, "lastModifiedBy", who,
                    "lastModifiedByType", "Application", "lastModifiedAt", changed)));
}

static json_t *shown_id(const struct resource *r)
{
    AUTO(free) char *id = r->kind->is_id_lower ? lower(r->id) : xstrdup(r->id);

    return jsonx_textf("%s", id);
}

static json_t *shown_name(struct sandbox *s, const struct resource *r)
{
    const struct resource *parent = r->kind->is_name_joined ? parent_of(&s->store, r) : NULL;

    return parent == NULL ? jsonx_textf("%s", r->name)
                          : jsonx_textf("%s/%s", parent->name, r->name);
}

static json_t *shown_location(const struct resource *r)
{
    AUTO(free)
    char *location = r->kind->fixed_location != NULL ? lower(r->location) : xstrdup(r->location);

    return jsonx_textf("%s", location);
}

/* The rest of the envelope around a document. */
static void add_envelope(struct sandbox *s, const struct resource *r, json_t *out)
{
    json_object_set_new(out, "id", shown_id(r));
    json_object_set_new(out, "name", shown_name(s, r));
    if (r->kind->has_type_in_answer)
        json_object_set_new(out, "type", jsonx_textf("%s", r->kind->type));
    if (r->location != NULL)
        json_object_set_new(out, "location", shown_location(r));
    if (r->tags != NULL)
        json_object_set(out, "tags", r->tags);
    if (r->kind->has_etag)
        json_object_set_new(out, "etag",
                r->kind->checks_etag ? jsonx_textf("%s", r->etag)
                                     : jsonx_textf("W/\"%s\"", r->etag));
    if (r->kind->has_system_data)
        add_system_data(s, r, out);
    if (r->kind->state_path != NULL)
        jsonx_set_at(out, r->kind->state_path, jsonx_textf("%s", r->state));
}

json_t *view_resource(struct sandbox *s, const struct resource *r)
{
    json_t *out = validate_public(r->kind, r->doc);
    json_auto_t *live = backend_view(s->backend, r->id, r->kind->type);

    jsonx_merge_patch(out, r->made);
    add_inline(s, r, out);
    if (r->kind->body != NULL)
        add_subresources(r, r->kind->body, out);
    add_envelope(s, r, out);
    hooks_view(s, r, out);
    if (json_is_object(live))
        jsonx_merge_patch(out, live);
    return out;
}

json_t *view_brief(const struct resource *r, const char *expand)
{
    static const char *const members[] = { "sku", "kind", "identity", "managedBy", "zones" };
    json_t *out = jsonx_must(json_pack(
            "{s:o, s:s, s:s}", "id", shown_id(r), "name", r->name, "type", r->kind->type));
    char time[CLOCK_RFC3339_SIZE];

    if (r->location != NULL)
        json_object_set_new(out, "location", shown_location(r));
    if (r->tags != NULL)
        json_object_set(out, "tags", r->tags);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_t *value = json_object_get(r->doc, members[i]);

        if (value != NULL)
            json_object_set(out, members[i], value);
    }
    if (expand != NULL && strcasestr(expand, "createdTime") != NULL) {
        clock_rfc3339(r->created_ms, time);
        json_object_set_new(out, "createdTime", jsonx_textf("%s", time));
    }
    if (expand != NULL && strcasestr(expand, "changedTime") != NULL) {
        clock_rfc3339(r->changed_ms, time);
        json_object_set_new(out, "changedTime", jsonx_textf("%s", time));
    }
    if (expand != NULL && strcasestr(expand, "provisioningState") != NULL)
        json_object_set_new(out, "provisioningState", jsonx_textf("%s", r->state));
    return out;
}
