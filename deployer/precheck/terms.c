#include "precheck/terms.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/jsonx.h"
#include "catalog/eval.h"
#include "catalog/expr_node.h"

/* What a name means while a question's expressions are evaluated. */
struct term_scope {
    const struct precheck_subject *subject;
    const json_t *document;
    json_t *values;
};

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : jsonx_must(json_string(text));
}

static json_t *root_of(const struct term_scope *t, const char *root)
{
    json_t *value = json_object_get(t->values, root);

    if (value != NULL)
        return json_incref(value);
    if (text_eq(root, "body"))
        return json_incref((json_t *)(uintptr_t)t->document);
    if (text_eq(root, "name"))
        return text_or_null(t->subject->name);
    if (text_eq(root, "location"))
        return text_or_null(t->subject->location);
    if (text_eq(root, "each"))
        return json_incref((json_t *)(uintptr_t)t->subject->each);
    return NULL;
}

static struct err *lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    json_t *value = root_of(arg, root);

    (void)path;
    if (value == NULL)
        return err_new(ERR_CONFIG, 0, "there is no '%s' here", root);
    *ret_used = 0;
    *ret = value;
    return NULL;
}

/* Owned; NULL where it can't be told. */
static json_t *evaluate(const char *text, struct term_scope *t)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct secret_table secrets = { 0 };
    struct eval ev = { .arg = t, .lookup = lookup, .secrets = &secrets, .text = str_of(text) };
    struct expr_node *node = NULL;
    size_t offset = 0;
    json_t *value = NULL;
    struct err *e = expr_parse(arena, str_of(text), &node, &offset);

    if (e == NULL)
        e = eval_value(&ev, node, &value);
    err_ignore(e, "what can't be told is asked by nobody");
    secret_table_release(&secrets);
    if (value != NULL && eval_mark_deep(value) == EVAL_PLAIN)
        return value;
    json_decref(value);
    return NULL;
}

json_t *terms_values(
        const json_t *question, const struct precheck_subject *s, const json_t *document)
{
    json_auto_t *values = jsonx_must(json_object());
    struct term_scope t = { .subject = s, .document = document, .values = values };
    const char *name = NULL;
    json_t *text = NULL;

    json_object_foreach (json_object_get(question, "values"), name, text) {
        json_t *value = json_is_string(text) ? evaluate(json_string_value(text), &t) : NULL;

        if (value == NULL || json_is_null(value)) {
            json_decref(value);
            return NULL;
        }
        json_object_set_new(values, name, value);
    }
    return TAKE(values);
}

bool terms_number(const json_t *question, const char *key, const struct precheck_subject *s,
        const json_t *document, double otherwise, double *ret)
{
    const char *text = jsonx_text(question, key);
    struct term_scope t = {
        .subject = s, .document = document, .values = (json_t *)(uintptr_t)s->values
    };

    if (text == NULL) {
        *ret = otherwise;
        return true;
    }
    json_auto_t *value = evaluate(text, &t);

    if (!json_is_number(value))
        return false;
    *ret = json_number_value(value);
    return true;
}

bool terms_hold(const json_t *question, const struct precheck_subject *s)
{
    const char *text = jsonx_text(question, "if");
    struct term_scope t = {
        .subject = s, .document = s->desired, .values = (json_t *)(uintptr_t)s->values
    };

    if (text == NULL)
        return true;
    json_auto_t *value = evaluate(text, &t);

    return json_is_true(value);
}

static struct err *check_text(struct arena *arena, const char *key, const json_t *text)
{
    struct expr_node *node = NULL;
    size_t offset = 0;

    if (!json_is_string(text))
        return err_new(ERR_CONFIG, 0, "%s: an expression is a text", key);
    return err_wrap(expr_parse(arena, str_of(json_string_value(text)), &node, &offset),
            "%s: '%s' at %zu", key, json_string_value(text), offset);
}

struct err *terms_check(const json_t *question)
{
    static const char *const keys[] = { "if", "amount" };
    AUTO(arena) struct arena *arena = arena_new();
    const char *name = NULL;
    json_t *text = NULL;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        text = json_object_get(question, keys[i]);
        if (text != NULL)
            TRY(check_text(arena, keys[i], text));
    }
    json_object_foreach (json_object_get(question, "values"), name, text)
        TRY(check_text(arena, name, text));
    return NULL;
}
