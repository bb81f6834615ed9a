/*
 * What `resource.NAME...` means in a service's file: what is known of it now, else an expression
 * with its absolute address.
 */
#include "catalog/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"

/* Whether the kind knows the member at path[from..] as a secret. */
static bool is_secret_member(const struct kind *k, struct eval_path path, size_t from)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);

    for (size_t i = from; i < path.count; i++) {
        if (json_is_string(path.keys[i]))
            buf_addf(&text, "%s%s", text.len == 0 ? "" : ".", json_string_value(path.keys[i]));
        else
            buf_add_text(&text, "[]");
        const struct kind_property *p = kind_property(k, buf_text(&text));

        if (p != NULL && p->is_secret)
            return true;
    }
    return false;
}

static struct err *resource_action(
        struct buf *text, const struct kind *k, struct eval_path path, size_t at, size_t *ret_used)
{
    const char *name = scope_step(path, at + 1);

    if (name == NULL)
        return err_new(ERR_CONFIG, 0, "action needs a name: action.NAME");
    for (size_t i = 0; i < k->action_count; i++) {
        if (!text_eq(k->actions[i].name, name))
            continue;
        buf_addf(text, ".%s.%s", k->actions[i].is_secret ? "action" : "answer", name);
        *ret_used = at + 2;
        return NULL;
    }
    AUTO(free) const char **names = xcalloc(k->action_count, sizeof(*names));

    for (size_t i = 0; i < k->action_count; i++)
        names[i] = k->actions[i].name;
    return scope_no_such("action", name, names, k->action_count);
}

static json_t *known_member(struct scope *s, struct part *part, const char *member)
{
    if (text_eq(member, "name"))
        return part_name(s->x, part, s->deps);
    json_t *id = text_eq(member, "id") ? part_existing(s->x, part, s->deps) : NULL;

    return id == NULL || json_is_null(id) ? NULL : id;
}

/* resource["ADDRESS"] and, where the kind has something to say about them, further steps. */
static struct err *part_value(struct scope *s, struct part *declared, struct eval_path path,
        size_t *ret_used, json_t **ret)
{
    struct part *part = part_owner(s->x, declared);
    const struct parts *p = part->parts;
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);
    const size_t at = *ret_used;
    const char *member = scope_step(path, at);
    json_auto_t *address = jsonx_must(json_string(part->address));

    deps_add(s->x, s->deps, part->address);
    json_t *known = known_member(s, part, member);

    if (known != NULL) {
        *ret_used = at + 1;
        *ret = scope_share(known);
        return NULL;
    }
    buf_add_text(&text, "resource[");
    expr_print_value(&text, address);
    buf_add_char(&text, ']');
    if (text_eq(member, "action")) {
        TRY(resource_action(&text, p->kind, path, at, ret_used));
    } else if (member != NULL && is_secret_member(p->kind, path, at)) {
        AUTO(buf) struct buf whole = BUF_INIT(EXPR_LEFT_TEXT_MAX);

        for (size_t i = at; i < path.count; i++)
            expr_print_accessor(&text, path.keys[i]);
        buf_addf(&whole, "secret(%s)", buf_text(&text));
        *ret_used = path.count;
        *ret = eval_left(&whole);
        return NULL;
    }
    *ret = eval_left(&text);
    return NULL;
}

static json_t *absent_resource(const char *name, const char *key)
{
    AUTO(free)
    char *what = key == NULL ? xasprintf("resource.%s", name)
                             : xasprintf("resource.%s[\"%s\"]", name, key);

    return eval_absent(what);
}

static struct err *all_parts(struct scope *s, struct parts *p, json_t **ret)
{
    json_auto_t *map = jsonx_must(json_object());

    for (size_t i = 0; i < p->count; i++) {
        size_t used = 1;
        json_t *value = NULL;

        TRY(part_value(s, &p->items[i], (struct eval_path){ 0 }, &used, &value));
        json_object_set_new(map, p->items[i].each_key, value);
    }
    *ret = TAKE(map);
    return NULL;
}

struct err *scope_resource(struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const struct service *spec = s->in->spec;

    TRY(scope_need_step(path, "resource"));
    struct parts *p = parts_of(s->x, s->in, scope_step(path, 0));

    if (p == NULL) {
        AUTO(free) const char **names = xcalloc(spec->resource_count, sizeof(*names));

        for (size_t i = 0; i < spec->resource_count; i++)
            names[i] = spec->resources[i].name;
        return scope_no_such("resource", scope_step(path, 0), names, spec->resource_count);
    }
    *ret_used = 1;
    if (p->kind == NULL || p->head.state == SLOT_BUSY || eval_mark(p->head.value) == EVAL_POISON) {
        *ret_used = path.count;
        *ret = eval_poison();
        return NULL;
    }
    if (!p->is_each) {
        if (p->count == 0) {
            *ret = absent_resource(scope_step(path, 0), NULL);
            return NULL;
        }
        return part_value(s, &p->items[0], path, ret_used, ret);
    }
    if (path.count == 1)
        return all_parts(s, p, ret);
    AUTO(free)
    char *number = json_is_integer(path.keys[1])
                           ? xasprintf("%lld", (long long)json_integer_value(path.keys[1]))
                           : NULL;
    const char *key = number != NULL ? number : scope_step(path, 1);
    struct part *part = parts_find(p, key);

    *ret_used = 2;
    if (part == NULL) {
        *ret = absent_resource(scope_step(path, 0), key);
        return NULL;
    }
    return part_value(s, part, path, ret_used, ret);
}
