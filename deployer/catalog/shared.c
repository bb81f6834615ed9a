/*
 * Resources that several services of a stack declare alike (`shared: true`): a private DNS zone,
 * say, of which a network takes one. The first service that has it owns it, the others use it.
 */
#include "catalog/expand.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/reader.h"

/* --- whose it is --- */

/* Type, what it lives in, name: as text without case. Null where one of them is no value. */
static json_t *compute_identity(struct expansion *x, void *arg, struct deps *deps)
{
    struct part *part = arg;

    if (!json_is_null(part_existing(x, part, deps)))
        return json_null();
    const json_t *within = part_within(x, part, deps);
    const json_t *name = part_given_name(x, part, deps);

    if (eval_mark(within) == EVAL_POISON || eval_mark(name) == EVAL_POISON)
        return json_null();
    AUTO(free) char *within_text = jsonx_dump(within);
    AUTO(free) char *name_text = jsonx_dump(name);
    AUTO(free) char *text = xasprintf("%s|%s|%s", part->parts->kind->type, within_text, name_text);

    for (char *p = text; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return jsonx_must(json_string(text));
}

static void find_owner(struct expansion *x, struct part *part)
{
    const char *identity = json_string_value(
            slot_value(x, &part->identity, part->address, NULL, compute_identity, part));
    struct part *before = identity == NULL ? NULL : index_get(&x->shared, identity);

    part->owner = before == NULL ? part : before;
    if (before == NULL && identity != NULL)
        index_put(&x->shared, identity, part);
}

static void find_owners_of(struct expansion *x, struct instance *in)
{
    for (size_t i = 0; i < in->spec->resource_count; i++) {
        /* What is being computed right now asks for itself when it is done. */
        if (!in->spec->resources[i].is_shared || in->parts[i].head.state == SLOT_BUSY)
            continue;
        struct parts *p = parts_of(x, in, in->spec->resources[i].name);

        for (size_t k = 0; p->kind != NULL && k < p->count; k++)
            (void)part_owner(x, &p->items[k]);
    }
}

struct part *part_owner(struct expansion *x, struct part *part)
{
    if (!part->parts->spec->is_shared)
        return part;
    /* In the order of the services, so that it does not matter who asks first. */
    while (!part->in->is_indexed && x->shared_done < x->instance_count) {
        struct instance *in = x->instances[x->shared_done++];

        in->is_indexed = true;
        find_owners_of(x, in);
    }
    if (part->owner == NULL)
        find_owner(x, part);
    return part->owner;
}

/* --- an id that was recorded under the name of a service that is no more --- */

/* What stands behind the service's name: `zone`, `record["*"]`. */
static const char *tail_of(const char *address)
{
    const char *dot = strchr(address, '.');

    return dot == NULL ? "" : dot + 1;
}

/* Whether the address is that of a resource which is in the stack beside this one. */
static bool is_another(struct expansion *x, const struct part *part, const char *address)
{
    AUTO(free) char *service = str_dup(str_slice(str_of(address), 0, strcspn(address, ".")));
    struct instance *in = index_get(&x->by_name, service);
    struct parts *p = in == NULL ? NULL : parts_of(x, in, part->parts->spec->name);

    for (size_t i = 0; p != NULL && i < p->count; i++) {
        if (strcmp(p->items[i].address, address) == 0)
            return part_owner(x, &p->items[i]) != part;
    }
    return false;
}

static bool ends_in_segments(const char *id, const char *type, const char *name)
{
    AUTO(free) char *end = xasprintf("%s/%s", strrchr(type, '/'), name);
    const size_t len = strlen(end);

    return strlen(id) > len && strcasecmp(id + strlen(id) - len, end) == 0;
}

const json_t *shared_kept_id(struct expansion *x, struct part *part)
{
    const char *address = NULL;
    json_t *id = NULL;

    if (!part->parts->spec->is_shared)
        return NULL;
    const char *name = json_string_value(part_given_name(x, part, NULL));

    json_object_foreach ((json_t *)(uintptr_t)x->options->ids, address, id) {
        if (name != NULL && json_is_string(id)
                && strcmp(tail_of(address), tail_of(part->address)) == 0
                && ends_in_segments(json_string_value(id), part->parts->kind->type, name)
                && !is_another(x, part, address))
            return id;
    }
    return NULL;
}

/* --- twins must be alike --- */

void shared_add_twin(struct expansion *x, struct part *part, struct resource *resource)
{
    x->twins = arena_grow(x->arena, x->twins, x->twin_count, &x->twin_capacity, sizeof(*x->twins));
    x->twins[x->twin_count++] = (struct twin){ .part = part, .resource = resource };
}

/* The path of the first member that is not the same in both; false: there is none. */
static bool find_difference(const json_t *a, const json_t *b, struct buf *path)
{
    const char *key = NULL;
    json_t *value = NULL;

    if (!json_is_object(a) || !json_is_object(b) || eval_mark(a) != EVAL_PLAIN
            || eval_mark(b) != EVAL_PLAIN)
        return json_equal(a, b) != 1;
    json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
        const json_t *other = json_object_get(b, key);

        if (other != NULL && json_equal(value, other) == 1)
            continue;
        buf_addf(path, "%s%s", path->len == 0 ? "" : ".", key);
        (void)find_difference(value, other, path);
        return true;
    }
    json_object_foreach ((json_t *)(uintptr_t)b, key, value) {
        if (json_object_get(a, key) == NULL) {
            buf_addf(path, "%s%s", path->len == 0 ? "" : ".", key);
            return true;
        }
    }
    return false;
}

static void compare(struct expansion *x, const struct twin *t, const struct resource *owner)
{
    struct scope s = part_scope(x, t->part, NULL);
    const struct parts *p = t->part->parts;
    AUTO(buf) struct buf member = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *path = xasprintf("resources.%s.body", p->spec->name);
    const struct doc_node *body = p->spec->body == NULL ? p->spec->node : p->spec->body;

    if (find_difference(owner->body, t->resource->body, &member))
        value_error(&s, body, path,
                "%s and %s are one %s, and say different things of it: '%s' (see %s:%d)",
                owner->address, t->part->address, owner->kind->title, buf_text(&member),
                owner->place.file, owner->place.line);
    else if (!text_eq(owner->rollout, t->resource->rollout)
             && owner->rollout != t->resource->rollout)
        value_error(&s, p->spec->node, path,
                "%s and %s are one %s, and want different rollouts of it (see %s:%d)",
                owner->address, t->part->address, owner->kind->title, owner->place.file,
                owner->place.line);
}

static void take_over(struct expansion *x, struct resource *owner, const struct twin *t)
{
    struct deps deps = { 0 };
    const char **with = arena_alloc(x->arena, (owner->shared_count + 1) * sizeof(*with));

    for (size_t i = 0; i < owner->shared_count; i++)
        with[i] = owner->shared_with[i];
    with[owner->shared_count++] = t->part->address;
    owner->shared_with = with;
    owner->is_protected = owner->is_protected || t->resource->is_protected;
    for (size_t i = 0; i < owner->depends_on_count; i++)
        deps_add(x, &deps, owner->depends_on[i]);
    for (size_t i = 0; i < t->resource->depends_on_count; i++)
        deps_add(x, &deps, t->resource->depends_on[i]);
    resource_set_edges(x, owner, &deps);
}

void shared_finish(struct expansion *x)
{
    for (size_t i = 0; i < x->twin_count; i++) {
        struct twin *t = &x->twins[i];
        struct resource *owner = index_get(x->model->by_address, t->part->owner->address);

        compare(x, t, owner);
        take_over(x, owner, t);
    }
}
