#include "catalog/expand.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/reader.h"

/* The way to a node, written out only where something is wrong. */
struct trail {
    const struct trail *up;
    const char *text; /* of the first and of members; NULL: an element */
    size_t index;
};

static void print_trail(struct buf *out, const struct trail *t)
{
    if (t->up != NULL)
        print_trail(out, t->up);
    if (t->text == NULL)
        buf_addf(out, "[%zu]", t->index);
    else
        buf_addf(out, "%s%s", out->len == 0 ? "" : ".", t->text);
}

static char *trail_text(const struct trail *t)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    print_trail(&text, t);
    return buf_take(&text);
}

void value_path(const struct scope *s, struct buf *ret)
{
    if (s->trail != NULL)
        print_trail(ret, s->trail);
}

/* The place of a byte within a scalar, exact where the text stands on one line. */
static struct place place_in(const struct doc_node *node, size_t offset)
{
    struct place p = node->place;

    if (node->kind == DOC_SCALAR && node->text != NULL && strchr(node->text, '\n') == NULL)
        p.column += (int)offset + (node->is_plain ? 0 : 1);
    return p;
}

static struct diag *complain(
        struct scope *s, struct place place, const char *path, const char *text)
{
    struct diag *d = diag_add(s->x->diags, DIAG_ERROR, "catalog.value", place, path, "%s", text);

    if (s->in != NULL)
        diag_set_hint(s->x->diags, d, "see service '%s' (%s:%d), which uses it", s->in->name,
                s->in->place.file, s->in->place.line);
    return d;
}

void value_error(
        struct scope *s, const struct doc_node *node, const char *path, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    AUTO(free) char *text = xvasprintf(fmt, ap);

    va_end(ap);
    complain(s, node->place, path, text);
}

void value_not_known(
        struct scope *s, const struct doc_node *node, const char *path, const json_t *value)
{
    const char *left = jsonx_text(value, "$expr");

    if (eval_mark(value) != EVAL_POISON)
        value_error(s, node, path, "%s is known only after apply; this must be known before",
                left == NULL ? "it" : left);
}

/* The parsed text of a node; each is parsed once, however often `each` comes by. */
static struct err *tree_of(struct expansion *x, const struct doc_node *node, struct str text,
        struct expr_node **ret, size_t *ret_offset)
{
    char key[32];

    snprintf(key, sizeof(key), "%p", (const void *)node);
    *ret = index_get(&x->trees, key);
    if (*ret != NULL)
        return NULL;
    TRY(expr_parse_template(x->arena, text, ret, ret_offset));
    index_put(&x->trees, arena_text(x->arena, key), *ret);
    return NULL;
}

/* A scalar without ${...}; a complaint about it gets its path here. */
static json_t *plain_value(struct scope *s, const struct doc_node *node, const struct trail *trail)
{
    struct diag_list *diags = s->x->diags;
    const size_t before = diags->count;
    json_t *value = doc_json(node, "", diags);

    if (diags->count > before) {
        AUTO(free) char *path = trail_text(trail);

        diags->items[before].path = arena_text(diags->arena, path);
    }
    return value;
}

static struct err *evaluate(struct scope *s, const struct doc_node *node, const struct trail *trail,
        struct eval *ev, json_t **ret)
{
    const struct place place = s->place;
    const struct trail *before = s->trail;
    struct expr_node *n = NULL;

    TRY(tree_of(s->x, node, ev->text, &n, &ev->offset));
    s->place = node->place;
    s->trail = trail;
    struct err *e = eval_value(ev, n, ret);

    s->place = place;
    s->trail = before;
    return e;
}

static json_t *scalar_value(struct scope *s, const struct doc_node *node, const struct trail *trail)
{
    const struct str text = { .p = node->text, .len = node->text_len };
    struct eval ev = {
        .arg = s, .lookup = scope_lookup, .call = scope_call, .absent = scope_absent, .text = text
    };
    json_t *value = NULL;

    if (!expr_is_template(text))
        return plain_value(s, node, trail);
    AUTO(err) struct err *e = evaluate(s, node, trail, &ev, &value);

    if (e == NULL)
        return value;
    AUTO(free) char *path = trail_text(trail);
    struct diag *d = complain(s, place_in(node, ev.offset), path, err_text(e));

    if (err_hint(e)[0] != '\0')
        diag_set_hint(s->x->diags, d, "%s", err_hint(e));
    return eval_poison();
}

/* NULL: $if says that it is left out. */
static json_t *any_value(struct scope *s, const struct doc_node *node, const struct trail *trail);

static json_t *member_value(
        struct scope *s, const struct doc_node *map, const char *key, const struct trail *trail)
{
    const struct trail sub = { .up = trail, .text = key };
    json_t *value = any_value(s, doc_get(map, key), &sub);

    return value == NULL ? json_null() : value;
}

static void complain_at(struct scope *s, const struct doc_node *node, const struct trail *trail,
        const char *fmt, ...) PRINTF_LIKE(4, 5);
static void complain_at(struct scope *s, const struct doc_node *node, const struct trail *trail,
        const char *fmt, ...)
{
    AUTO(free) char *path = trail_text(trail);
    va_list ap;

    va_start(ap, fmt);
    AUTO(free) char *text = xvasprintf(fmt, ap);

    va_end(ap);
    complain(s, node->place, path, text);
}

static bool is_wanted(struct scope *s, const struct doc_node *map, const struct trail *trail)
{
    const struct doc_node *condition = doc_get(map, "$if");

    if (condition == NULL)
        return true;
    AUTO(free) char *path = trail_text(trail);

    return value_bool(s, condition, path, false);
}

static void lay_over(struct scope *s, const struct doc_node *node, const struct trail *trail,
        json_t *map, const json_t *more)
{
    AUTO(free) char *path = NULL;

    if (json_is_null(more) || eval_mark(more) == EVAL_POISON)
        return;
    if (eval_mark(more) == EVAL_LEFT) {
        path = trail_text(trail);
        value_not_known(s, node, path, more);
    } else if (json_is_object(more)) {
        json_object_update(map, (json_t *)(uintptr_t)more);
    } else {
        complain_at(s, node, trail, "$merge wants a map, got %s", eval_type_text(more));
    }
}

static void merge_into(
        struct scope *s, const struct doc_node *map, const struct trail *trail, json_t *into)
{
    const struct doc_node *node = doc_get(map, "$merge");

    if (node == NULL)
        return;
    json_auto_t *value = member_value(s, map, "$merge", trail);

    if (!json_is_array(value)) {
        lay_over(s, node, trail, into, value);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        lay_over(s, node, trail, into, json_array_get(value, i));
}

static bool is_special(const char *key)
{
    return text_eq(key, "$if") || text_eq(key, "$merge") || text_eq(key, "$each");
}

static json_t *map_value(struct scope *s, const struct doc_node *node, const struct trail *trail)
{
    const struct doc_node *instead = doc_get(node, "$value");

    if (!is_wanted(s, node, trail))
        return NULL;
    if (instead != NULL)
        return any_value(s, instead, trail);
    json_t *map = jsonx_must(json_object());

    for (size_t i = 0; i < node->count; i++) {
        const struct doc_entry *e = &node->entries[i];
        const struct trail sub = { .up = trail, .text = e->key };

        if (e->key[0] == '$') {
            if (!is_special(e->key))
                complain_at(s, e->value, trail, "'%s' is not one of $if, $each, $merge, $value",
                        e->key);
            continue;
        }
        json_t *value = any_value(s, e->value, &sub);

        if (value != NULL && !(s->drops_null && json_is_null(value)))
            json_object_set_new(map, e->key, value);
        else
            json_decref(value);
    }
    merge_into(s, node, trail, map);
    return map;
}

static void append(const struct scope *s, json_t *list, json_t *value)
{
    if (value != NULL && !(s->drops_null && json_is_null(value)))
        json_array_append_new(list, value);
    else
        json_decref(value);
}

/* An element with $each, once for each element or entry of `over`. */
static void repeat_over(struct scope *s, const struct doc_node *node, const struct trail *trail,
        json_t *over, json_t *list)
{
    struct scope inner = *s;
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    json_array_foreach (over, i, member) {
        json_auto_t *position = json_integer((json_int_t)i);

        inner.item_key = position;
        inner.item_value = member;
        append(s, list, any_value(&inner, node, trail));
    }
    json_object_foreach (over, key, member) {
        json_auto_t *name = jsonx_must(json_string(key));

        inner.item_key = name;
        inner.item_value = member;
        append(s, list, any_value(&inner, node, trail));
    }
}

static void repeat(
        struct scope *s, const struct doc_node *node, const struct trail *trail, json_t *list)
{
    json_auto_t *over = member_value(s, node, "$each", trail);
    AUTO(free) char *path = NULL;

    if (json_is_null(over) || eval_mark(over) == EVAL_POISON)
        return;
    if (eval_mark(over) == EVAL_LEFT) {
        path = trail_text(trail);
        value_not_known(s, node, path, over);
    } else if (!json_is_array(over) && !json_is_object(over)) {
        complain_at(s, node, trail, "$each wants a list or a map, got %s", eval_type_text(over));
    } else {
        repeat_over(s, node, trail, over, list);
    }
}

static json_t *list_value(struct scope *s, const struct doc_node *node, const struct trail *trail)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < node->count; i++) {
        const struct doc_node *item = node->items[i];
        const struct trail sub = { .up = trail, .index = i };

        if (doc_get(item, "$each") != NULL)
            repeat(s, item, &sub, list);
        else
            append(s, list, any_value(s, item, &sub));
    }
    return list;
}

static json_t *any_value(struct scope *s, const struct doc_node *node, const struct trail *trail)
{
    if (node == NULL)
        return json_null();
    if (node->kind == DOC_MAP)
        return map_value(s, node, trail);
    if (node->kind == DOC_LIST)
        return list_value(s, node, trail);
    return scalar_value(s, node, trail);
}

json_t *value_of(struct scope *s, const struct doc_node *node, const char *path)
{
    const struct trail trail = { .text = path };
    json_t *value = any_value(s, node, &trail);

    return value == NULL ? json_null() : value;
}

bool value_bool(struct scope *s, const struct doc_node *node, const char *path, bool otherwise)
{
    bool is_true = otherwise;

    if (node == NULL)
        return otherwise;
    json_auto_t *value = value_of(s, node, path);

    if (json_is_null(value) || eval_mark(value) == EVAL_POISON)
        return otherwise;
    if (eval_mark(value) == EVAL_LEFT) {
        value_not_known(s, node, path, value);
        return otherwise;
    }
    AUTO(err) struct err *e = eval_bool(value, &is_true);

    if (e != NULL)
        value_error(s, node, path, "%s", err_text(e));
    return is_true;
}

const char *value_text(struct scope *s, const struct doc_node *node, const char *path)
{
    if (node == NULL)
        return NULL;
    json_auto_t *value = value_of(s, node, path);

    if (json_is_null(value) || eval_mark(value) == EVAL_POISON)
        return NULL;
    if (eval_mark(value) == EVAL_LEFT) {
        value_not_known(s, node, path, value);
        return NULL;
    }
    if (node->kind == DOC_SCALAR && !json_is_string(value)
            && !expr_is_template((struct str){ .p = node->text, .len = node->text_len }))
        return node->text;
    if (!json_is_string(value)) {
        value_error(s, node, path, "must be a text, not %s", eval_type_text(value));
        return NULL;
    }
    return arena_text(s->x->arena, json_string_value(value));
}
