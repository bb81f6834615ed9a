/*
 * What `when`, `each` and `existing` make of a service's resources, and how they are called.
 */
#include "catalog/expand.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/reader.h"

struct head {
    struct instance *in;
    struct parts *parts;
};

static char *path_of(const struct parts *p, const char *member)
{
    return xasprintf("resources.%s.%s", p->spec->name, member);
}

static const char *address_of(
        struct arena *a, const struct instance *in, const char *resource, const char *key)
{
    if (key == NULL)
        return arena_printf(a, "%s.%s", in->name, resource);
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *name = jsonx_must(json_string(key));

    expr_print_value(&text, name);
    return arena_printf(a, "%s.%s[%s]", in->name, resource, buf_text(&text));
}

static void add_part(struct expansion *x, const struct head *h, const char *key, json_t *value)
{
    struct parts *p = h->parts;
    struct part *part = &p->items[p->count++];

    part->in = h->in;
    part->parts = p;
    part->each_key = key == NULL ? NULL : arena_text(x->arena, key);
    part->address = address_of(x->arena, h->in, p->spec->name, key);
    part->each_value = reader_keep(x->arena, json_incref(value));
    if (key == NULL)
        return;
    part->key_json = reader_keep(x->arena, jsonx_must(json_string(key)));
    p->by_key.arena = x->arena;
    index_put(&p->by_key, part->each_key, part);
}

static void add_keyed(
        struct scope *s, const struct head *h, const struct doc_node *node, json_t *list)
{
    AUTO(free) char *path = path_of(h->parts, "each");
    json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (list, i, item) {
        AUTO(free)
        char *number = json_is_integer(item)
                               ? xasprintf("%lld", (long long)json_integer_value(item))
                               : NULL;
        const char *key = number != NULL ? number : json_string_value(item);

        if (eval_mark(item) == EVAL_POISON)
            continue;
        if (key == NULL) {
            value_error(s, node, path, "wants a list of texts or a map: element %zu is %s", i,
                    eval_type_text(item));
            continue;
        }
        if (parts_find(h->parts, key) != NULL)
            value_error(s, node, path, "'%s' is there twice", key);
        else
            add_part(s->x, h, key, item);
    }
}

static void add_each(struct scope *s, const struct head *h, const struct doc_node *node)
{
    struct parts *p = h->parts;
    AUTO(free) char *path = path_of(p, "each");
    json_auto_t *over = value_of(s, node, path);
    const char *key = NULL;
    json_t *member = NULL;

    p->is_each = true;
    if (eval_mark(over) != EVAL_PLAIN) {
        value_not_known(s, node, path, over);
        return;
    }
    p->items = arena_alloc(
            s->x->arena, (json_array_size(over) + json_object_size(over)) * sizeof(*p->items) + 1);
    if (json_is_array(over)) {
        add_keyed(s, h, node, over);
        return;
    }
    if (!json_is_object(over) && !json_is_null(over))
        value_error(s, node, path, "wants a list of texts or a map, got %s", eval_type_text(over));
    json_object_foreach (over, key, member) {
        add_part(s->x, h, key, member);
    }
}

static bool find_kind(struct scope *s, struct parts *p)
{
    struct expansion *x = s->x;
    const size_t errors = x->diags->errors;

    p->kind = load_kind(x->catalog, p->spec->kind, x->diags);
    if (p->kind != NULL || x->diags->errors > errors)
        return p->kind != NULL;
    AUTO(free) const char **names = load_names(&x->catalog->kinds);
    AUTO(free) char *path = path_of(p, "kind");
    AUTO(err) struct err *e = scope_no_such("kind", p->spec->kind, names, x->catalog->kinds.count);

    value_error(s, doc_get(p->spec->node, "kind"), path, "%s", err_text(e));
    return false;
}

static json_t *compute_head(struct expansion *x, void *arg, struct deps *deps)
{
    const struct head *h = arg;
    struct parts *p = h->parts;
    struct scope s = { .x = x, .in = h->in, .deps = deps };
    const struct doc_node *each = doc_get(p->spec->node, "each");
    AUTO(free) char *path = path_of(p, "when");

    if (!find_kind(&s, p))
        return eval_poison();
    const struct doc_node *when = doc_get(p->spec->node, "when");

    p->is_each = each != NULL;
    if (when != NULL && !value_bool(&s, when, path, false))
        return json_true();
    if (each != NULL) {
        add_each(&s, h, each);
        return json_true();
    }
    p->items = arena_alloc(x->arena, sizeof(*p->items));
    add_part(x, h, NULL, NULL);
    return json_true();
}

struct parts *parts_of(struct expansion *x, struct instance *in, const char *name)
{
    for (size_t i = 0; i < in->spec->resource_count; i++) {
        struct head h = { .in = in, .parts = &in->parts[i] };

        if (strcmp(in->spec->resources[i].name, name) != 0)
            continue;
        if (h.parts->head.state == SLOT_DONE)
            return h.parts;
        h.parts->spec = &in->spec->resources[i];
        AUTO(free) char *what = xasprintf("services.%s.resources.%s", in->name, name);

        (void)slot_value(x, &h.parts->head, what, NULL, compute_head, &h);
        return h.parts;
    }
    return NULL;
}

struct part *parts_find(struct parts *p, const char *key)
{
    return key == NULL ? NULL : index_get(&p->by_key, key);
}

/* --- existing, within and names --- */

struct scope part_scope(struct expansion *x, const struct part *part, struct deps *deps)
{
    return (struct scope){ .x = x,
        .in = part->in,
        .each_key = part->key_json,
        .each_value = part->each_value,
        .deps = deps };
}

/* The node below `key` where there is one, and its path. */
static const struct doc_node *step_into(
        const struct doc_node *node, const char *key, struct buf *path)
{
    if (key == NULL || node->kind != DOC_MAP || doc_get(node, key) == NULL)
        return node;
    buf_addf(path, ".%s", key);
    return doc_get(node, key);
}

/* What the stack says; NULL if it says nothing. */
static json_t *given_existing(struct scope *s, const struct part *part)
{
    const struct instance *in = part->in;
    json_t *given = existing_id(s->x, part->in, part->parts->spec->name);
    AUTO(buf) struct buf path = BUF_INIT(BUF_TEXT_MAX);

    if (given != NULL && part->each_key != NULL && json_is_object(given)
            && eval_mark(given) == EVAL_PLAIN)
        given = json_object_get(given, part->each_key);
    if (given == NULL || json_is_null(given) || eval_mark(given) == EVAL_POISON)
        return json_incref(given);
    existing_path(in, &path);
    const struct doc_node *node = step_into(in->existing, part->parts->spec->name, &path);

    node = step_into(node, part->each_key, &path);
    return form_check_id(s, node, buf_text(&path), part->parts->kind, given) ? json_incref(given)
                                                                             : eval_poison();
}

static json_t *compute_existing(struct expansion *x, void *arg, struct deps *deps)
{
    const struct part *part = arg;
    struct scope s = part_scope(x, part, deps);
    const struct doc_node *node = doc_get(part->parts->spec->node, "existing");
    json_t *given = given_existing(&s, part);
    AUTO(free) char *path = path_of(part->parts, "existing");

    if (given != NULL && !json_is_null(given))
        return given;
    return node == NULL ? json_null() : value_of(&s, node, path);
}

json_t *part_existing(struct expansion *x, struct part *part, struct deps *deps)
{
    return slot_value(x, &part->existing, part->address, deps, compute_existing, part);
}

static json_t *compute_within(struct expansion *x, void *arg, struct deps *deps)
{
    const struct part *part = arg;
    struct scope s = part_scope(x, part, deps);
    const enum kind_scope scope = part->parts->kind->scope;
    const char *member = scope == KIND_SCOPE_PARENT      ? "parent"
                         : scope == KIND_SCOPE_EXTENSION ? "on"
                                                         : NULL;
    const struct doc_node *node = member == NULL ? NULL : doc_get(part->parts->spec->node, member);
    AUTO(free) char *path = node == NULL ? NULL : path_of(part->parts, member);

    return node == NULL ? json_null() : value_of(&s, node, path);
}

json_t *part_within(struct expansion *x, struct part *part, struct deps *deps)
{
    return slot_value(x, &part->within, part->address, deps, compute_within, part);
}

static void make_suffix(struct expansion *x)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char hash[DIGEST_SHA256_BYTES];
    json_auto_t *subscription = scope_setting(x, "azure", "subscription");
    json_auto_t *group = scope_setting(x, "azure", "resource_group");
    AUTO(free)
    char *text = xasprintf("%s\n%s\n%s\n%s",
            json_is_string(subscription) ? json_string_value(subscription) : "",
            json_is_string(group) ? json_string_value(group) : "", x->stack->name,
            x->stack->environment);

    digest_sha256(str_of(text), hash);
    for (size_t i = 0; i < sizeof(x->suffix) - 1; i++)
        x->suffix[i] = alphabet[hash[i] % (sizeof(alphabet) - 1)];
}

static const char *suffix_of(struct expansion *x)
{
    if (x->options->suffix != NULL)
        return x->options->suffix;
    if (x->suffix[0] == '\0')
        make_suffix(x);
    return x->suffix;
}

/* BASE-SUFFIX or BASESUFFIX, the base cut so that it fits. */
static char *suffixed(const struct kind *k, const char *base, const char *dash, const char *suffix)
{
    const size_t behind = strlen(dash) + strlen(suffix);
    size_t len = strlen(base);

    if (k->name_max > behind && len > k->name_max - behind)
        len = k->name_max - behind;
    while (len > 0 && base[len - 1] == '-')
        len--;
    return xasprintf("%.*s%s%s", (int)len, base, dash, suffix);
}

json_t *unique_name(struct expansion *x, const struct kind *k, const json_t *name)
{
    const char *suffix = suffix_of(x);
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    if (!json_is_string(name)) {
        buf_add_text(&text, "concat(");
        expr_print_value(&text, name);
        buf_addf(&text, ", \"-%s\")", suffix);
        return eval_left(&text);
    }
    AUTO(free) char *dashed = suffixed(k, json_string_value(name), "-", suffix);
    AUTO(free) char *plain = suffixed(k, json_string_value(name), "", suffix);
    const bool takes_dash = k->name_pattern == NULL || pattern_matches(x, k->name_pattern, dashed)
                            || !pattern_matches(x, k->name_pattern, plain);

    return jsonx_must(json_string(takes_dash ? dashed : plain));
}

void check_name(struct scope *s, const struct kind *k, const struct doc_node *node,
        const char *path, const char *name)
{
    AUTO(buf) struct buf shown = BUF_INIT(4096);
    const size_t len = text_columns(str_of(name));

    text_add_escaped(&shown, str_slice(str_of(name), 0, 200));
    if (len < k->name_min || (k->name_max > 0 && len > k->name_max))
        value_error(s, node, path, "'%s' has %zu characters: the name of %s %s has %zu to %zu",
                buf_text(&shown), len, text_article(k->title), k->title, k->name_min, k->name_max);
    else if (k->name_pattern != NULL && !pattern_matches(s->x, k->name_pattern, name))
        value_error(s, node, path, "'%s' can't be the name of %s %s: it must match %s",
                buf_text(&shown), text_article(k->title), k->title, k->name_pattern);
}

static json_t *last_segment(const json_t *id)
{
    const char *text = json_string_value(id);
    const char *slash = text == NULL ? NULL : strrchr(text, '/');
    AUTO(buf) struct buf left = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    if (text != NULL)
        return jsonx_must(json_string(slash == NULL ? text : slash + 1));
    if (eval_mark(id) != EVAL_LEFT)
        return eval_poison();
    buf_add_text(&left, "basename(");
    expr_print_value(&left, id);
    buf_add_char(&left, ')');
    return eval_left(&left);
}

const json_t *part_kept_id(struct expansion *x, struct part *part)
{
    const json_t *id = json_object_get(x->options->ids, part->address);

    return json_is_string(id) ? id : shared_kept_id(x, part);
}

static json_t *compute_given_name(struct expansion *x, void *arg, struct deps *deps)
{
    const struct part *part = arg;
    struct scope s = part_scope(x, part, deps);
    const struct kind *k = part->parts->kind;
    const struct doc_node *node = doc_get(part->parts->spec->node, "name");
    AUTO(free) char *path = path_of(part->parts, "name");
    AUTO(free) char *unique_path = path_of(part->parts, "unique");

    if (node == NULL) {
        value_error(&s, part->parts->spec->node, path, "is missing");
        return eval_poison();
    }
    json_auto_t *name = value_of(&s, node, path);

    if (eval_mark(name) == EVAL_POISON)
        return TAKE(name);
    if (!json_is_string(name) && eval_mark(name) != EVAL_LEFT) {
        value_error(&s, node, path, "must be a text, not %s", eval_type_text(name));
        return eval_poison();
    }
    if (k->is_unique_name
            && value_bool(&s, doc_get(part->parts->spec->node, "unique"), unique_path, true)) {
        json_t *unique = unique_name(x, k, name);

        json_decref(name);
        name = unique;
    }
    if (json_is_string(name))
        check_name(&s, k, node, path, json_string_value(name));
    return TAKE(name);
}

json_t *part_given_name(struct expansion *x, struct part *part, struct deps *deps)
{
    return slot_value(x, &part->given_name, part->address, deps, compute_given_name, part);
}

static json_t *compute_name(struct expansion *x, void *arg, struct deps *deps)
{
    struct part *part = arg;
    const json_t *existing = part_existing(x, part, deps);

    if (!json_is_null(existing))
        return last_segment(existing);
    const json_t *kept = part_kept_id(x, part);

    return kept != NULL ? last_segment(kept) : scope_share(part_given_name(x, part, deps));
}

json_t *part_name(struct expansion *x, struct part *declared, struct deps *deps)
{
    struct part *part = part_owner(x, declared);

    return slot_value(x, &part->name, part->address, deps, compute_name, part);
}
