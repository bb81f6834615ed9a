/* What the stack file says of itself: the roots azure, stack and registry. */
#include "catalog/expand.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"

struct setting {
    const struct doc_node *node;
    const char *path;
};

static json_t *compute_setting(struct expansion *x, void *arg, struct deps *deps)
{
    const struct setting *setting = arg;
    struct scope s = { .x = x, .deps = deps };

    if (setting->node == NULL)
        return json_null();
    if (diag_explains(x->diags, setting->path))
        return eval_poison();
    json_t *value = value_of(&s, setting->node, setting->path);

    if (form_check(&s, setting->node, setting->path, value))
        return value;
    json_decref(value);
    return eval_poison();
}

static json_t *setting_value(
        struct expansion *x, struct slot *slot, const struct doc_node *node, const char *path)
{
    struct setting setting = { .node = node, .path = path };

    return slot_value(x, slot, path, NULL, compute_setting, &setting);
}

static const struct doc_node *existing_group(const struct stack *s)
{
    return s->resource_group == NULL ? NULL : doc_get(s->resource_group, "existing");
}

static json_t *compute_group(struct expansion *x, void *arg, struct deps *deps)
{
    const struct doc_node *existing = existing_group(x->stack);
    struct scope s = { .x = x, .deps = deps };

    (void)arg;
    if (diag_explains(x->diags, "azure.resource_group"))
        return eval_poison();
    if (existing == NULL)
        return value_of(&s, x->stack->resource_group, "azure.resource_group");
    json_t *id = setting_value(x, &x->existing_group, existing, "azure.resource_group.existing");
    const char *text = json_string_value(id);
    const char *slash = text == NULL ? NULL : strrchr(text, '/');

    return slash == NULL ? json_incref(id) : jsonx_must(json_string(slash + 1));
}

struct err *scope_lookup_azure(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    static const char *const names[] = { "subscription", "resource_group", "tenant",
        "existing_group", "principal" };
    struct expansion *x = s->x;
    const char *name = scope_step(path, 0);

    TRY(scope_need_step(path, "azure"));
    *ret_used = 1;
    if (text_eq(name, "subscription")) {
        *ret = scope_share(
                setting_value(x, &x->subscription, x->stack->subscription, "azure.subscription"));
        if (json_is_null(*ret)) /* it is told once that it is missing */
            *ret = eval_poison();
    } else if (text_eq(name, "resource_group")) {
        *ret = scope_share(
                slot_value(x, &x->group, "azure.resource_group", NULL, compute_group, NULL));
        if (json_is_null(*ret))
            *ret = eval_poison();
    } else if (text_eq(name, "existing_group")) {
        *ret = scope_share(setting_value(
                x, &x->existing_group, existing_group(x->stack), "azure.resource_group.existing"));
    } else if (text_eq(name, "principal")
               || (text_eq(name, "tenant") && x->stack->tenant == NULL)) {
        *ret = jsonx_must(json_pack("{s:s+}", "$expr", "azure.", name));
    } else if (text_eq(name, "tenant")) {
        *ret = scope_share(setting_value(x, &x->tenant, x->stack->tenant, "azure.tenant"));
    } else {
        return scope_no_such("azure value", name, names, ARRAY_LEN(names));
    }
    return NULL;
}

struct err *scope_lookup_stack(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    static const char *const names[] = { "name", "environment", "location", "tags" };
    struct expansion *x = s->x;
    const char *name = scope_step(path, 0);

    TRY(scope_need_step(path, "stack"));
    *ret_used = 1;
    if (text_eq(name, "name"))
        *ret = x->stack->name[0] == '\0' || diag_explains(x->diags, "stack")
                       ? eval_poison()
                       : jsonx_must(json_string(x->stack->name));
    else if (text_eq(name, "environment"))
        *ret = jsonx_must(json_string(x->stack->environment));
    else if (text_eq(name, "location"))
        *ret = x->stack->location == NULL ? eval_poison()
                                          : scope_share(setting_value(
                                                  x, &x->location, x->stack->location, "location"));
    else if (text_eq(name, "tags"))
        *ret = scope_share(setting_value(x, &x->tags, x->stack->tags, "azure.tags"));
    else
        return scope_no_such("stack value", name, names, ARRAY_LEN(names));
    return NULL;
}

struct err *scope_lookup_registry(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    static const char *const names[] = { "server", "prefix", "identity" };
    const char *name = scope_step(path, 0);

    TRY(scope_need_step(path, "registry"));
    json_t *registry = setting_value(s->x, &s->x->registry, s->x->stack->registry, "registry");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (text_eq(names[i], name)) {
            *ret_used = 1;
            *ret = eval_mark(registry) == EVAL_POISON
                           ? eval_poison()
                           : scope_share(json_object_get(registry, name));
            return NULL;
        }
    }
    return scope_no_such("registry value", name, names, ARRAY_LEN(names));
}
