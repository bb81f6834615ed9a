#include "catalog/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "catalog/reader.h"

static const char *path_of(struct arena *arena, const char *path, const char *key)
{
    return arena_printf(arena, "%s.%s", path, key);
}

/* --- inputs --- */

static struct service_input *read_inputs(
        const struct reader *r, const struct doc_node *map, const char *path, size_t *ret_count);

static void read_constraints(const struct reader *r, const struct doc_node *map, const char *at,
        struct service_input *in)
{
    in->values = reader_json(r, map, "enum", at);
    in->pattern = reader_text(r, map, "pattern", at);
    in->has_min = reader_number(r, map, "min", at, &in->min);
    in->has_max = reader_number(r, map, "max", at, &in->max);
    in->is_open = reader_bool(r, map, "open", at, false);
    if (in->values != NULL && !json_is_array(in->values)) {
        reader_error(r, doc_get(map, "enum"), at, "'enum' must be a list");
        in->values = NULL;
    }
}

static void read_input(
        const struct reader *r, const struct doc_entry *e, const char *at, struct service_input *in)
{
    static const char *const keys[] = { "type", "items", "members", "enum", "pattern", "min", "max",
        "open", "default", "required", "secret", "env", "rotatable", "loss", "generate", "doc",
        "example", NULL };
    const struct doc_node *map = e->value;

    *in = (struct service_input){ .name = e->key, .place = e->key_place, .is_rotatable = true };
    if (!reader_is_map(r, map, at))
        return;
    reader_check_keys(r, map, at, keys);
    in->type = (enum input_type)reader_choice(
            r, map, "type", at, input_type_names, INPUT_TYPES, INPUT_STRING);
    const size_t items =
            reader_choice(r, map, "items", at, input_type_names, INPUT_TYPES, INPUT_TYPES);

    in->items = items < INPUT_TYPES ? input_type_names[items] : NULL;
    in->members = read_inputs(r, doc_get(map, "members"), at, &in->member_count);
    read_constraints(r, map, at, in);
    in->default_value = doc_get(map, "default");
    in->is_required = reader_bool(r, map, "required", at, false);
    in->is_secret = reader_bool(r, map, "secret", at, false);
    in->is_rotatable = reader_bool(r, map, "rotatable", at, true);
    in->loss = reader_text(r, map, "loss", at);
    in->env = reader_text(r, map, "env", at);
    if (in->is_secret && in->default_value != NULL)
        reader_error(r, in->default_value, at, "a secret has no default");
}

static struct service_input *read_inputs(
        const struct reader *r, const struct doc_node *map, const char *path, size_t *ret_count)
{
    *ret_count = 0;
    if (!reader_is_map(r, map, path))
        return NULL;
    struct service_input *inputs = arena_alloc(r->arena, map->count * sizeof(*inputs) + 1);

    for (size_t i = 0; i < map->count; i++)
        read_input(r, &map->entries[i], path_of(r->arena, path, map->entries[i].key), &inputs[i]);
    *ret_count = map->count;
    return inputs;
}

/* --- needs --- */

static void read_need(
        const struct reader *r, const struct doc_entry *e, const char *at, struct service_need *n)
{
    static const char *const keys[] = { "service", "provides", "implied", "optional", "doc", NULL };
    const struct doc_node *provides = doc_get(e->value, "provides");

    *n = (struct service_need){ .name = e->key, .place = e->key_place };
    if (!reader_is_map(r, e->value, at))
        return;
    reader_check_keys(r, e->value, at, keys);
    n->service = reader_text(r, e->value, "service", at);
    n->is_implied = reader_bool(r, e->value, "implied", at, false);
    n->is_optional = reader_bool(r, e->value, "optional", at, false);
    if (reader_is_list(r, provides, at)) {
        const char **names = arena_alloc(r->arena, provides->count * sizeof(*names) + 1);

        for (size_t i = 0; i < provides->count; i++) {
            if (provides->items[i]->kind == DOC_SCALAR)
                names[n->provides_count++] = provides->items[i]->text;
        }
        n->provides = names;
    }
    if ((n->service == NULL) == (n->provides_count == 0))
        reader_error(r, e->value, at, "needs either 'service' or a list 'provides'");
    if (n->is_implied && n->service == NULL)
        reader_error(r, e->value, at, "'implied' needs 'service'");
}

static void read_needs(const struct reader *r, const struct doc_node *map, struct service *s)
{
    if (!reader_is_map(r, map, "needs"))
        return;
    s->needs = arena_alloc(r->arena, map->count * sizeof(*s->needs) + 1);
    for (size_t i = 0; i < map->count; i++)
        read_need(r, &map->entries[i], path_of(r->arena, "needs", map->entries[i].key),
                &s->needs[s->need_count++]);
}

/* --- resources --- */

static void read_resource(const struct reader *r, const struct doc_entry *e, const char *at,
        struct service_resource *res)
{
    static const char *const keys[] = { "kind", "name", "when", "each", "parent", "on", "existing",
        "depends_on", "protect", "rollout", "location", "unique", "shared", "body", "doc", NULL };

    *res = (struct service_resource){ .name = e->key, .node = e->value, .place = e->key_place };
    if (e->value->kind != DOC_MAP) {
        reader_error(r, e->value, at, "must be a map with a 'kind'");
        return;
    }
    reader_check_keys(r, e->value, at, keys);
    res->kind = reader_required(r, e->value, "kind", at);
    res->rollout = reader_text(r, e->value, "rollout", at);
    res->is_shared = reader_bool(r, e->value, "shared", at, false);
    res->body = doc_get(e->value, "body");
    if (reader_is_map(r, res->body, at) == false)
        res->body = NULL;
    if (doc_get(e->value, "name") == NULL && doc_get(e->value, "existing") == NULL)
        reader_error(r, e->value, at, "'name' is missing");
}

static void read_resources(const struct reader *r, const struct doc_node *map, struct service *s)
{
    if (!reader_is_map(r, map, "resources"))
        return;
    s->resources = arena_alloc(r->arena, map->count * sizeof(*s->resources) + 1);
    for (size_t i = 0; i < map->count; i++)
        read_resource(r, &map->entries[i], path_of(r->arena, "resources", map->entries[i].key),
                &s->resources[s->resource_count++]);
}

/* --- the shapes of what stays YAML --- */

static void check_entries(const struct reader *r, const struct doc_node *map, const char *path,
        const char *const *keys)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        const char *at = path_of(r->arena, path, e->key);

        if (reader_is_map(r, e->value, at))
            reader_check_keys(r, e->value, at, keys);
    }
}

static void check_provides(const struct reader *r, const struct service *s)
{
    static const char *const keys[] = { "value", "output", "doc", NULL };

    for (size_t i = 0; s->provides != NULL && i < s->provides->count; i++) {
        const struct doc_entry *e = &s->provides->entries[i];

        if (doc_get(e->value, "value") != NULL)
            reader_check_keys(r, e->value, path_of(r->arena, "provides", e->key), keys);
    }
}

static void check_container(const struct reader *r, const struct doc_entry *container)
{
    static const char *const keys[] = { "value", "when", "reason", "doc", NULL };
    const char *path = path_of(r->arena, "environment", container->key);

    if (!reader_is_map(r, container->value, path))
        return;
    for (size_t i = 0; i < container->value->count; i++) {
        const struct doc_entry *e = &container->value->entries[i];
        const char *at = path_of(r->arena, path, e->key);

        if (e->value->kind == DOC_MAP)
            reader_check_keys(r, e->value, at, keys);
        if (e->key[0] == '$' && strcmp(e->key, "$include") != 0 && strcmp(e->key, "$merge") != 0)
            reader_error(r, e->value, at, "'%s' is not one of $include, $merge", e->key);
        else if (e->value->kind == DOC_LIST && e->key[0] != '$')
            reader_error(r, e->value, at, "must be a value or a map with 'value'");
    }
}

static void check_sections(const struct reader *r, const struct service *s)
{
    static const char *const check_keys[] = { "probe", "private", "target", "expect", "when",
        "each", "tolerate", "about", "from", "doc", NULL };
    static const char *const note_keys[] = { "when", "text", "doc", NULL };

    check_provides(r, s);
    check_entries(r, s->checks, "checks", check_keys);
    for (size_t i = 0; s->environment != NULL && i < s->environment->count; i++)
        check_container(r, &s->environment->entries[i]);
    for (size_t i = 0; s->notes != NULL && i < s->notes->count; i++) {
        if (reader_is_map(r, s->notes->items[i], "notes"))
            reader_check_keys(r, s->notes->items[i], "notes", note_keys);
    }
}

static const struct doc_node *map_at(
        const struct reader *r, const struct doc_node *root, const char *key)
{
    const struct doc_node *n = doc_get(root, key);

    return reader_is_map(r, n, key) ? n : NULL;
}

static void read_sections(const struct reader *r, const struct doc_node *root, struct service *s)
{
    s->inputs = read_inputs(r, doc_get(root, "inputs"), "inputs", &s->input_count);
    read_needs(r, doc_get(root, "needs"), s);
    read_resources(r, doc_get(root, "resources"), s);
    s->locals = map_at(r, root, "locals");
    s->provides = map_at(r, root, "provides");
    s->environment = map_at(r, root, "environment");
    s->checks = map_at(r, root, "checks");
    s->versions = map_at(r, root, "versions") == NULL
                          ? NULL
                          : reader_json(r, root, "versions", "versions");
    s->notes = doc_get(root, "notes");
    if (!reader_is_list(r, s->notes, "notes"))
        s->notes = NULL;
    check_sections(r, s);
}

struct service *service_parse(struct arena *arena, const struct doc_node *root, const char *name,
        const char *file, struct diag_list *diags)
{
    static const char *const keys[] = { "format", "service", "title", "doc", "always", "stack_key",
        "main", "inputs", "needs", "locals", "resources", "provides", "environment", "checks",
        "notes", "rules", "lint", "variables", "versions", "contract", NULL };
    const struct reader r = { .arena = arena, .diags = diags };
    const size_t errors = diags->errors;
    struct service *s = arena_alloc(arena, sizeof(*s));

    if (root->kind != DOC_MAP) {
        reader_error(&r, root, "", "a service's file must be a map");
        return NULL;
    }
    reader_check_format(&r, root);
    reader_check_keys(&r, root, "", keys);
    const char *own = reader_required(&r, root, "service", "");

    if (own[0] != '\0' && strcmp(own, name) != 0)
        reader_error(
                &r, doc_get(root, "service"), "service", "must be '%s' as the folder's name", name);
    s->name = arena_text(arena, name);
    s->file = arena_text(arena, file);
    s->title = reader_required(&r, root, "title", "");
    s->is_always = reader_bool(&r, root, "always", "always", false);
    s->stack_key = reader_text(&r, root, "stack_key", "stack_key");
    s->main = reader_text(&r, root, "main", "main");
    s->root = root;
    read_sections(&r, root, s);
    if (s->main != NULL && service_resource(s, s->main) == NULL)
        reader_error(&r, doc_get(root, "main"), "main", "there is no resource '%s'", s->main);
    return diags->errors == errors ? s : NULL;
}

static void check_patterns(const struct reader *r, const struct service_input *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reader_check_pattern(r, inputs[i].place, inputs[i].name, inputs[i].pattern);
        check_patterns(r, inputs[i].members, inputs[i].member_count);
    }
}

void service_check(struct arena *arena, const struct service *s, struct diag_list *diags)
{
    const struct reader r = { .arena = arena, .diags = diags };

    check_patterns(&r, s->inputs, s->input_count);
}

const struct service_input *service_input(const struct service *s, const char *name)
{
    for (size_t i = 0; i < s->input_count; i++) {
        if (strcmp(s->inputs[i].name, name) == 0)
            return &s->inputs[i];
    }
    return NULL;
}

const struct service_need *service_need(const struct service *s, const char *name)
{
    for (size_t i = 0; i < s->need_count; i++) {
        if (strcmp(s->needs[i].name, name) == 0)
            return &s->needs[i];
    }
    return NULL;
}

const struct service_resource *service_resource(const struct service *s, const char *name)
{
    for (size_t i = 0; i < s->resource_count; i++) {
        if (strcmp(s->resources[i].name, name) == 0)
            return &s->resources[i];
    }
    return NULL;
}
