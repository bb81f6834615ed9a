#include "lint/view.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/eval.h"
#include "catalog/expr.h"
#include "cloud/arm/id.h"

/* What resolving asks for: documents of resources that are not made yet, by address. */
struct maker {
    const struct model *model;
    const struct stack *stack;
    struct secret_table secrets;
    struct secret *later; /* stands for one that the stack's vault may have */
    json_t *documents;    /* {address: document of what is known} */
    json_t *busy;         /* addresses that are being made */
};

static const json_t *document_of(void *arg, const char *address);

static struct secret *secret_of(void *arg, const char *name)
{
    const struct maker *m = arg;
    struct secret *known = stack_secret(m->stack, name);

    return known == NULL && stack_is_in_doubt(m->stack, name) ? m->later : known;
}

/* Resolved; {"$unknown"} where that fails: the run that can compute it says why it can't. Owned. */
static json_t *resolved(struct maker *m, const json_t *value)
{
    const struct expr_env env = { .arg = m, .resource = document_of, .secret = secret_of };
    json_t *result = NULL;

    if (value == NULL)
        return json_null();
    struct err *e = expr_resolve(value, &env, &m->secrets, &result);

    if (e == NULL)
        return result;
    err_ignore(e, "what can't be computed here is unknown here");
    return eval_unknown("a value that can't be computed yet");
}

static bool has_secret(json_t *value)
{
    const enum eval_mark mark = eval_mark(value);
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (mark != EVAL_PLAIN)
        return mark == EVAL_SECRET;
    json_object_foreach (value, key, member) {
        if (has_secret(member))
            return true;
    }
    json_array_foreach (value, i, member) {
        if (has_secret(member))
            return true;
    }
    return false;
}

/*
 * Secrets are unknown to rules: they can ask whether there is one, never what it is. One without a
 * single character is none, and an empty text. Owned.
 */
static json_t *without_secrets(const struct maker *m, json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (eval_mark(value) == EVAL_SECRET) {
        const struct secret_entry *entry = secret_table_entry(&m->secrets, value);

        return entry != NULL && secret_len(entry->value) == 0 ? jsonx_textf("%s", "")
                                                              : eval_unknown("a secret");
    }
    if (!has_secret(value))
        return json_incref(value);
    json_t *copy = jsonx_must(json_is_object(value) ? json_object() : json_array());

    json_object_foreach (value, key, member) {
        json_object_set_new(copy, key, without_secrets(m, member));
    }
    json_array_foreach (value, i, member) {
        json_array_append_new(copy, without_secrets(m, member));
    }
    return copy;
}

static json_t *seen(struct maker *m, const json_t *value)
{
    json_auto_t *full = resolved(m, value);

    return without_secrets(m, full);
}

/* ---- documents of resources that are not made yet ---- */

/* What is plain in a body, marked as incomplete wherever it is an object. Owned; NULL: nothing. */
static json_t *plain_part(const json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;

    if (json_is_array(value))
        return eval_mark_deep(value) == EVAL_PLAIN ? jsonx_copy(value) : NULL;
    if (!json_is_object(value))
        return jsonx_copy(value);
    if (eval_mark(value) != EVAL_PLAIN)
        return NULL;
    json_t *copy = jsonx_must(json_object());

    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        json_t *part = plain_part(member);

        if (part != NULL)
            json_object_set_new(copy, key, part);
    }
    json_object_set_new(copy, "$partial", json_true());
    return copy;
}

static char *text_of(struct maker *m, const json_t *value)
{
    json_auto_t *text = resolved(m, value);

    return json_is_string(text) ? xstrdup(json_string_value(text)) : NULL;
}

/* The id that the resource will have; NULL while its name or parent is not known. */
static char *id_of(struct maker *m, const struct resource *r, const char *name)
{
    AUTO(free) char *parent = text_of(m, r->parent != NULL ? r->parent : r->scope_id);
    const struct arm_id_parts parts = { .subscription = m->model->subscription,
        .resource_group = m->model->resource_group,
        .parent = parent };

    if (r->existing != NULL)
        return text_of(m, r->existing);
    return name == NULL ? NULL : arm_id_make(r->kind, &parts, name);
}

static json_t *make_document(struct maker *m, const struct resource *r)
{
    AUTO(free) char *name = text_of(m, r->arm_name);
    AUTO(free) char *id = id_of(m, r, name);
    json_t *document = r->body == NULL ? jsonx_must(json_object()) : plain_part(r->body);

    if (document == NULL)
        document = jsonx_must(json_object());
    if (name != NULL)
        json_object_set_new(document, "name", text_json(str_of(name)));
    /* One that is known later is still another one than all others: its address stands for it. */
    json_object_set_new(
            document, "id", id != NULL ? text_json(str_of(id)) : jsonx_textf("(%s)", r->address));
    json_object_set_new(document, "$partial", json_true());
    return document;
}

static const json_t *document_of(void *arg, const char *address)
{
    struct maker *m = arg;
    const struct resource *r = model_resource(m->model, address);
    const json_t *known = json_object_get(m->documents, address);

    if (known != NULL || r == NULL || json_object_get(m->busy, address) != NULL)
        return known;
    json_object_set_new(m->busy, address, json_true());
    json_object_set_new(m->documents, address, make_document(m, r));
    return json_object_get(m->documents, address);
}

/* ---- the view ---- */

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : text_json(str_of(text));
}

static json_t *list_at(json_t *map, const char *key)
{
    if (json_object_get(map, key) == NULL)
        json_object_set_new(map, key, jsonx_must(json_array()));
    return json_object_get(map, key);
}

static void add_member(struct maker *m, json_t *one, const char *key, const json_t *value)
{
    json_object_set_new(one, key, seen(m, value));
}

static json_t *resource_view(struct maker *m, const struct resource *r)
{
    const json_t *document = document_of(m, r->address);
    const json_t *id = json_object_get(document, "id");
    json_t *one = jsonx_must(json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:b}", "address",
            r->address, "service", r->service, "part", r->name, "key", r->each_key, "kind",
            r->kind->name, "title", r->kind->title, "existing", (int)(r->existing != NULL)));

    json_object_set_new(one, "rollout", text_or_null(r->rollout));
    json_object_set(one, "id", (json_t *)(uintptr_t)id);
    add_member(m, one, "name", r->arm_name);
    add_member(m, one, "parent", r->parent);
    add_member(m, one, "on", r->scope_id);
    add_member(m, one, "location", r->location);
    if (r->existing != NULL)
        json_object_set_new(one, "body", eval_unknown(r->address));
    else
        add_member(m, one, "body", r->body);
    return one;
}

static json_t *services_view(struct maker *m)
{
    json_t *all = jsonx_must(json_object());
    const char *name = NULL;
    json_t *service = NULL;

    json_object_foreach ((json_t *)(uintptr_t)m->model->services, name, service) {
        const char *use = jsonx_text(service, "use");
        json_t *one = jsonx_must(
                json_pack("{s:s, s:s, s:s?}", "name", name, "service", name, "use", use));

        add_member(m, one, "inputs", json_object_get(service, "inputs"));
        add_member(m, one, "needs", json_object_get(service, "needs"));
        json_array_append_new(list_at(all, use == NULL ? name : use), one);
    }
    return all;
}

static json_t *containers_view(struct maker *m)
{
    json_t *all = jsonx_must(json_array());
    json_t *last = NULL;

    for (size_t i = 0; i < m->model->variable_count; i++) {
        const struct env_variable *v = &m->model->variables[i];
        const json_t *service = json_object_get(m->model->services, v->service);

        if (last == NULL || !text_eq(jsonx_text(last, "service"), v->service)
                || !text_eq(jsonx_text(last, "name"), v->container)) {
            last = jsonx_must(json_pack("{s:s, s:s?, s:s, s:{}}", "service", v->service, "use",
                    jsonx_text(service, "use"), "name", v->container, "env"));
            json_array_append_new(all, last);
        }
        json_object_set_new(json_object_get(last, "env"), v->name, seen(m, v->value));
    }
    return all;
}

void lint_view_init(struct lint_view *v, const struct model *m, const struct stack *s)
{
    struct maker maker = { .model = m,
        .stack = s,
        .later = secret_new(STR("in the vault")),
        .documents = jsonx_must(json_object()),
        .busy = jsonx_must(json_object()) };
    json_t *resources = jsonx_must(json_object());

    *v = (struct lint_view){ .model = m, .stack = s, .root = jsonx_must(json_object()) };
    v->by_index = xcalloc(m->resource_count + 1, sizeof(*v->by_index));
    for (size_t i = 0; i < m->resource_count; i++) {
        const struct resource *r = &m->resources[i];

        v->by_index[i] = resource_view(&maker, r);
        json_array_append_new(list_at(resources, r->kind->name), v->by_index[i]);
    }
    json_object_set_new(v->root, "resources", resources);
    json_object_set_new(v->root, "services", services_view(&maker));
    json_object_set_new(v->root, "containers", containers_view(&maker));
    json_object_set_new(v->root, "stack",
            jsonx_must(json_pack("{s:s, s:s, s:o, s:s}", "name", m->stack, "environment",
                    m->environment, "location", text_or_null(m->location), "target", m->target)));
    json_decref(maker.documents);
    json_decref(maker.busy);
    secret_table_release(&maker.secrets);
    secret_unref(maker.later);
}

void lint_view_release(struct lint_view *v)
{
    json_decref(v->root);
    free(v->by_index);
    *v = (struct lint_view){ 0 };
}

const json_t *lint_view_resource(const struct lint_view *v, const struct resource *r)
{
    return v->by_index[r - v->model->resources];
}

/* ---- places ---- */

static const struct stack_service *service_of(const struct lint_view *v, const char *name)
{
    for (size_t i = 0; i < v->stack->service_count; i++) {
        if (text_eq(v->stack->services[i].name, name))
            return &v->stack->services[i];
    }
    return NULL;
}

/* The map of a service's inputs in the stack file, and what it is called. */
static const struct doc_node *inputs_of(
        const struct lint_view *v, const char *service, char **ret_path)
{
    const struct stack_service *s = service_of(v, service);

    if (s != NULL) {
        *ret_path = xasprintf("services.%s.with", service);
        return s->with;
    }
    *ret_path = xstrdup(service);
    if (text_eq(service, "stack"))
        return v->stack->root; /* its inputs are the file's own keys */
    return text_eq(service, "network") ? v->stack->network : NULL;
}

/* In `environment`, `web_environment` ...: the maps of further variables. */
static const struct doc_node *variable_in(
        const struct doc_node *with, const char *variable, const char **ret_map)
{
    for (size_t i = 0; with != NULL && with->kind == DOC_MAP && i < with->count; i++) {
        const struct doc_node *map = with->entries[i].value;

        if (str_ends(str_of(with->entries[i].key), STR("environment")) && map->kind == DOC_MAP
                && doc_get(map, variable) != NULL) {
            *ret_map = with->entries[i].key;
            return doc_get(map, variable);
        }
    }
    return NULL;
}

struct place lint_view_place(const struct lint_view *v, const char *service, const char *input,
        const char *variable, char **ret_path)
{
    AUTO(free) char *base = NULL;
    const struct doc_node *with = service == NULL ? NULL : inputs_of(v, service, &base);
    const struct stack_service *s = service == NULL ? NULL : service_of(v, service);
    const char *map = NULL;
    const struct doc_node *found = NULL;

    if (with != NULL && with->kind == DOC_MAP && variable != NULL)
        found = variable_in(with, variable, &map);
    if (found != NULL) {
        *ret_path = xasprintf("%s.%s.%s", base, map, variable);
        return found->place;
    }
    if (with != NULL && with->kind == DOC_MAP && input != NULL)
        found = doc_at(with, input);
    if (found != NULL) {
        *ret_path = with == v->stack->root ? xstrdup(input) : xasprintf("%s.%s", base, input);
        return found->place;
    }
    *ret_path =
            s != NULL ? xasprintf("services.%s", service) : xstrdup(service == NULL ? "" : service);
    if (s != NULL)
        return s->place;
    return with != NULL ? with->place : v->stack->root->place;
}

const char *lint_view_input_of(const struct lint_view *v, const char *service, const json_t *value)
{
    AUTO(free) char *base = NULL;
    const struct doc_node *with = inputs_of(v, service, &base);
    AUTO(free)
    char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : jsonx_dump(value);
    const char *found = NULL;

    for (size_t i = 0; with != NULL && with->kind == DOC_MAP && i < with->count; i++) {
        const struct doc_node *node = with->entries[i].value;

        if (node->kind != DOC_SCALAR || !text_eq(node->text, text))
            continue;
        if (found != NULL)
            return NULL;
        found = with->entries[i].key;
    }
    return found;
}
