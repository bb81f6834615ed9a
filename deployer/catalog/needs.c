/*
 * Which services a stack has, implied ones included, and which of them fills whose needs.
 */
#include "catalog/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "catalog/embedded.h"

static const struct doc_node *map_or_null(const struct doc_node *n)
{
    return n != NULL && n->kind == DOC_MAP ? n : NULL;
}

static void make_containers(struct expansion *x, struct instance *in)
{
    const struct doc_node *map = in->spec->environment;

    if (map == NULL)
        return;
    in->containers = arena_alloc(x->arena, map->count * sizeof(*in->containers) + 1);
    in->container_count = map->count;
    for (size_t i = 0; i < map->count; i++)
        in->containers[i].entry = &map->entries[i];
}

static struct instance *add_instance(
        struct expansion *x, const struct service *spec, const char *name, struct place place)
{
    struct instance *in = arena_alloc(x->arena, sizeof(*in));
    const size_t locals = spec->locals == NULL ? 0 : spec->locals->count;
    const size_t provides = spec->provides == NULL ? 0 : spec->provides->count;

    *in = (struct instance){ .spec = spec, .name = name, .place = place };
    in->inputs = arena_alloc(x->arena, spec->input_count * sizeof(*in->inputs) + 1);
    in->locals = arena_alloc(x->arena, locals * sizeof(*in->locals) + 1);
    in->provides = arena_alloc(x->arena, provides * sizeof(*in->provides) + 1);
    in->parts = arena_alloc(x->arena, spec->resource_count * sizeof(*in->parts) + 1);
    in->bound = arena_alloc(x->arena, spec->need_count * sizeof(struct instance *) + 1);
    make_containers(x, in);
    x->instances = arena_grow(x->arena, x->instances, x->instance_count, &x->instance_capacity,
            sizeof(struct instance *));
    x->instances[x->instance_count++] = in;
    index_put(&x->by_name, in->name, in);
    return in;
}

static void refuse_service(struct expansion *x, const struct stack_service *s)
{
    const struct catalog_files *files = &x->catalog->services;
    AUTO(free) const char **names = load_names(files);
    AUTO(free) char *path = xasprintf("services.%s.use", s->name);
    AUTO(err) struct err *e = scope_no_such("service", s->use, names, files->count);
    struct diag *d = diag_add(
            x->diags, DIAG_ERROR, "stack.unknown-service", s->use_place, path, "%s", err_text(e));

    if (err_hint(e)[0] != '\0')
        diag_set_hint(x->diags, d, "%s", err_hint(e));
}

static void add_named_services(struct expansion *x)
{
    for (size_t i = 0; i < x->stack->service_count; i++) {
        const struct stack_service *s = &x->stack->services[i];
        const size_t errors = x->diags->errors;
        const struct service *spec = load_service(x->catalog, s->use, x->diags);

        if (spec == NULL) {
            if (x->diags->errors == errors)
                refuse_service(x, s);
            continue;
        }
        struct instance *in = add_instance(x, spec, s->name, s->place);

        in->entry = s;
        in->with = map_or_null(s->with);
        in->with_path = arena_printf(x->arena, "services.%s.with", s->name);
        in->existing = s->existing;
    }
}

/* A service that the stack does not name; its inputs stand under a key of their own. */
static struct instance *add_implied(struct expansion *x, const struct service *spec)
{
    const struct doc_entry *e =
            spec->stack_key == NULL ? NULL : doc_entry(x->stack->root, spec->stack_key);
    struct place place = e != NULL ? e->key_place : x->stack->root->place;
    struct instance *in = add_instance(x, spec, spec->name, place);

    in->with = e == NULL ? NULL : map_or_null(e->value);
    in->with_path = spec->stack_key == NULL ? spec->name : spec->stack_key;
    in->existing = doc_get(in->with, "existing");
    return in;
}

static void add_always(struct expansion *x)
{
    for (size_t i = 0; i < x->catalog->services.count; i++) {
        struct catalog_file *f = x->catalog->services.items[i];

        /* Cheap look before the file is read: few services are in every stack. */
        if (f->embedded != NULL && f->state == CATALOG_FOUND
                && strstr(f->embedded->text, "always:") == NULL)
            continue;
        const struct service *spec = load_service(x->catalog, f->name, x->diags);

        if (spec != NULL && spec->is_always)
            add_implied(x, spec);
    }
}

/* --- binding --- */

static bool provides_all(const struct service *spec, const struct service_need *need)
{
    for (size_t i = 0; i < need->provides_count; i++) {
        if (doc_get(spec->provides, need->provides[i]) == NULL)
            return false;
    }
    return true;
}

static bool fits(const struct instance *in, const struct service_need *need)
{
    return need->service != NULL ? text_eq(in->spec->name, need->service)
                                 : provides_all(in->spec, need);
}

static const struct stack_need *asked_for(const struct instance *in, const char *need)
{
    for (size_t i = 0; in->entry != NULL && i < in->entry->need_count; i++) {
        if (text_eq(in->entry->needs[i].name, need))
            return &in->entry->needs[i];
    }
    return NULL;
}

static char *wanted_text(const struct service_need *need)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    if (need->service != NULL)
        return xasprintf("a service '%s'", need->service);
    buf_add_text(&text, "a service that provides ");
    text_add_list(&text, need->provides, need->provides_count, 10);
    return buf_take(&text);
}

static struct instance *bind_asked(struct expansion *x, const struct instance *in,
        const struct service_need *need, const struct stack_need *asked)
{
    struct instance *target = index_get(&x->by_name, asked->service);
    AUTO(free) char *path = xasprintf("services.%s.needs.%s", in->name, need->name);
    AUTO(free) char *wanted = wanted_text(need);

    if (target == NULL) /* the stack's own check says so (stack.needs-missing) */
        return NULL;
    if (!fits(target, need)) {
        diag_add(x->diags, DIAG_ERROR, "stack.need", asked->place, path,
                "'%s' (%s) does not fit: needs %s", asked->service, target->spec->name, wanted);
        return NULL;
    }
    return target;
}

/* The services of the catalog that could fill a need, for the hint of an error. */
static void list_candidates(struct expansion *x, const struct service_need *need, struct diag *d)
{
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < x->catalog->services.count; i++) {
        const char *name = x->catalog->services.items[i]->name;
        const struct service *spec = load_service(x->catalog, name, x->diags);

        if (spec != NULL
                && (need->service != NULL ? text_eq(name, need->service)
                                          : provides_all(spec, need)))
            buf_addf(&list, "%s%s", list.len == 0 ? "" : ", ", name);
    }
    if (need->service != NULL && list.len > 0)
        diag_set_hint(x->diags, d, "add one to services:, for example  %s: {use: %s}", need->name,
                need->service);
    else if (list.len > 0)
        diag_set_hint(x->diags, d, "add one of these to services: %s", buf_text(&list));
}

/* What a service of the file that could not be read was meant to be; NULL: it may be anything. */
static const char *meant_service(const struct expansion *x, const struct doc_entry *e)
{
    const struct catalog_files *files = &x->catalog->services;
    const struct doc_node *use = doc_get(e->value, "use");
    const char *word =
            use != NULL && use->kind == DOC_SCALAR && use->text_len > 0 ? use->text : e->key;
    AUTO(free) const char **names = load_names(files);

    for (size_t i = 0; i < files->count; i++) {
        if (text_eq(names[i], word))
            return names[i];
    }
    return text_suggest(str_of(word), names, files->count);
}

/* A service that could not be read might have filled the need: its own errors are enough. */
static bool may_be_broken(struct expansion *x, const struct service_need *need)
{
    const struct doc_node *all = doc_get(x->stack->root, "services");

    for (size_t i = 0; all != NULL && all->kind == DOC_MAP && i < all->count; i++) {
        if (index_get(&x->by_name, all->entries[i].key) != NULL)
            continue;
        const char *meant = meant_service(x, &all->entries[i]);
        const struct service *spec = meant == NULL || need->service != NULL
                                             ? NULL
                                             : load_service(x->catalog, meant, x->diags);

        if (meant == NULL || (need->service != NULL && text_eq(need->service, meant))
                || (need->service == NULL && (spec == NULL || provides_all(spec, need))))
            return true;
    }
    return diag_explains(x->diags, "services");
}

static struct instance *bind_found(
        struct expansion *x, struct instance *in, const struct service_need *need)
{
    AUTO(buf) struct buf found = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *path = xasprintf("services.%s.needs.%s", in->name, need->name);
    AUTO(free) char *wanted = wanted_text(need);
    struct instance *only = NULL;
    size_t count = 0;

    for (size_t i = 0; i < x->instance_count; i++) {
        if (x->instances[i] == in || !fits(x->instances[i], need))
            continue;
        only = x->instances[i];
        buf_addf(&found, "%s%s", count++ == 0 ? "" : ", ", only->name);
    }
    if (count == 1)
        return only;
    if (count > 1) {
        struct diag *d = diag_add(x->diags, DIAG_ERROR, "stack.need", in->place, path,
                "several services fit, say which one: %s", buf_text(&found));

        diag_set_hint(x->diags, d, "for example  %s: {use: %s, needs: {%s: %s}}", in->name,
                in->spec->name, need->name, only->name);
        return NULL;
    }
    const struct service *implied =
            need->is_implied ? load_service(x->catalog, need->service, x->diags) : NULL;

    if (implied != NULL && index_get(&x->by_name, implied->name) == NULL)
        return add_implied(x, implied);
    if (!need->is_optional && !may_be_broken(x, need)) {
        struct diag *d = diag_add(x->diags, DIAG_ERROR, "stack.need", in->place, path,
                "needs %s, and the stack has none", wanted);

        list_candidates(x, need, d);
    }
    return NULL;
}

static void check_unknown_needs(struct expansion *x, const struct instance *in)
{
    const size_t count = in->spec->need_count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));

    for (size_t i = 0; i < count; i++)
        names[i] = in->spec->needs[i].name;
    for (size_t i = 0; in->entry != NULL && i < in->entry->need_count; i++) {
        const struct stack_need *n = &in->entry->needs[i];

        if (service_need(in->spec, n->name) != NULL)
            continue;
        AUTO(free) char *path = xasprintf("services.%s.needs.%s", in->name, n->name);
        AUTO(free) char *what = xasprintf("need of service '%s' called", in->spec->name);
        AUTO(err) struct err *e = scope_no_such(what, n->name, names, count);

        diag_add(x->diags, DIAG_ERROR, "stack.need", n->place, path, "%s", err_text(e));
    }
}

/*
 * Needs that must be filled come first: the services that they add may fill optional ones.
 */
static void bind_needs(struct expansion *x, struct instance *in, bool is_optional)
{
    for (size_t i = 0; i < in->spec->need_count; i++) {
        const struct service_need *need = &in->spec->needs[i];
        const struct stack_need *asked = asked_for(in, need->name);

        if ((need->is_optional && !need->is_implied && asked == NULL) != is_optional)
            continue;
        in->bound[i] = asked != NULL ? bind_asked(x, in, need, asked) : bind_found(x, in, need);
    }
}

/* --- cycles --- */

enum { UNVISITED, ON_PATH, VISITED };

static void report_cycle(struct expansion *x, struct instance *const *path, size_t from, size_t to)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *where = xasprintf("services.%s.needs", path[from]->name);

    for (size_t i = from; i <= to; i++)
        buf_addf(&text, "%s -> ", path[i]->name);
    buf_add_text(&text, path[from]->name);
    diag_add(x->diags, DIAG_ERROR, "stack.need-cycle", path[from]->place, where,
            "services need each other in a circle: %s", buf_text(&text));
}

static void search_cycles(
        struct expansion *x, struct instance *in, struct instance **path, size_t depth)
{
    in->visit = ON_PATH;
    path[depth] = in;
    for (size_t i = 0; i < in->spec->need_count; i++) {
        struct instance *next = in->bound[i];

        if (next == NULL || next->visit == VISITED)
            continue;
        if (next->visit == UNVISITED) {
            search_cycles(x, next, path, depth + 1);
            continue;
        }
        size_t from = depth;

        while (path[from] != next)
            from--;
        report_cycle(x, path, from, depth);
    }
    in->visit = VISITED;
}

/* The stack's key for the inputs of an implied service says nothing to one that it names itself. */
static void check_stack_key(struct expansion *x, const struct instance *in)
{
    const struct doc_entry *e = in->entry == NULL || in->spec->stack_key == NULL
                                        ? NULL
                                        : doc_entry(x->stack->root, in->spec->stack_key);

    for (size_t i = 0; e != NULL && i < x->instance_count; i++) {
        if (x->instances[i]->entry == NULL && x->instances[i]->spec == in->spec)
            return;
    }
    if (e != NULL)
        diag_add(x->diags, DIAG_ERROR, "stack.unused", e->key_place, e->key,
                "is not read: the stack names that service itself, and its inputs stand under "
                "services.%s.with",
                in->name);
}

void needs_bind(struct expansion *x)
{
    add_always(x);
    add_named_services(x);
    for (size_t i = 0; i < x->instance_count; i++) { /* grows while implied ones are added */
        check_unknown_needs(x, x->instances[i]);
        bind_needs(x, x->instances[i], false);
    }
    for (size_t i = 0; i < x->instance_count; i++)
        bind_needs(x, x->instances[i], true);
    for (size_t i = 0; i < x->instance_count; i++)
        check_stack_key(x, x->instances[i]);
    AUTO(free) struct instance **path = xcalloc(x->instance_count + 1, sizeof(*path));

    for (size_t i = 0; i < x->instance_count; i++) {
        if (x->instances[i]->visit == UNVISITED)
            search_cycles(x, x->instances[i], path, 0);
    }
}
