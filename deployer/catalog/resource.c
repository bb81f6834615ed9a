/*
 * The resources of a model: names, documents, edges.
 */
#include "catalog/expand.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/reader.h"

/* Azure's limit. */
#define TAG_VALUE_MAX 256u

/* One resource while it is built. */
struct building {
    struct expansion *x;
    struct instance *in;
    struct parts *parts;
    struct part *part;
    struct resource *to;
    struct deps deps;
    struct scope scope;
};

static char *path_of(const struct building *b, const char *member)
{
    return xasprintf("resources.%s.%s", b->parts->spec->name, member);
}

static const struct doc_node *node_of(const struct building *b, const char *member)
{
    return doc_get(b->parts->spec->node, member);
}

/* A member of the resource's entry as a value that lives in the arena; NULL if absent or null. */
static json_t *member_value(struct building *b, const char *member)
{
    const struct doc_node *node = node_of(b, member);
    AUTO(free) char *path = path_of(b, member);

    if (node == NULL)
        return NULL;
    json_t *value = reader_keep(b->x->arena, value_of(&b->scope, node, path));

    return json_is_null(value) ? NULL : value;
}

/* --- parent, scope, location --- */

static void require(struct building *b, const char *member, const json_t *value)
{
    AUTO(free) char *path = path_of(b, member);

    if (value == NULL)
        value_error(&b->scope, b->parts->spec->node, path,
                "is needed: %s %s lives in another resource", text_article(b->parts->kind->title),
                b->parts->kind->title);
    else if (!json_is_string(value) && eval_mark(value) == EVAL_PLAIN)
        value_error(&b->scope, node_of(b, member), path, "must be an id, not %s",
                eval_type_text(value));
}

static void set_scope(struct building *b)
{
    struct resource *r = b->to;
    const enum kind_scope scope = b->parts->kind->scope;

    json_t *within = part_within(b->x, b->part, &b->deps);

    if (json_is_null(within))
        within = NULL;
    r->parent = scope == KIND_SCOPE_PARENT ? within : NULL;
    r->scope_id = scope == KIND_SCOPE_EXTENSION ? within : NULL;
    if (r->existing != NULL)
        return;
    if (scope == KIND_SCOPE_PARENT)
        require(b, "parent", r->parent);
    if (scope == KIND_SCOPE_EXTENSION)
        require(b, "on", r->scope_id);
}

static void set_location(struct building *b)
{
    const struct kind *k = b->parts->kind;

    if (!k->has_location)
        return;
    b->to->location = member_value(b, "location");
    if (b->to->location == NULL && k->fixed_location != NULL)
        b->to->location = reader_keep(b->x->arena, jsonx_must(json_string(k->fixed_location)));
    if (b->to->location == NULL)
        b->to->location = reader_keep(b->x->arena, scope_setting(b->x, "stack", "location"));
    if (json_is_null(b->to->location))
        b->to->location = NULL;
}

/* --- the document --- */

static bool is_plain_map(const json_t *tags)
{
    return json_is_object(tags) && eval_mark(tags) == EVAL_PLAIN;
}

/* What a lost state is found again by; nothing where a tag's value has no room for it. */
static void add_address(const struct building *b, json_t *tags)
{
    const struct stack *s = b->x->stack;
    const char *environment = s->environment == NULL ? "" : s->environment;
    AUTO(free)
    char *value = xasprintf(
            "%s%s%s/%s", s->name, environment[0] == '\0' ? "" : "/", environment, b->to->address);

    if (strlen(value) <= TAG_VALUE_MAX)
        json_object_set_new(tags, MODEL_TAG, jsonx_must(json_string(value)));
}

/* The stack's tags say more than ours, the resource's own more than the stack's. */
static void add_tags(struct building *b, json_t *body)
{
    json_auto_t *tags = scope_setting(b->x, "stack", "tags");
    const json_t *own = json_object_get(body, "tags");

    if (own != NULL && !json_is_null(own) && !is_plain_map(own))
        return; /* an expression: it is known only later, and is whole */
    json_t *all = jsonx_must(json_object());

    add_address(b, all);
    if (is_plain_map(tags))
        json_object_update(all, tags);
    if (is_plain_map(own))
        json_object_update(all, (json_t *)(uintptr_t)own);
    json_object_set_new(body, "tags", all);
}

static void set_body(struct building *b)
{
    AUTO(free) char *path = path_of(b, "body");
    struct scope s = b->scope;
    json_t *body = NULL;

    s.drops_null = true;
    if (b->parts->spec->body != NULL)
        body = value_of(&s, b->parts->spec->body, path);
    if (body == NULL || !json_is_object(body) || eval_mark(body) != EVAL_PLAIN) {
        json_decref(body);
        body = jsonx_must(json_object());
    }
    b->to->body = reader_keep(b->x->arena, body);
    if (b->parts->kind->has_tags)
        add_tags(b, body);
    if (b->to->location != NULL && json_object_get(body, "location") == NULL)
        json_object_set(body, "location", b->to->location);
}

/* --- edges --- */

static void depend_on_resource(struct building *b, const struct doc_node *item, const char *name)
{
    struct parts *p = parts_of(b->x, b->in, name);
    AUTO(free) char *path = path_of(b, "depends_on");

    if (p == NULL) {
        value_error(&b->scope, item, path, "there is no resource '%s' in this service", name);
        return;
    }
    for (size_t i = 0; i < p->count; i++)
        deps_add(b->x, &b->deps, part_owner(b->x, &p->items[i])->address);
}

static void depend_on_service(struct building *b, struct instance *other)
{
    for (size_t i = 0; other != NULL && i < other->spec->resource_count; i++) {
        const struct parts *p = parts_of(b->x, other, other->spec->resources[i].name);

        for (size_t k = 0; k < p->count; k++)
            deps_add(b->x, &b->deps, part_owner(b->x, &p->items[k])->address);
    }
}

static void depend_on(struct building *b, const struct doc_node *item)
{
    AUTO(free) char *path = path_of(b, "depends_on");
    const char *name = item->kind == DOC_SCALAR ? item->text : "";

    if (strncmp(name, "need.", 5) != 0) {
        depend_on_resource(b, item, name);
        return;
    }
    for (size_t i = 0; i < b->in->spec->need_count; i++) {
        if (text_eq(b->in->spec->needs[i].name, name + 5)) {
            depend_on_service(b, b->in->bound[i]);
            return;
        }
    }
    value_error(&b->scope, item, path, "there is no need '%s'", name + 5);
}

static void add_depends_on(struct building *b)
{
    const struct doc_node *list = node_of(b, "depends_on");

    if (list != NULL && list->kind == DOC_SCALAR)
        depend_on(b, list);
    for (size_t i = 0; list != NULL && list->kind == DOC_LIST && i < list->count; i++)
        depend_on(b, list->items[i]);
}

struct self {
    const char *address;
    bool is_referred;
};

static void look_for_self(void *arg, const char *address, const char *action)
{
    struct self *self = arg;

    (void)action;
    self->is_referred = self->is_referred || strcmp(address, self->address) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void resource_set_edges(struct expansion *x, struct resource *r, const struct deps *deps)
{
    const char **list = arena_alloc(x->arena, (deps->count + 2) * sizeof(*list));
    size_t n = 0;

    for (size_t i = 0; i < deps->count; i++) {
        if (strcmp(deps->items[i], r->address) != 0)
            list[n++] = deps->items[i];
    }
    qsort(list, n, sizeof(*list), by_text);
    r->depends_on = list; /* room for the group, see resources_finish */
    r->depends_on_count = n;
}

/* A resource that names itself in its own document is refused. */
static void set_depends_on(struct building *b)
{
    struct self self = { .address = b->to->address };

    resource_set_edges(b->x, b->to, &b->deps);
    if (b->to->depends_on_count < b->deps.count)
        expr_each_reference(b->to->body, look_for_self, &self);
    if (self.is_referred) {
        AUTO(free) char *path = path_of(b, "body");

        value_error(&b->scope, b->parts->spec->node, path,
                "refers to the resource itself, which is not known before it is made");
    }
}

/* --- one resource --- */

/* Where the service takes a name, a better one mends it all: that is said once. */
static bool refuse_name(struct building *b, const char *before)
{
    struct instance *in = b->in;
    const struct doc_node *given = doc_get(in->with, "name");
    const size_t len = strlen(in->name);

    if (service_input(in->spec, "name") == NULL
            || (strncmp(before, in->name, len) == 0 && before[len] == '.'))
        return false;
    if (in->is_namesake)
        return true;
    AUTO(free) char *path = xasprintf("%s.name", in->with_path);
    struct diag *d = diag_add(b->x->diags, DIAG_ERROR, "catalog.value",
            given == NULL ? in->place : given->place, path,
            "%s and %s are one and the same %s: both are called '%s'", before, b->to->address,
            b->to->kind->title, json_string_value(b->to->arm_name));

    in->is_namesake = true;
    diag_set_hint(b->x->diags, d, "another name tells them apart: %s: {name: ...}", in->with_path);
    return true;
}

/* Two resources with one id would overwrite each other. */
static void check_duplicate(struct building *b)
{
    const struct resource *r = b->to;
    const json_t *within = r->parent != NULL ? r->parent : r->scope_id;
    AUTO(free) char *scope = within == NULL ? xstrdup("") : jsonx_dump(within);

    if (!json_is_string(r->arm_name) || r->existing != NULL || r->kept_id != NULL)
        return;
    char *key = arena_printf(
            b->x->arena, "%s|%s|%s", r->kind->type, scope, json_string_value(r->arm_name));

    for (char *p = key; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    const char *before = index_put(&b->x->names, key, (void *)(uintptr_t)r->address);
    AUTO(free) char *path = path_of(b, "name");

    if (before != NULL && !refuse_name(b, before))
        value_error(&b->scope, node_of(b, "name"), path,
                "%s and %s are one and the same %s: both are called '%s'", before, r->address,
                r->kind->title, json_string_value(r->arm_name));
}

static void set_rollout(struct building *b)
{
    const char *rollout = b->parts->spec->rollout;
    AUTO(free) char *path = path_of(b, "rollout");

    b->to->rollout = rollout;
    if (rollout != NULL && json_object_get(b->parts->kind->rollouts, rollout) == NULL)
        value_error(&b->scope, node_of(b, "rollout"), path, "a %s has no rollout '%s'",
                b->parts->kind->title, rollout);
}

static void build(struct building *b)
{
    struct resource *r = b->to;
    struct expansion *x = b->x;
    AUTO(free) char *protect = path_of(b, "protect");

    *r = (struct resource){ .address = part_owner(x, b->part)->address,
        .service = b->in->name,
        .name = b->parts->spec->name,
        .each_key = b->part->each_key,
        .kind = b->parts->kind,
        .place = b->parts->spec->place,
        .stack_place = b->in->place };
    json_t *existing = part_existing(x, b->part, &b->deps);

    r->existing = json_is_null(existing) ? NULL : existing;
    r->kept_id = r->existing != NULL || part_kept_id(x, b->part) == NULL
                         ? NULL
                         : arena_text(x->arena, json_string_value(part_kept_id(x, b->part)));
    r->arm_name = part_name(x, b->part, &b->deps);
    set_scope(b);
    set_location(b);
    set_body(b);
    set_rollout(b);
    r->is_protected = value_bool(&b->scope, node_of(b, "protect"), protect, r->kind->holds_data);
    add_depends_on(b);
    set_depends_on(b);
}

static void several_resources(struct expansion *x, const struct instance *in, const char *path)
{
    AUTO(buf) struct buf names = BUF_INIT(BUF_TEXT_MAX);
    struct diag *d = diag_add(x->diags, DIAG_ERROR, "stack.existing", in->existing->place, path,
            "service '%s' has %zu resources: write existing: {RESOURCE: ID}", in->spec->name,
            in->spec->resource_count);

    for (size_t i = 0; i < in->spec->resource_count; i++)
        buf_addf(&names, "%s%s", i == 0 ? "" : ", ", in->spec->resources[i].name);
    diag_set_hint(x->diags, d, "its resources are: %s", buf_text(&names));
}

/* The stack may name as existing only what the service has. */
static void check_existing(struct expansion *x, const struct instance *in)
{
    const size_t count = in->spec->resource_count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));
    AUTO(buf) struct buf path = BUF_INIT(BUF_TEXT_MAX);

    if (in->existing == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        names[i] = in->spec->resources[i].name;
    existing_path(in, &path);
    if (in->existing->kind != DOC_MAP && in->spec->main == NULL && count != 1)
        several_resources(x, in, buf_text(&path));
    for (size_t i = 0; in->existing->kind == DOC_MAP && i < in->existing->count; i++) {
        const struct doc_entry *e = &in->existing->entries[i];

        if (service_resource(in->spec, e->key) != NULL)
            continue;
        AUTO(err) struct err *err = scope_no_such("resource", e->key, names, count);
        AUTO(free) char *sub = xasprintf("%s.%s", buf_text(&path), e->key);
        struct diag *d = diag_add(
                x->diags, DIAG_ERROR, "stack.existing", e->key_place, sub, "%s", err_text(err));

        diag_set_hint(x->diags, d, "service '%s' %s", in->spec->name, err_hint(err));
    }
}

static void build_part(struct expansion *x, struct parts *p, struct part *part)
{
    struct model *m = x->model;
    struct building b = { .x = x, .in = part->in, .parts = p, .part = part };
    const bool is_twin = part_owner(x, part) != part;

    if (is_twin) {
        b.to = arena_alloc(x->arena, sizeof(*b.to));
    } else {
        m->resources = arena_grow(x->arena, m->resources, m->resource_count, &x->resource_capacity,
                sizeof(*m->resources));
        b.to = &m->resources[m->resource_count++];
    }
    deps_add_all(x, &b.deps, &p->head.deps);
    b.scope = part_scope(x, part, &b.deps);
    build(&b);
    if (is_twin)
        shared_add_twin(x, part, b.to);
    else
        check_duplicate(&b);
}

void resources_build(struct expansion *x, struct instance *in)
{

    check_existing(x, in);
    for (size_t i = 0; i < in->spec->resource_count; i++) {
        struct parts *p = parts_of(x, in, in->spec->resources[i].name);

        for (size_t k = 0; k < p->count; k++)
            build_part(x, p, &p->items[k]);
    }
}

static void add_edge(struct resource *r, const char *address)
{
    const char **list = (const char **)(uintptr_t)r->depends_on;

    for (size_t i = 0; i < r->depends_on_count; i++) {
        if (strcmp(list[i], address) == 0)
            return;
    }
    list[r->depends_on_count++] = address;
    qsort(list, r->depends_on_count, sizeof(*list), by_text);
}

/* What lives in the group depends on it, and everything can be found by its address. */
void resources_finish(struct expansion *x)
{
    struct model *m = x->model;
    struct index *by_address = arena_alloc(x->arena, sizeof(*by_address));
    const struct resource *group = NULL;

    by_address->arena = x->arena;
    m->by_address = by_address;
    for (size_t i = 0; i < m->resource_count; i++) {
        index_put(by_address, m->resources[i].address, &m->resources[i]);
        if (m->resources[i].kind->is_group && group == NULL)
            group = &m->resources[i];
    }
    for (size_t i = 0; group != NULL && i < m->resource_count; i++) {
        struct resource *r = &m->resources[i];

        if (r != group && r->kind->scope == KIND_SCOPE_GROUP && r->existing == NULL)
            add_edge(r, group->address);
    }
}

const struct resource *model_resource(const struct model *m, const char *address)
{
    return m->by_address == NULL || address == NULL ? NULL : index_get(m->by_address, address);
}
