#include "catalog/about.h"

#include "base/alloc.h"

struct about {
    struct scope *scope;
    const char *path;
    const char **items;
    size_t count, capacity;
};

static void add_parts(struct about *a, struct instance *in, const char *name)
{
    const struct parts *p = parts_of(a->scope->x, in, name);

    for (size_t i = 0; p != NULL && i < p->count; i++) {
        a->items =
                arena_grow(a->scope->x->arena, a->items, a->count, &a->capacity, sizeof(*a->items));
        a->items[a->count++] = part_owner(a->scope->x, &p->items[i])->address;
    }
}

static void add_resource(
        struct about *a, const struct doc_node *node, struct instance *in, const char *name)
{
    if (service_resource(in->spec, name) == NULL)
        value_error(
                a->scope, node, a->path, "service '%s' has no resource '%s'", in->spec->name, name);
    else
        add_parts(a, in, name);
}

/* "NAME" or "NAME.RESOURCE" of a need. */
static void add_need(struct about *a, const struct doc_node *node, struct str text)
{
    const struct instance *in = a->scope->in;
    struct str rest = text;
    AUTO(free) char *name = str_dup(str_cut(&rest, '.'));
    const struct service_need *need = service_need(in->spec, name);

    if (need == NULL) {
        value_error(a->scope, node, a->path, "there is no need '%s'", name);
        return;
    }
    struct instance *bound = in->bound[need - in->spec->needs];

    if (bound == NULL)
        return;
    if (rest.p != NULL) {
        AUTO(free) char *resource = str_dup(rest);

        add_resource(a, node, bound, resource);
        return;
    }
    for (size_t i = 0; i < bound->spec->resource_count; i++)
        add_parts(a, bound, bound->spec->resources[i].name);
}

void about_read(struct scope *s, const struct doc_node *list, const char *path, struct check *ret)
{
    struct about a = { .scope = s, .path = path };
    const struct str need = STR("need.");

    for (size_t i = 0; list != NULL && list->kind == DOC_LIST && i < list->count; i++) {
        const struct doc_node *node = list->items[i];
        const struct str text = str_of(node->kind == DOC_SCALAR ? node->text : "");

        if (str_starts(text, need))
            add_need(&a, node, str_slice(text, need.len, text.len));
        else
            add_resource(&a, node, s->in, text.p);
    }
    ret->about = a.items;
    ret->about_count = a.count;
}
