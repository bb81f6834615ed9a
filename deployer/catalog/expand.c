#include "catalog/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/about.h"
#include "catalog/reader.h"
#include "stack/schema.h"

/* --- provided values, checks, notes --- */

void provides_build(struct expansion *x, struct instance *in)
{
    const struct doc_node *map = in->spec->provides;
    struct model *m = x->model;

    for (size_t i = 0; map != NULL && i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        const bool is_long = doc_get(e->value, "value") != NULL;
        const struct doc_node *doc = is_long ? doc_get(e->value, "doc") : NULL;
        AUTO(free) char *path = xasprintf("provides.%s.output", e->key);
        struct scope s = { .x = x, .in = in };
        json_t *value = provided_value(in, x, e->key, NULL);

        m->provided = arena_grow(x->arena, m->provided, m->provided_count, &x->provided_capacity,
                sizeof(*m->provided));
        m->provided[m->provided_count++] = (struct provided){
            .service = in->name,
            .name = e->key,
            .value = value,
            .is_secret = expr_is_secret(value),
            .is_output = is_long && value_bool(&s, doc_get(e->value, "output"), path, false),
            .doc = doc == NULL ? NULL : doc->text,
        };
    }
}

static void add_check(struct scope *s, const struct doc_entry *e, const char *key)
{
    struct expansion *x = s->x;
    struct model *m = x->model;
    AUTO(free) char *path = xasprintf("checks.%s", e->key);
    AUTO(free) char *target_path = xasprintf("%s.target", path);
    const struct doc_node *expect = doc_get(e->value, "expect");
    struct check c = { .service = s->in->name, .place = e->key_place };

    c.name = key == NULL ? arena_printf(x->arena, "%s.%s", s->in->name, e->key)
                         : arena_printf(x->arena, "%s.%s[\"%s\"]", s->in->name, e->key, key);
    c.probe = value_text(s, doc_get(e->value, "probe"), path);
    c.target = reader_keep(x->arena, value_of(s, doc_get(e->value, "target"), target_path));
    c.expect = expect == NULL ? NULL : reader_keep(x->arena, value_of(s, expect, path));
    c.is_private = value_bool(s, doc_get(e->value, "private"), path, false);
    c.tolerate = value_text(s, doc_get(e->value, "tolerate"), path);
    about_read(s, doc_get(e->value, "about"), path, &c);
    if (doc_get(e->value, "from") != NULL)
        c.from = reader_keep(x->arena, value_of(s, doc_get(e->value, "from"), path));
    if (c.probe == NULL)
        value_error(s, e->value, path, "'probe' is missing");
    m->checks =
            arena_grow(x->arena, m->checks, m->check_count, &x->check_capacity, sizeof(*m->checks));
    m->checks[m->check_count++] = c;
}

static void add_checks(struct scope *s, const struct doc_entry *e)
{
    const struct doc_node *when = doc_get(e->value, "when");
    const struct doc_node *each = doc_get(e->value, "each");
    AUTO(free) char *path = xasprintf("checks.%s.each", e->key);
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (when != NULL && !value_bool(s, when, path, false))
        return;
    if (each == NULL) {
        add_check(s, e, NULL);
        return;
    }
    json_t *over = reader_keep(s->x->arena, value_of(s, each, path));

    if (eval_mark(over) != EVAL_PLAIN) {
        value_not_known(s, each, path, over);
        return;
    }
    json_array_foreach (over, i, member) {
        if (eval_mark(member) == EVAL_POISON)
            continue;
        if (!json_is_string(member)) {
            value_error(s, each, path, "wants a list of texts or a map");
            continue;
        }
        s->each_key = s->each_value = member;
        add_check(s, e, json_string_value(member));
    }
    json_object_foreach (over, key, member) {
        s->each_key = reader_keep(s->x->arena, jsonx_must(json_string(key)));
        s->each_value = member;
        add_check(s, e, key);
    }
}

void checks_build(struct expansion *x, struct instance *in)
{
    const struct doc_node *map = in->spec->checks;

    for (size_t i = 0; map != NULL && i < map->count; i++) {
        struct scope s = { .x = x, .in = in, .drops_null = true };

        add_checks(&s, &map->entries[i]);
    }
}

static void notes_build(struct expansion *x, struct instance *in, json_t *notes)
{
    const struct doc_node *list = in->spec->notes;

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        struct scope s = { .x = x, .in = in };
        const struct doc_node *when = doc_get(list->items[i], "when");
        AUTO(free) char *path = xasprintf("notes[%zu]", i);
        json_t *condition = when == NULL ? json_true() : value_of(&s, when, path);
        json_t *text = value_of(&s, doc_get(list->items[i], "text"), path);

        json_array_append_new(notes,
                json_pack("{s:s, s:o, s:o}", "service", in->name, "when", condition, "text", text));
    }
}

/* --- the whole --- */

static const char *known_text(struct expansion *x, const char *root, const char *name,
        const struct doc_node *node, const char *path, bool is_required)
{
    struct scope s = { .x = x };
    json_t *value = reader_keep(x->arena, scope_setting(x, root, name));
    const struct doc_node *at = node == NULL ? x->stack->root : node;

    if (is_required && node == NULL) {
        if (!diag_explains(x->diags, path))
            diag_set_hint(x->diags,
                    diag_add(x->diags, DIAG_ERROR, "stack.missing-key", at->place, "",
                            "'%s' is missing", path),
                    text_eq(path, "location")
                            ? "write location: japaneast, or another of Azure's regions"
                            : "write azure: {subscription: ID, resource_group: NAME}");
        return "";
    }
    if (json_is_string(value))
        return json_string_value(value);
    if (eval_mark(value) == EVAL_LEFT && node != NULL)
        value_not_known(&s, at, path, value);
    else if (json_is_null(value) && is_required)
        value_error(&s, at, path, "must be a text, not null");
    else if (eval_mark(value) == EVAL_PLAIN && !json_is_null(value))
        value_error(&s, at, path, "must be a text, not %s", eval_type_text(value));
    return "";
}

static void set_head(struct expansion *x)
{
    const struct stack *s = x->stack;
    struct model *m = x->model;

    m->stack = s->name;
    m->environment = s->environment;
    m->target = x->options->target;
    m->location = known_text(x, "stack", "location", s->location, "location", true);
    m->subscription =
            known_text(x, "azure", "subscription", s->subscription, "azure.subscription", true);
    m->resource_group = known_text(
            x, "azure", "resource_group", s->resource_group, "azure.resource_group", true);
    m->tenant = known_text(x, "azure", "tenant", s->tenant, "azure.tenant", false);
    /* Not everything is used by every stack, and all of it must be right. */
    json_auto_t *tags = scope_setting(x, "stack", "tags");
    json_auto_t *registry = scope_setting(x, "registry", "server");

    (void)tags;
    (void)registry;
}

/* All that is missing, each once, with every place where it is used. */
static void report_missing(struct expansion *x)
{
    for (size_t i = 0; i < x->missing_count; i++) {
        const struct missing *m = x->missing_items[i];
        const bool is_secret = strncmp(m->what, "secret.", 7) == 0;
        const char *name = strchr(m->what, '.') + 1;
        AUTO(buf) struct buf others = BUF_INIT(BUF_TEXT_MAX);

        for (size_t k = 1; k < m->count; k++)
            buf_addf(&others, "%s%s:%d:%d", k == 1 ? "; also used at " : ", ", m->places[k].file,
                    m->places[k].line, m->places[k].column);
        struct diag *d = diag_add(x->diags, DIAG_ERROR, "stack.missing-variable", m->places[0],
                m->path, "the %s %s is not set%s", is_secret ? "secret" : "variable", name,
                buf_text(&others));

        if (is_secret && x->stack->vault != NULL)
            diag_set_hint(x->diags, d,
                    "put it into the vault %s (with - for _ in its name), .env or the environment",
                    x->stack->vault);
        else
            diag_set_hint(x->diags, d,
                    "put %s=... into .env beside the stack file or the environment", name);
    }
}

/* A text that must be known before the catalog is: "" after a complaint. */
static const char *early_text(
        struct stack *s, const struct doc_node *node, const char *path, struct diag_list *diags)
{
    struct model model = { .arena = s->arena };
    struct expansion x = { .stack = s, .diags = diags, .arena = s->arena, .model = &model };
    struct scope scope = { .x = &x, .is_early = true };

    x.missing.arena = x.trees.arena = s->arena;
    json_t *value = reader_keep(s->arena, value_of(&scope, node, path));

    report_missing(&x);
    if (!json_is_string(value) && eval_mark(value) != EVAL_POISON)
        value_error(&scope, node, path, "must be a text, not %s", eval_type_text(value));
    return json_is_string(value) ? json_string_value(value) : "";
}

static void settle(struct stack *s, const struct doc_node *node, const char *path,
        struct diag_list *diags, const char **text)
{
    const size_t before = diags->errors;

    if (node == NULL || strstr(node->text, "${") == NULL)
        return;
    *text = early_text(s, node, path, diags);
    if (diags->errors == before && text_eq(path, "vault"))
        schema_check_vault(*text, node->place, path, diags);
    if (diags->errors > before && s->environment[0] == '\0'
            && strstr(node->text, "stack.environment") != NULL)
        diag_set_hint(diags, &diags->items[diags->count - 1], CATALOG_BASE_HINT);
}

void catalog_settle(struct stack *s, struct diag_list *diags)
{
    settle(s, s->state_node, "state", diags, &s->state_url);
    settle(s, s->vault_node, "vault", diags, &s->vault);
}

static json_t *inputs_json(struct expansion *x)
{
    json_t *all = jsonx_must(json_object());

    for (size_t i = 0; i < x->instance_count; i++) {
        struct instance *in = x->instances[i];
        json_t *inputs = jsonx_must(json_object());
        json_t *needs = jsonx_must(json_object());

        for (size_t k = 0; k < in->spec->input_count; k++)
            json_object_set(inputs, in->spec->inputs[k].name, input_value(in, x, k, NULL));
        for (size_t k = 0; k < in->spec->need_count; k++)
            json_object_set_new(needs, in->spec->needs[k].name,
                    in->bound[k] == NULL ? json_null() : json_string(in->bound[k]->name));
        json_object_set_new(all, in->name,
                json_pack("{s:s, s:o, s:o}", "use", in->spec->name, "inputs", inputs, "needs",
                        needs));
    }
    return all;
}

static void expand_services(struct expansion *x)
{
    json_t *notes = reader_keep(x->arena, jsonx_must(json_array()));

    for (size_t i = 0; i < x->instance_count; i++)
        inputs_check_names(x, x->instances[i]);
    for (size_t i = 0; i < x->instance_count; i++)
        inputs_check(x, x->instances[i]);
    for (size_t i = 0; i < x->instance_count; i++)
        rules_check(x, x->instances[i]);
    for (size_t i = 0; i < x->instance_count; i++) {
        struct instance *in = x->instances[i];

        resources_build(x, in);
        environment_build(x, in);
        provides_build(x, in);
        checks_build(x, in);
        notes_build(x, in, notes);
    }
    resources_finish(x);
    shared_finish(x);
    x->model->notes = notes;
    x->model->services = reader_keep(x->arena, inputs_json(x));
}

struct model *catalog_expand(const struct catalog *c, const struct stack *s,
        const struct catalog_options *o, struct diag_list *diags)
{
    AUTO(arena) struct arena *arena = arena_new();
    const size_t errors = diags->errors;
    struct model *m = arena_alloc(arena, sizeof(*m));
    struct expansion x = {
        .catalog = c, .stack = s, .options = o, .diags = diags, .arena = arena, .model = m
    };

    x.by_name.arena = x.missing.arena = arena;
    x.names.arena = x.patterns.arena = x.trees.arena = x.shared.arena = arena;
    needs_bind(&x);
    labels_give(&x);
    set_head(&x);
    if (diags->errors == errors || x.instance_count > 0)
        expand_services(&x);
    report_missing(&x);
    if (diags->errors > errors)
        return NULL;
    m->suffix = o->suffix != NULL     ? arena_text(arena, o->suffix)
                : x.suffix[0] != '\0' ? arena_text(arena, x.suffix)
                                      : NULL;
    m->arena = TAKE(arena);
    return m;
}
