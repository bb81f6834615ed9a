#include "catalog/kind.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/reader.h"

static const char *const scope_names[] = { "subscription", "group", "parent", "extension" };
_Static_assert(ARRAY_LEN(scope_names) == KIND_SCOPE_EXTENSION + 1, "a name for each scope");

/* --- properties --- */

static const char *const type_names[] = { "string", "integer", "number", "boolean", "object",
    "array" };
static const char *const format_names[] = { "quantity", "duration", "location", "cidr", "csv-set",
    "last-segment", "version-prefix", "image" };

/* How a key of a property is read into its struct; one pass over few entries, for there are many.
 */
enum field_kind { FIELD_BOOL, FIELD_TEXT, FIELD_JSON, FIELD_TYPE, FIELD_FORMAT, FIELD_LIMIT };

static const struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
    size_t has_offset; /* FIELD_LIMIT */
} fields[] = {
#define AT(member) offsetof(struct kind_property, member)
    { "type", FIELD_TYPE, AT(type), 0 },
    { "enum", FIELD_JSON, AT(values), 0 },
    { "open", FIELD_BOOL, AT(is_open), 0 },
    { "required", FIELD_BOOL, AT(is_required), 0 },
    { "read_only", FIELD_BOOL, AT(is_read_only), 0 },
    { "write_only", FIELD_BOOL, AT(is_write_only), 0 },
    { "create_only", FIELD_BOOL, AT(is_create_only), 0 },
    { "secret", FIELD_BOOL, AT(is_secret), 0 },
    { "immutable", FIELD_BOOL, AT(is_immutable), 0 },
    { "ignore_case", FIELD_BOOL, AT(ignores_case), 0 },
    { "default", FIELD_JSON, AT(default_value), 0 },
    { "min", FIELD_LIMIT, AT(min), AT(has_min) },
    { "max", FIELD_LIMIT, AT(max), AT(has_max) },
    { "id", FIELD_BOOL, AT(is_id), 0 },
    { "set", FIELD_BOOL, AT(is_set), 0 },
    { "map_by", FIELD_TEXT, AT(map_by), 0 },
    { "alias", FIELD_TEXT, AT(alias), 0 },
    { "format", FIELD_FORMAT, AT(format), 0 },
    { "pattern", FIELD_TEXT, AT(pattern), 0 },
    { "added", FIELD_JSON, AT(added), 0 },
    { "at_least", FIELD_JSON, AT(at_least), 0 },
    { "swaps_with", FIELD_TEXT, AT(swaps_with), 0 },
    { "not_resent", FIELD_BOOL, AT(is_not_resent), 0 },
    { "shared", FIELD_BOOL, AT(is_shared), 0 },
    { "resend", FIELD_JSON, AT(resend), 0 },
    { "may_be_dropped", FIELD_BOOL, AT(may_be_dropped), 0 },
    { "immutable_unless", FIELD_JSON, AT(immutable_unless), 0 },
    { "doc", FIELD_TEXT, AT(doc), 0 },
#undef AT
};

static const char *choose(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, const char *const *words, size_t count)
{
    const size_t at = reader_choice(r, map, key, path, words, count, count);

    return at == count ? NULL : words[at];
}

static void read_field(const struct reader *r, const struct doc_node *map, const char *at,
        const struct field *f, struct kind_property *p)
{
    char *to = (char *)p + f->offset;

    switch (f->kind) {
    case FIELD_BOOL:
        *(bool *)to = reader_bool(r, map, f->key, at, false);
        break;
    case FIELD_TEXT:
        *(const char **)to = reader_text(r, map, f->key, at);
        break;
    case FIELD_JSON:
        *(const json_t **)to = reader_json(r, map, f->key, at);
        break;
    case FIELD_TYPE:
        *(const char **)to = choose(r, map, f->key, at, type_names, ARRAY_LEN(type_names));
        break;
    case FIELD_FORMAT:
        *(const char **)to = choose(r, map, f->key, at, format_names, ARRAY_LEN(format_names));
        break;
    case FIELD_LIMIT:
        *(bool *)((char *)p + f->has_offset) = reader_number(r, map, f->key, at, (double *)to);
        break;
    }
}

static const struct field *find_field(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (fields[i].key[0] == key[0] && strcmp(fields[i].key, key) == 0)
            return &fields[i];
    }
    return NULL;
}

static void refuse_key(const struct reader *r, const struct doc_node *map, const char *at)
{
    const char *names[ARRAY_LEN(fields) + 1] = { NULL };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        names[i] = fields[i].key;
    reader_check_keys(r, map, at, names);
}

/* Refuses and forgets a value of another type. */
static void must_be(const struct reader *r, const struct doc_node *map, const char *at,
        const char *key, json_type type, const json_t **value)
{
    if (*value == NULL || json_typeof(*value) == type)
        return;
    reader_error(r, doc_get(map, key), at, "'%s' must be a %s", key,
            type == JSON_ARRAY ? "list" : "map");
    *value = NULL;
}

static void read_property(const struct reader *r, const struct doc_entry *e, const char *at,
        struct kind_property *ret)
{
    bool is_known = true;

    *ret = (struct kind_property){ .path = e->key };
    for (size_t i = 0; i < e->value->count; i++) {
        const struct field *f = find_field(e->value->entries[i].key);

        if (f != NULL)
            read_field(r, e->value, at, f, ret);
        is_known = is_known && f != NULL;
    }
    if (!is_known)
        refuse_key(r, e->value, at);
    must_be(r, e->value, at, "enum", JSON_ARRAY, &ret->values);
    must_be(r, e->value, at, "added", JSON_ARRAY, &ret->added);
    must_be(r, e->value, at, "at_least", JSON_OBJECT, &ret->at_least);
    must_be(r, e->value, at, "immutable_unless", JSON_OBJECT, &ret->immutable_unless);
    must_be(r, e->value, at, "resend", JSON_OBJECT, &ret->resend);
    ret->is_immutable = ret->is_immutable || ret->immutable_unless != NULL;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct kind_index *)a)->path, ((const struct kind_index *)b)->path);
}

/* Sorted paths, aliases included, for bsearch. */
static void make_index(struct arena *arena, struct kind *k)
{
    struct kind_index *index = arena_alloc(arena, 2 * k->property_count * sizeof(*index) + 1);
    size_t n = 0;

    for (size_t i = 0; i < k->property_count; i++) {
        const struct kind_property *p = &k->properties[i];

        index[n++] = (struct kind_index){ .path = p->path, .property = p };
        k->has_free_maps = k->has_free_maps || strstr(p->path, "{}") != NULL;
    }
    qsort(index, n, sizeof(*index), by_key);
    const size_t own = n;

    for (size_t i = 0; i < k->property_count; i++) {
        const struct kind_property *p = &k->properties[i];
        const struct kind_index alias = { .path = p->alias, .property = p };

        if (p->alias != NULL && bsearch(&alias, index, own, sizeof(*index), by_key) == NULL)
            index[n++] = alias;
    }
    qsort(index, n, sizeof(*index), by_key);
    k->index = index;
    k->index_count = n;
}

static void read_properties(const struct reader *r, const struct doc_node *map, struct kind *k)
{
    if (!reader_is_map(r, map, "properties"))
        return;
    k->properties = arena_alloc(r->arena, map->count * sizeof(*k->properties) + 1);
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        if (e->value->kind != DOC_MAP)
            reader_error(r, e->value, e->key, "must be a map such as {type: string}");
        else
            read_property(r, e, e->key, &k->properties[k->property_count++]);
    }
}

static const struct kind_property *find(const struct kind *k, const char *path)
{
    const struct kind_index wanted = { .path = path };
    const struct kind_index *found =
            k->index_count == 0
                    ? NULL
                    : bsearch(&wanted, k->index, k->index_count, sizeof(*k->index), by_key);

    return found == NULL ? NULL : found->property;
}

/* Whether `path` fits `known` when a {} stands for any key. */
static bool fits(const char *known, const char *path)
{
    while (*known != '\0' && *path != '\0') {
        if (strncmp(known, "{}", 2) == 0) {
            known += 2;
            path += strcspn(path, ".[");
        } else if (*known++ != *path++) {
            return false;
        }
    }
    return *known == *path;
}

/* "a[3].b[name].c" with [] for each step into a list. Owned; NULL where it is so already. */
static char *without_indexes(const char *path)
{
    bool has_index = false;

    for (const char *p = strchr(path, '['); p != NULL; p = strchr(p + 1, '['))
        has_index = has_index || p[1] != ']';
    if (!has_index)
        return NULL;
    char *copy = xcalloc(strlen(path) + 2, 1); /* one ] may be added */
    size_t n = 0;

    for (const char *p = path; *p != '\0'; p++) {
        copy[n++] = *p;
        if (*p != '[')
            continue;
        const char *close = strchr(p, ']');

        p = close == NULL ? p + strlen(p) - 1 : close;
        copy[n++] = ']';
    }
    return copy;
}

const struct kind_property *kind_property(const struct kind *k, const char *path)
{
    if (k == NULL)
        return NULL;
    AUTO(free) char *plain = without_indexes(path);
    const char *wanted = plain == NULL ? path : plain;
    const struct kind_property *p = find(k, wanted);

    for (size_t i = 0; p == NULL && k->has_free_maps && i < k->property_count; i++) {
        if (strstr(k->properties[i].path, "{}") != NULL && fits(k->properties[i].path, wanted))
            p = &k->properties[i];
    }
    return p;
}

/* --- the rest of a kind --- */

static void read_actions(const struct reader *r, const struct doc_node *map, struct kind *k)
{
    static const char *const keys[] = { "method", "path", "secret", "body", "doc", NULL };

    if (!reader_is_map(r, map, "actions"))
        return;
    k->actions = arena_alloc(r->arena, map->count * sizeof(*k->actions) + 1);
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        AUTO(free) char *at = xasprintf("actions.%s", e->key);

        if (!reader_is_map(r, e->value, at))
            continue;
        reader_check_keys(r, e->value, at, keys);
        const char *method = reader_text(r, e->value, "method", at);
        const char *path = reader_text(r, e->value, "path", at);

        k->actions[k->action_count++] = (struct kind_action){
            .name = e->key,
            .method = method == NULL ? "POST" : method,
            .path = path == NULL ? e->key : path,
            .is_secret = reader_bool(r, e->value, "secret", at, true),
            .body = reader_json(r, e->value, "body", at),
        };
    }
}

static void read_name(const struct reader *r, const struct doc_node *map, struct kind *k)
{
    static const char *const keys[] = { "pattern", "min", "max", "unique", "doc", NULL };
    double number = 0;

    if (!reader_is_map(r, map, "name"))
        return;
    reader_check_keys(r, map, "name", keys);
    k->name_pattern = reader_text(r, map, "pattern", "name");
    k->is_unique_name = reader_bool(r, map, "unique", "name", false);
    if (reader_number(r, map, "min", "name", &number) && number > 0)
        k->name_min = (size_t)number;
    if (reader_number(r, map, "max", "name", &number) && number > 0)
        k->name_max = (size_t)number;
}

static void read_minutes(const struct reader *r, const struct doc_node *map, struct kind *k)
{
    static const char *const keys[] = { "create", "update", "delete", NULL };

    k->create_min = k->update_min = k->delete_min = 0.2;
    if (!reader_is_map(r, map, "minutes"))
        return;
    reader_check_keys(r, map, "minutes", keys);
    reader_number(r, map, "create", "minutes", &k->create_min);
    if (!reader_number(r, map, "update", "minutes", &k->update_min))
        k->update_min = k->create_min;
    reader_number(r, map, "delete", "minutes", &k->delete_min);
}

static void read_location(const struct reader *r, const struct doc_node *root, struct kind *k)
{
    const char *location = reader_text(r, root, "location", "");
    const bool is_group = k->scope == KIND_SCOPE_GROUP || k->is_group;

    if (location == NULL)
        location = is_group ? "stack" : "none";
    k->has_location = strcmp(location, "none") != 0;
    k->fixed_location = k->has_location && strcmp(location, "stack") != 0 ? location : NULL;
}

/* Steps are the engine's to interpret; here only that they are lists of maps, and not too deep. */
static void check_procedure(
        const struct reader *r, const struct doc_node *list, const char *at, unsigned depth)
{
    if (depth > KIND_STEPS_DEPTH_MAX) {
        reader_error(r, list, at, "steps stand in each other deeper than %u lists",
                KIND_STEPS_DEPTH_MAX);
        return;
    }
    for (size_t i = 0; list->kind == DOC_LIST && i < list->count; i++) {
        const struct doc_node *inner = doc_get(list->items[i], "do");

        if (list->items[i]->kind != DOC_MAP)
            reader_error(r, list->items[i], at, "a step must be a map");
        else if (inner != NULL && reader_is_list(r, inner, at))
            check_procedure(r, inner, at, depth + 1);
    }
}

static void check_before(const struct reader *r, const struct doc_node *root)
{
    static const char *const keys[] = { "check", "get", "post", "body", "when", "unless", "always",
        "updated", "each", "expect", "some", "none", "quota", "where", "used", "limit",
        "fails_with", "text", "reason", "wanted", "offer", "hint", "if", "values", "amount", NULL };
    const struct doc_node *list = doc_get(root, "before");

    for (size_t i = 0; list->kind == DOC_LIST && i < list->count; i++) {
        AUTO(free) char *at = xasprintf("before[%zu]", i);

        if (!reader_is_map(r, list->items[i], at))
            continue;
        reader_check_keys(r, list->items[i], at, keys);
        (void)reader_required(r, list->items[i], "check", at);
    }
}

/* Those of its keys that others interpret: taken from its document as they are. */
static void read_behaviour(const struct reader *r, const struct doc_node *root, struct kind *k)
{
    static const char *const procedures[] = { "ready", "run", "resume", "facts" };
    const struct {
        const char *key;
        const json_t **to;
        bool is_list;
    } parts[] = { { "conflicts", &k->conflicts, true }, { "serial", &k->serial, true },
        { "ready", &k->ready, true }, { "run", &k->run, true }, { "resume", &k->resume, true },
        { "facts", &k->facts, true }, { "rules", &k->rules, true }, { "before", &k->before, true },
        { "rights", &k->rights, true }, { "rollouts", &k->rollouts, false },
        { "soft_delete", &k->soft_delete, false }, { "reset", &k->reset, false } };
    const struct doc_node *rollouts = doc_get(root, "rollouts");

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct doc_node *n = doc_get(root, parts[i].key);

        if (parts[i].is_list ? reader_is_list(r, n, parts[i].key)
                             : reader_is_map(r, n, parts[i].key))
            *parts[i].to = json_object_get(k->document, parts[i].key);
    }
    for (size_t i = 0; i < ARRAY_LEN(procedures); i++) {
        if (json_object_get(k->document, procedures[i]) != NULL)
            check_procedure(r, doc_get(root, procedures[i]), procedures[i], 1);
    }
    for (size_t i = 0; k->rollouts != NULL && i < rollouts->count; i++) {
        if (reader_is_list(r, rollouts->entries[i].value, "rollouts"))
            check_procedure(r, rollouts->entries[i].value, "rollouts", 1);
    }
    if (k->before != NULL)
        check_before(r, root);
    k->rules_place = k->rules == NULL ? root->place : doc_get(root, "rules")->place;
}

static void read_head(const struct reader *r, const struct doc_node *root, struct kind *k)
{
    static const char *const updates[] = { "put", "patch" };
    const char *cloud = reader_text(r, root, "cloud", "");

    k->title = reader_required(r, root, "title", "");
    k->cloud = cloud == NULL ? "arm" : cloud;
    k->type = reader_required(r, root, "type", "");
    k->api_version = reader_required(r, root, "api_version", "");
    if (reader_required(r, root, "scope", "")[0] != '\0')
        k->scope = (enum kind_scope)reader_choice(
                r, root, "scope", "scope", scope_names, ARRAY_LEN(scope_names), 0);
    k->update = (enum kind_update)reader_choice(
            r, root, "update", "update", updates, ARRAY_LEN(updates), KIND_UPDATE_PUT);
    k->is_group = reader_bool(r, root, "group", "group", false);
    k->is_deleted_first = reader_bool(r, root, "deleted_first", "deleted_first", false);
    k->is_barrier = reader_bool(r, root, "barrier", "barrier", false);
    k->is_deletable = reader_bool(r, root, "deletable", "deletable", true);
    k->has_etag = reader_bool(r, root, "etag", "etag", false);
    k->rights_type = reader_text(r, root, "rights_type", "rights_type");
    k->holds_data = reader_bool(r, root, "holds_data", "holds_data", false);
    k->has_tags = reader_bool(r, root, "tags", "tags", k->scope == KIND_SCOPE_GROUP || k->is_group);
    k->list_path = reader_text(r, root, "list", "list");
}

/* The file without its properties: they are the bulk of it and in the struct already. */
static json_t *rest_of(const struct doc_node *root, struct diag_list *diags)
{
    json_t *rest = jsonx_must(json_object());

    for (size_t i = 0; i < root->count; i++) {
        const struct doc_entry *e = &root->entries[i];

        if (strcmp(e->key, "properties") != 0)
            json_object_set_new(rest, e->key, doc_json(e->value, e->key, diags));
    }
    return rest;
}

void kind_check(struct arena *arena, const struct kind *k, struct diag_list *diags)
{
    const struct reader r = { .arena = arena, .diags = diags };

    reader_check_pattern(&r, k->place, "name", k->name_pattern);
    for (size_t i = 0; i < k->property_count; i++)
        reader_check_pattern(&r, k->place, k->properties[i].path, k->properties[i].pattern);
}

/* An action is asked for right before a write: too late to learn that there is none. */
static void check_resends(const struct reader *r, const struct doc_node *root, const struct kind *k)
{
    for (size_t i = 0; i < k->property_count; i++) {
        const struct kind_property *p = &k->properties[i];
        const char *name = jsonx_text(p->resend, "action");
        size_t at = 0;

        while (at < k->action_count && !text_eq(k->actions[at].name, name))
            at++;
        if (p->resend != NULL && at == k->action_count)
            reader_error(r, doc_get(root, "properties"), p->path,
                    "resend: the kind has no action '%s'", name == NULL ? "" : name);
    }
}

struct kind *kind_parse(
        struct arena *arena, const struct doc_node *root, const char *name, struct diag_list *diags)
{
    static const char *const keys[] = { "format", "kind", "title", "cloud", "type", "api_version",
        "scope", "update", "holds_data", "location", "tags", "group", "deletable", "name", "list",
        "minutes", "properties", "actions", "serial", "conflicts", "soft_delete", "reset", "ready",
        "run", "resume", "rollouts", "rollout_when", "rules", "before", "rights", "facts",
        "in_parent", "deleted_first", "barrier", "etag", "rights_type", "doc", NULL };
    const struct reader r = { .arena = arena, .diags = diags };
    const size_t errors = diags->errors;
    struct kind *k = arena_alloc(arena, sizeof(*k));

    if (root->kind != DOC_MAP) {
        reader_error(&r, root, "", "a kind's file must be a map");
        return NULL;
    }
    k->name = arena_text(arena, name);
    k->place = root->place;
    reader_check_format(&r, root);
    reader_check_keys(&r, root, "", keys);
    const char *own = reader_required(&r, root, "kind", "");

    if (own[0] != '\0' && strcmp(own, name) != 0)
        reader_error(&r, doc_get(root, "kind"), "kind", "must be '%s' as the file's name", name);
    read_head(&r, root, k);
    read_location(&r, root, k);
    read_name(&r, doc_get(root, "name"), k);
    read_minutes(&r, doc_get(root, "minutes"), k);
    read_properties(&r, doc_get(root, "properties"), k);
    read_actions(&r, doc_get(root, "actions"), k);
    check_resends(&r, root, k);
    k->document = reader_keep(arena, rest_of(root, diags));
    read_behaviour(&r, root, k);
    make_index(arena, k);
    return diags->errors == errors ? k : NULL;
}
