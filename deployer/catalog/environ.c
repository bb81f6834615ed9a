/*
 * The environment of containers: variables, the secrets behind them, the digest that makes a new
 * revision of what reads a rotated one.
 */
#include "catalog/expand.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/reader.h"

#define DIGEST_VARIABLE "DEPLOYER_SECRETS"

struct filling {
    struct instance *in;
    struct container *to;
    struct scope scope;
    const char *path;
};

static void drop_variable(struct container *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->variables[i].name, name) == 0) {
            memmove(&c->variables[i], &c->variables[i + 1],
                    (c->count - i - 1) * sizeof(*c->variables));
            c->count--;
            return;
        }
    }
}

/* The later of two with one name counts, in the place of the first. */
static void put_variable(struct filling *f, const struct env_variable *v)
{
    struct container *c = f->to;

    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->variables[i].name, v->name) == 0) {
            c->variables[i] = *v;
            return;
        }
    }
    c->variables = arena_grow(
            f->scope.x->arena, c->variables, c->count, &c->capacity, sizeof(*c->variables));
    c->variables[c->count++] = *v;
}

/* A variable's value is a text. Takes; NULL for null or a complaint. */
static json_t *as_text(
        struct filling *f, const struct doc_node *node, const char *path, json_t *value)
{
    AUTO(buf) struct buf text = BUF_INIT(256);

    if (json_is_null(value) || json_is_string(value) || eval_mark(value) == EVAL_LEFT)
        return value;
    if (json_is_number(value) || json_is_boolean(value))
        expr_print_value(&text, value);
    else if (eval_mark(value) != EVAL_POISON)
        value_error(&f->scope, node, path, "a variable is a text, not %s", eval_type_text(value));
    json_decref(value);
    return text.len == 0 ? json_null() : jsonx_must(json_string(buf_text(&text)));
}

/* Takes the value. */
static void set_variable(struct filling *f, const struct doc_node *node, const char *name,
        json_t *value, const char *reason)
{
    AUTO(free) char *path = xasprintf("%s.%s", f->path, name);
    json_t *text = reader_keep(f->scope.x->arena, as_text(f, node, path, value));

    if (json_is_null(text)) {
        drop_variable(f->to, name);
        return;
    }
    const struct env_variable v = { .service = f->in->name,
        .container = f->to->entry->key,
        .name = arena_text(f->scope.x->arena, name),
        .value = text,
        .is_secret = expr_is_secret(text),
        .reason = reason };

    put_variable(f, &v);
}

static void include(struct filling *f, const struct doc_node *list)
{
    const struct doc_node *const *items =
            list->kind == DOC_LIST ? (const struct doc_node *const *)list->items : &list;
    const size_t count = list->kind == DOC_LIST ? list->count : 1;

    for (size_t i = 0; i < count; i++) {
        const char *name = items[i]->kind == DOC_SCALAR ? items[i]->text : "";
        const struct container *c = container_of(f->scope.x, f->in, name, f->scope.deps);

        if (c == NULL)
            value_error(&f->scope, items[i], f->path, "there is no container '%s'", name);
        for (size_t k = 0; c != NULL && k < c->count; k++) {
            struct env_variable v = c->variables[k];

            v.container = f->to->entry->key;
            put_variable(f, &v);
        }
    }
}

static void merge(struct filling *f, const struct doc_node *node)
{
    json_auto_t *map = value_of(&f->scope, node, f->path);
    const char *key = NULL;
    json_t *member = NULL;

    if (json_is_null(map) || eval_mark(map) == EVAL_POISON)
        return;
    if (eval_mark(map) == EVAL_LEFT) {
        value_not_known(&f->scope, node, f->path, map);
        return;
    }
    if (!json_is_object(map)) {
        value_error(&f->scope, node, f->path, "$merge wants a map, got %s", eval_type_text(map));
        return;
    }
    json_object_foreach (map, key, member) {
        set_variable(f, node, key, json_incref(member), "of the stack file");
    }
}

static void fill_entry(struct filling *f, const struct doc_entry *e)
{
    const struct doc_node *node = e->value;
    AUTO(free) char *path = xasprintf("%s.%s", f->path, e->key);
    const char *reason = NULL;

    if (e->key[0] == '$')
        return;
    if (node->kind == DOC_MAP) {
        const struct doc_node *when = doc_get(node, "when");
        const struct doc_node *why = doc_get(node, "reason");

        if (when != NULL && !value_bool(&f->scope, when, path, false))
            return;
        reason = why == NULL ? NULL : why->text;
        node = doc_get(node, "value");
        if (node == NULL)
            return;
    }
    set_variable(f, node, e->key, value_of(&f->scope, node, path), reason);
}

static json_t *compute_container(struct expansion *x, void *arg, struct deps *deps)
{
    struct filling *f = arg;
    const struct doc_node *map = f->to->entry->value;
    AUTO(free) char *path = xasprintf("environment.%s", f->to->entry->key);

    f->scope = (struct scope){ .x = x, .in = f->in, .deps = deps };
    f->path = path;
    if (doc_get(map, "$include") != NULL)
        include(f, doc_get(map, "$include"));
    for (size_t i = 0; map->kind == DOC_MAP && i < map->count; i++)
        fill_entry(f, &map->entries[i]);
    if (doc_get(map, "$merge") != NULL)
        merge(f, doc_get(map, "$merge"));
    return json_true();
}

struct container *container_of(
        struct expansion *x, struct instance *in, const char *name, struct deps *deps)
{
    for (size_t i = 0; i < in->container_count; i++) {
        struct container *c = &in->containers[i];
        struct filling f = { .in = in, .to = c };

        if (strcmp(c->entry->key, name) != 0)
            continue;
        AUTO(free) char *what = xasprintf("services.%s.environment.%s", in->name, name);

        (void)slot_value(x, &c->slot, what, deps, compute_container, &f);
        return c;
    }
    return NULL;
}

/* DATABASE_URL -> database-url; owned. */
static char *secret_name(const char *variable)
{
    char *name = xstrdup(variable);

    for (char *p = name; *p != '\0'; p++) {
        if (*p == '_' || *p == '.')
            *p = '-';
        else if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    }
    return name;
}

json_t *environment_list(struct expansion *x, struct container *c)
{
    json_t *list = jsonx_must(json_array());
    AUTO(buf) struct buf digest = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    (void)x;
    for (size_t i = 0; i < c->count; i++) {
        const struct env_variable *v = &c->variables[i];

        if (!v->is_secret) {
            json_array_append_new(
                    list, json_pack("{s:s, s:O}", "name", v->name, "value", v->value));
            continue;
        }
        AUTO(free) char *name = secret_name(v->name);

        json_array_append_new(list, json_pack("{s:s, s:s}", "name", v->name, "secretRef", name));
        buf_add_text(&digest, digest.len == 0 ? "digest(" : ", ");
        expr_print_value(&digest, v->value);
    }
    if (digest.len > 0) {
        buf_add_char(&digest, ')');
        json_array_append_new(list,
                json_pack("{s:s, s:o}", "name", DIGEST_VARIABLE, "value", eval_left(&digest)));
    }
    return list;
}

struct err *environment_secrets(struct container *const *containers, size_t count, json_t **ret)
{
    json_auto_t *by_name = jsonx_must(json_object());
    json_auto_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < containers[i]->count; k++) {
            const struct env_variable *v = &containers[i]->variables[k];
            AUTO(free) char *name = secret_name(v->name);
            const json_t *before = json_object_get(by_name, name);

            if (!v->is_secret)
                continue;
            if (before != NULL && json_equal(before, v->value) != 1)
                return err_new(ERR_CONFIG, 0,
                        "%s has another value in container '%s' than in those before it: give each "
                        "its own secrets",
                        v->name, containers[i]->entry->key);
            if (before != NULL)
                continue;
            json_object_set(by_name, name, v->value);
            json_array_append_new(list, json_pack("{s:s, s:O}", "name", name, "value", v->value));
        }
    }
    *ret = TAKE(list);
    return NULL;
}

void environment_build(struct expansion *x, struct instance *in)
{
    struct model *m = x->model;

    for (size_t i = 0; i < in->container_count; i++) {
        const struct container *c = container_of(x, in, in->containers[i].entry->key, NULL);

        for (size_t k = 0; c->entry->key[0] != '$' && k < c->count; k++) {
            m->variables = arena_grow(x->arena, m->variables, m->variable_count,
                    &x->variable_capacity, sizeof(*m->variables));
            m->variables[m->variable_count++] = c->variables[k];
        }
    }
}
