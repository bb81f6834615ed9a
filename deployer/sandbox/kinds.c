#include "sandbox/kinds.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/doc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "sandbox/embedded.h"

/* How deep "use:" may lead to "use:". */
#define USE_DEPTH_MAX 8

struct kinds {
    struct arena *arena;
    struct kind *items;
    size_t count, capacity;
    struct kind_namespace *namespaces;
    size_t namespace_count, namespace_capacity;
    const json_t *general;
    const json_t *settings;
    const json_t *offers;
    const json_t *roles;
    const json_t *linked;
};

static void release_json(void *j)
{
    json_decref(j);
}

static struct err *first_problem(const struct diag_list *diags)
{
    if (diags->count == 0)
        return NULL;
    const struct diag *d = &diags->items[0];

    return err_new(ERR_CONFIG, 0, "%s:%d:%d: %s: %s", d->place.file, d->place.line, d->place.column,
            d->path, d->text);
}

static struct err *read_file(struct kinds *k, const struct sandbox_file *file, json_t **ret)
{
    AUTO(diag) struct diag_list diags;

    diag_init(&diags, k->arena);
    struct doc_node *root =
            doc_parse(k->arena, (struct str){ file->data, file->size_bytes }, file->path, &diags);

    TRY(first_problem(&diags));
    json_t *j = doc_json(root, "", &diags);

    arena_hook(k->arena, release_json, j);
    TRY(first_problem(&diags));
    *ret = j;
    return NULL;
}

static const char **read_words(struct arena *arena, const json_t *list, size_t *ret_count)
{
    const char **words = arena_alloc(arena, (json_array_size(list) + 1) * sizeof(*words));

    *ret_count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));

        if (word != NULL)
            words[(*ret_count)++] = word;
    }
    return words;
}

static struct err *add_namespaces(struct kinds *k, const json_t *general)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach (json_object_get(general, "namespaces"), name, value) {
        GROW(k->namespaces, k->namespace_count, k->namespace_capacity);
        struct kind_namespace *ns = &k->namespaces[k->namespace_count++];

        *ns = (struct kind_namespace){ .name = name, .codes = json_object_get(value, "codes") };
        ns->versions = read_words(k->arena, json_object_get(value, "versions"), &ns->version_count);
    }
    k->general = general;
    return NULL;
}

/* The number of a word in a list, or an error that names them. */
static struct err *pick(const json_t *data, const char *key, const char *const *words, size_t count,
        int otherwise, int *ret)
{
    const char *word = jsonx_text(data, key);

    *ret = otherwise;
    if (word == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (text_eq(words[i], word)) {
            *ret = (int)i;
            return NULL;
        }
    }
    return err_new(ERR_CONFIG, 0, "%s: '%s' is not known", key, word);
}

static struct err *read_shapes(const json_t *data, struct kind *kind)
{
    static const char *const shapes[] = { "sync", "async", "location", "both", "state" };
    static const char *const patches[] = { "none", "tags", "merge" };
    int put = 0;
    int patch = 0;
    int patch_shape = 0;
    int remove = 0;

    TRY(pick(data, "put", shapes, ARRAY_LEN(shapes), KIND_SYNC, &put));
    TRY(pick(data, "patch", patches, ARRAY_LEN(patches), KIND_PATCH_NONE, &patch));
    TRY(pick(data, "patch_shape", shapes, ARRAY_LEN(shapes), patch == KIND_PATCH_TAGS ? 0 : put,
            &patch_shape));
    TRY(pick(data, "delete", shapes, ARRAY_LEN(shapes), KIND_SYNC, &remove));
    kind->put_shape = (enum kind_shape)put;
    kind->patch = (enum kind_patch)patch;
    kind->patch_shape = (enum kind_shape)patch_shape;
    kind->delete_shape = (enum kind_shape)remove;
    const json_t *codes = json_object_get(data, "codes");

    kind->create_status = (int)jsonx_int(codes, "create", 201);
    kind->update_status = (int)jsonx_int(codes, "update", 200);
    kind->patch_status = (int)jsonx_int(codes, "patch", patch_shape == KIND_SYNC ? 200 : 202);
    kind->delete_status = (int)jsonx_int(codes, "delete", remove == KIND_SYNC ? 200 : 202);
    kind->has_no_body_while_busy = jsonx_bool(data, "no_body_while_busy", false);
    return NULL;
}

static struct err *read_place(const json_t *data, struct kind *kind)
{
    static const char *const scopes[] = { "group", "subscription", "parent", "extension" };
    static const char *const locations[] = { "required", "optional", "none" };
    const char *at = strchr(kind->type, '/');
    const bool is_child = at != NULL && strchr(at + 1, '/') != NULL;
    int scope = 0;
    int location = 0;

    TRY(pick(
            data, "scope", scopes, ARRAY_LEN(scopes), is_child ? KIND_PARENT : KIND_GROUP, &scope));
    kind->scope = (enum kind_scope)scope;
    const bool is_plain = kind->scope == KIND_GROUP || kind->scope == KIND_SUBSCRIPTION;

    TRY(pick(data, "location", locations, ARRAY_LEN(locations),
            is_plain ? KIND_LOCATION_REQUIRED : KIND_LOCATION_NONE, &location));
    kind->location = (enum kind_location)location;
    kind->fixed_location = jsonx_text(data, "fixed_location");
    kind->has_tags = jsonx_bool(data, "tags", is_plain);
    kind->is_tracked = jsonx_bool(data, "tracked", is_plain && kind->scope == KIND_GROUP);
    return NULL;
}

static void read_flags(const json_t *data, struct kind *kind)
{
    kind->has_system_data = jsonx_bool(data, "system_data", false);
    kind->has_type_in_answer = jsonx_bool(data, "type_in_answer", true);
    kind->is_id_lower = jsonx_bool(data, "id_lower", false);
    kind->is_name_lower = jsonx_bool(data, "name_lower", false);
    kind->is_name_joined = jsonx_bool(data, "name_joined", false);
    kind->has_etag = jsonx_bool(data, "etag", false);
    kind->checks_etag = jsonx_bool(data, "checks_etag", false);
    kind->is_global_name = jsonx_bool(data, "global_name", false);
    kind->is_deletable = jsonx_bool(data, "deletable", true);
    kind->is_readable = jsonx_bool(data, "readable", true);
}

static void read_states(const json_t *data, struct kind *kind)
{
    static const char *const verbs[] = { "create", "update", "delete" };
    static const char *const words[] = { "Creating", "Updating", "Deleting" };
    const json_t *states = json_object_get(data, "states");
    const json_t *minutes = json_object_get(data, "minutes");
    const char *at = jsonx_text(states, "at");

    kind->state_path = at == NULL ? "properties.provisioningState" : at;
    if (text_eq(at, "none"))
        kind->state_path = NULL;
    kind->state_done = jsonx_text(states, "done");
    if (kind->state_done == NULL)
        kind->state_done = "Succeeded";
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        const char *word = jsonx_text(states, verbs[i]);

        kind->state_words[i] = word == NULL ? words[i] : word;
        kind->minutes[i] = json_number_value(json_array_get(minutes, i));
    }
}

static struct err *read_name(struct arena *arena, const json_t *data, struct kind *kind)
{
    const json_t *name = json_object_get(data, "name");
    const char *rule = jsonx_text(name, "rule");

    kind->name_forbids = jsonx_text(name, "forbids");
    if (rule == NULL)
        return NULL;
    AUTO(free) char *text = xasprintf("string %s", rule);
    json_t *spec = jsonx_textf("%s", text);

    arena_hook(arena, release_json, spec);
    return spec_build(arena, "name", spec, &kind->name);
}

/* A copy in which each "use:NAME" is what general.yaml shares under that name. Owned. */
static json_t *with_shared(const json_t *shared, const json_t *j, int depth)
{
    const char *text = json_string_value(j);
    const char *key = NULL;
    json_t *value = NULL;

    if (text != NULL && strncmp(text, "use:", 4) == 0 && depth < USE_DEPTH_MAX)
        return with_shared(shared, json_object_get(shared, text + 4), depth + 1);
    if (!json_is_object(j))
        return j == NULL ? json_null() : jsonx_copy(j);
    json_t *out = jsonx_must(json_object());

    json_object_foreach ((json_t *)(uintptr_t)j, key, value)
        json_object_set_new(out, key, with_shared(shared, value, depth));
    return out;
}

static struct err *read_body(struct kinds *k, const json_t *data, struct kind *kind)
{
    const json_t *body = json_object_get(data, "body");

    if (body == NULL)
        return NULL;
    json_t *whole = with_shared(json_object_get(k->general, "shared"), body, 0);

    arena_hook(k->arena, release_json, whole);
    return err_wrap(spec_build(k->arena, "body", whole, &kind->body), "%s", kind->type);
}

static struct err *add_kind(struct kinds *k, json_t *data)
{
    struct kind kind = { .type = jsonx_text(data, "type"), .data = data };

    if (kind.type == NULL)
        return err_new(ERR_CONFIG, 0, "type is missing");
    AUTO(free) char *ns = xstrdup(kind.type);

    ns[strcspn(ns, "/")] = '\0';
    kind.ns = kinds_namespace(k, ns);
    if (kind.ns == NULL)
        return err_new(ERR_CONFIG, 0, "namespace %s is not in general.yaml", ns);
    if (json_object_get(data, "versions") != NULL)
        kind.versions =
                read_words(k->arena, json_object_get(data, "versions"), &kind.version_count);
    TRY(read_place(data, &kind));
    TRY(read_shapes(data, &kind));
    read_flags(data, &kind);
    read_states(data, &kind);
    TRY(read_name(k->arena, data, &kind));
    TRY(read_body(k, data, &kind));
    GROW(k->items, k->count, k->capacity);
    k->items[k->count++] = kind;
    return NULL;
}

/* One file holds one kind, or several under `kinds`. */
static struct err *add_file(struct kinds *k, const struct sandbox_file *file)
{
    json_t *data = NULL;
    size_t i = 0;
    json_t *one = NULL;

    TRY(read_file(k, file, &data));
    if (json_object_get(data, "settings") != NULL)
        k->settings = json_object_get(data, "settings");
    if (str_ends(str_of(file->path), STR("/offers.yaml")))
        k->offers = data;
    if (json_object_get(data, "roles") != NULL)
        k->roles = json_object_get(data, "roles");
    if (json_object_get(data, "linked") != NULL)
        k->linked = json_object_get(data, "linked");
    json_array_foreach (json_object_get(data, "kinds"), i, one)
        TRY(err_wrap(add_kind(k, one), "%s: kind %zu", file->path, i + 1));
    if (json_object_get(data, "type") != NULL)
        TRY(err_wrap(add_kind(k, data), "%s", file->path));
    return NULL;
}

static bool is_general(const struct sandbox_file *file)
{
    return str_ends(str_of(file->path), STR("/general.yaml"));
}

/* The data plane's files travel in the same table. */
static bool is_kinds(const struct sandbox_file *file)
{
    return str_find(str_of(file->path), STR("/kinds/")) >= 0 && !is_general(file);
}

static struct err *load_all(struct kinds *k)
{
    for (const struct sandbox_file *f = sandbox_files; f->path != NULL; f++) {
        json_t *data = NULL;

        if (is_general(f)) {
            TRY(read_file(k, f, &data));
            TRY(add_namespaces(k, data));
        }
    }
    for (const struct sandbox_file *f = sandbox_files; f->path != NULL; f++) {
        if (is_kinds(f))
            TRY(add_file(k, f));
    }
    return NULL;
}

struct err *kinds_load(struct kinds **ret)
{
    struct kinds *k = xcalloc(1, sizeof(*k));

    k->arena = arena_new();
    struct err *e = load_all(k);

    if (e != NULL) {
        kinds_free(k);
        return e;
    }
    *ret = k;
    return NULL;
}

void kinds_free(struct kinds *k)
{
    if (k == NULL)
        return;
    arena_free(k->arena);
    free(k->items);
    free(k->namespaces);
    free(k);
}

const struct kind *kinds_find(const struct kinds *k, const char *type)
{
    for (size_t i = 0; i < k->count; i++) {
        if (strcasecmp(k->items[i].type, type) == 0)
            return &k->items[i];
    }
    return NULL;
}

const struct kind_namespace *kinds_namespace(const struct kinds *k, const char *ns)
{
    for (size_t i = 0; i < k->namespace_count; i++) {
        if (strcasecmp(k->namespaces[i].name, ns) == 0)
            return &k->namespaces[i];
    }
    return NULL;
}

size_t kinds_count(const struct kinds *k)
{
    return k->count;
}

const struct kind *kinds_at(const struct kinds *k, size_t i)
{
    return &k->items[i];
}

size_t kinds_namespace_count(const struct kinds *k)
{
    return k->namespace_count;
}

const struct kind_namespace *kinds_namespace_at(const struct kinds *k, size_t i)
{
    return &k->namespaces[i];
}

const json_t *kinds_general(const struct kinds *k)
{
    return k->general;
}

const json_t *kinds_offers(const struct kinds *k)
{
    return k->offers;
}

const json_t *kinds_roles(const struct kinds *k)
{
    return k->roles;
}

const json_t *kinds_linked(const struct kinds *k)
{
    return k->linked;
}

const json_t *kinds_settings(const struct kinds *k)
{
    return k->settings;
}

const char *const *kind_versions(const struct kind *kind, size_t *ret_count)
{
    *ret_count = kind->versions != NULL ? kind->version_count : kind->ns->version_count;
    return kind->versions != NULL ? kind->versions : kind->ns->versions;
}

bool kind_has_version(const struct kind *kind, const char *version)
{
    size_t count = 0;
    const char *const *versions = kind_versions(kind, &count);

    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(versions[i], version) == 0)
            return true;
    }
    return false;
}

bool kind_has_word(const struct kind *kind, const char *list, const char *word)
{
    const json_t *words = json_object_get(kind->data, list);
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)words, i, one) {
        if (text_eq(json_string_value(one), word))
            return true;
    }
    return false;
}
