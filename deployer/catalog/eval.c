#include "catalog/eval.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/eval_op.h"

#define PRINT_MAX EXPR_LEFT_TEXT_MAX

enum eval_mark eval_mark(const json_t *value)
{
    if (!json_is_object(value) || json_object_size(value) != 1)
        return EVAL_PLAIN;
    const char *key = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)value));

    if (key[0] != '$')
        return EVAL_PLAIN;
    static const struct {
        const char *key;
        enum eval_mark mark;
    } marks[] = { { "$expr", EVAL_LEFT }, { "$secret", EVAL_SECRET }, { "$unknown", EVAL_UNKNOWN },
        { "$absent", EVAL_ABSENT }, { "$poison", EVAL_POISON } };

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (strcmp(key, marks[i].key) == 0)
            return marks[i].mark;
    }
    return EVAL_PLAIN;
}

enum eval_mark eval_mark_deep(const json_t *value)
{
    enum eval_mark worst = eval_mark(value);
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (worst != EVAL_PLAIN)
        return worst;
    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        const enum eval_mark m = eval_mark_deep(member);

        worst = m > worst ? m : worst;
    }
    json_array_foreach ((json_t *)(uintptr_t)value, i, member) {
        const enum eval_mark m = eval_mark_deep(member);

        worst = m > worst ? m : worst;
    }
    return worst;
}

const char *eval_unknown_in(const json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;
    const char *found = NULL;

    if (eval_mark(value) == EVAL_UNKNOWN)
        return json_string_value(json_object_get(value, "$unknown"));
    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        if (found == NULL)
            found = eval_unknown_in(member);
    }
    json_array_foreach ((json_t *)(uintptr_t)value, i, member) {
        if (found == NULL)
            found = eval_unknown_in(member);
    }
    return found;
}

static json_t *mark_of(const char *key, json_t *value)
{
    json_t *mark = jsonx_must(json_object());

    json_object_set_new_nocheck(mark, key, value);
    return mark;
}

json_t *eval_left(struct buf *text)
{
    return mark_of("$expr", text_json(buf_str(text)));
}

json_t *eval_absent(const char *what)
{
    return mark_of("$absent", text_json(str_of(what)));
}

json_t *eval_poison(void)
{
    return mark_of("$poison", json_true());
}

json_t *eval_unknown(const char *what)
{
    return mark_of("$unknown", text_json(str_of(what)));
}

const char *eval_type_text(const json_t *value)
{
    if (eval_mark(value) == EVAL_SECRET)
        return "a secret";
    if (eval_mark(value) != EVAL_PLAIN)
        return "something known only after apply";
    if (json_is_object(value) || json_is_array(value))
        return json_is_object(value) ? "a map" : "a list";
    if (json_is_string(value) || json_is_boolean(value))
        return json_is_string(value) ? "a text" : "true or false";
    return json_is_integer(value) ? "a whole number" : json_is_real(value) ? "a number" : "null";
}

struct err *eval_bool(const json_t *value, bool *ret)
{
    if (json_is_null(value) || json_is_boolean(value)) {
        *ret = json_is_true(value);
        return NULL;
    }
    if (eval_mark(value) == EVAL_SECRET)
        return err_new(ERR_CONFIG, 0, "a secret can't be a condition");
    return err_new(ERR_CONFIG, 0, "is %s where true or false is wanted", eval_type_text(value));
}

/* --- members --- */

static struct err *absent_member(const char *what, const json_t *key, json_t **ret)
{
    AUTO(buf) struct buf name = BUF_INIT(PRINT_MAX);

    buf_add_text(&name, what);
    expr_print_accessor(&name, key);
    *ret = eval_absent(buf_text(&name));
    return NULL;
}

/* A document with "$partial" is that of a resource that is not made yet: what it lacks may come. */
static struct err *unknown_member(const char *what, const json_t *key, json_t **ret)
{
    AUTO(buf) struct buf name = BUF_INIT(PRINT_MAX);

    buf_add_text(&name, what);
    expr_print_accessor(&name, key);
    *ret = eval_unknown(buf_text(&name));
    return NULL;
}

static const json_t *plain_member(const json_t *base, const json_t *key)
{
    if (json_is_array(base) && json_is_integer(key)) {
        const json_int_t at = json_integer_value(key);

        return at < 0 ? NULL : json_array_get(base, (size_t)at);
    }
    if (!json_is_object(base))
        return NULL;
    if (json_is_string(key))
        return json_object_getn(base, json_string_value(key), json_string_length(key));
    AUTO(free) char *number = xasprintf("%lld", (long long)json_integer_value(key));

    return json_object_get(base, number);
}

void eval_print_path(struct buf *out, const char *root, struct eval_path path, size_t count)
{
    buf_add_text(out, root == NULL ? "(...)" : root);
    for (size_t i = 0; i < count && i < path.count; i++)
        expr_print_accessor(out, path.keys[i]);
}

/* There is no such member: it may come, it is absent, or `base` can't have it. */
static struct err *no_member(const json_t *base, const json_t *key, const char *what, json_t **ret)
{
    if (!json_is_string(key) && !json_is_integer(key))
        return err_new(ERR_CONFIG, 0, "%s[...]: the key is %s, not a text or a whole number", what,
                eval_type_text(key));
    if (!json_is_null(base) && !json_is_object(base) && !(json_is_array(base)))
        return err_new(ERR_CONFIG, 0, "%s is %s: it has no members", what, eval_type_text(base));
    if (json_is_array(base) && !json_is_integer(key))
        return err_new(
                ERR_CONFIG, 0, "%s is a list: it has no member '%s'", what, json_string_value(key));
    return json_is_true(json_object_get(base, "$partial")) ? unknown_member(what, key, ret)
                                                           : absent_member(what, key, ret);
}

/* "secret.NAME" and nothing more: a text, whatever it turns out to be. */
static bool is_left_secret(const json_t *value)
{
    const char *left = jsonx_text(value, "$expr");

    return left != NULL && str_starts(str_of(left), STR("secret."))
           && strpbrk(left + strlen("secret."), ".[ (?") == NULL;
}

/* The member of `base` at path[i]. */
static struct err *member_at(
        const json_t *base, const char *root, struct eval_path path, size_t i, json_t **ret)
{
    const enum eval_mark mark = eval_mark(base);
    const json_t *key = path.keys[i];
    AUTO(buf) struct buf what = BUF_INIT(PRINT_MAX);

    if (mark == EVAL_POISON || mark == EVAL_ABSENT || mark == EVAL_UNKNOWN) {
        *ret = json_incref((json_t *)(uintptr_t)base);
        return NULL;
    }
    if (mark == EVAL_SECRET || (mark == EVAL_LEFT && is_left_secret(base))) {
        eval_print_path(&what, root, path, i);
        return err_new(ERR_CONFIG, 0, "%s is a secret: it has no members", buf_text(&what));
    }
    if (mark == EVAL_LEFT || eval_mark(key) == EVAL_LEFT) {
        expr_print_value(&what, base);
        expr_print_accessor(&what, key);
        *ret = eval_left(&what);
        return buf_check(&what, "an expression");
    }
    const json_t *member = mark == EVAL_PLAIN && (json_is_string(key) || json_is_integer(key))
                                   ? plain_member(base, key)
                                   : NULL;

    if (member != NULL) {
        *ret = json_incref((json_t *)(uintptr_t)member);
        return NULL;
    }
    eval_print_path(&what, root, path, i);
    return no_member(base, key, buf_text(&what), ret);
}

static void release_values(json_t **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_decref(values[i]);
    free(values);
}

/* How many leading steps are plain texts or numbers: what lookup may take. */
static size_t plain_steps(json_t *const *keys, size_t count)
{
    size_t n = 0;

    while (n < count && (json_is_string(keys[n]) || json_is_integer(keys[n])))
        n++;
    return n;
}

static struct err *walk(
        struct eval *ev, const struct expr_node *n, json_t *const *keys, json_t **at)
{
    const size_t count = n->count - 1;
    struct eval_path path = { .keys = (const json_t *const *)keys,
        .count = plain_steps(keys, count) };
    size_t used = 0;

    if (n->name != NULL)
        TRY(ev->lookup(ev->arg, n->name, path, &used, at));
    else
        TRY(eval_value(ev, n->items[0], at));
    for (size_t i = used; i < count; i++) {
        path.count = count;
        json_t *next = NULL;

        TRY(member_at(*at, n->name, path, i, &next));
        json_decref(*at);
        *at = next;
    }
    return NULL;
}

/* One with steps that have to be evaluated. */
static struct err *eval_dynamic_path(struct eval *ev, const struct expr_node *n, json_t **at)
{
    const size_t count = n->count - 1;
    json_t **keys = xcalloc(count, sizeof(*keys));
    struct err *e = NULL;
    enum eval_mark worst = EVAL_PLAIN;
    size_t worst_at = 0;

    for (size_t i = 0; i < count && e == NULL; i++) {
        e = eval_value(ev, n->items[i + 1], &keys[i]);
        const enum eval_mark m = keys[i] == NULL           ? EVAL_PLAIN
                                 : expr_is_secret(keys[i]) ? EVAL_SECRET
                                                           : eval_mark(keys[i]);

        if (m > worst) {
            worst = m;
            worst_at = i;
        }
    }
    if (e == NULL && (worst == EVAL_POISON || worst == EVAL_UNKNOWN))
        *at = json_incref(keys[worst_at]);
    else if (e == NULL && worst == EVAL_SECRET)
        e = err_new(
                ERR_CONFIG, 0, "a secret can't be a key: what it chooses would show a part of it");
    else if (e == NULL)
        e = walk(ev, n, keys, at);
    release_values(keys, count);
    return e;
}

static struct err *eval_path(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *at = NULL;
    size_t used = 0;

    if (n->count == 0)
        return ev->lookup(ev->arg, n->name, (struct eval_path){ 0 }, &used, ret);
    if (n->steps != NULL)
        TRY(walk(ev, n, n->steps, &at));
    else
        TRY(eval_dynamic_path(ev, n, &at));
    *ret = TAKE(at);
    return NULL;
}

/* --- lists, maps, calls --- */

static struct err *eval_list(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < n->count; i++) {
        json_t *v = NULL;

        TRY(eval_value(ev, n->items[i], &v));
        json_array_append_new(list, v);
    }
    *ret = TAKE(list);
    return NULL;
}

static struct err *eval_map(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *map = jsonx_must(json_object());

    for (size_t i = 0; i < n->count; i++) {
        json_t *v = NULL;

        TRY(eval_value(ev, n->items[i], &v));
        json_object_set_new(map, n->keys[i], v);
    }
    *ret = TAKE(map);
    return NULL;
}

static struct err *left_call(const char *name, json_t *const *args, size_t count, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(PRINT_MAX);

    buf_addf(&text, "%s(", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_text(&text, ", ");
        expr_print_value(&text, args[i]);
    }
    buf_add_char(&text, ')');
    *ret = eval_left(&text);
    return buf_check(&text, "an expression");
}

/* How the function looks at these arguments: STRUCT, TEXT, PLAIN, LATE or HOST. */
static enum func_class class_of(const struct func *f, const struct func_call *c)
{
    if (f->class == FUNC_LOOK)
        return json_is_object(c->args[0]) && eval_mark(c->args[0]) == EVAL_PLAIN ? FUNC_STRUCT
                                                                                 : FUNC_PLAIN;
    if (f->class != FUNC_JOIN)
        return f->class;
    for (size_t i = 0; i < c->count; i++) {
        if (!json_is_array(c->args[i]))
            return FUNC_TEXT;
    }
    return FUNC_STRUCT;
}

/* Whether an argument is a secret and nothing else: it will not become plain later. */
static bool has_secret(const struct func_call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct str left = str_of(jsonx_text(c->args[i], "$expr"));

        if (str_starts(left, STR("secret.")) && str_find(left, STR(" ")) < 0)
            return true;
    }
    return false;
}

static struct err *apply(struct eval *ev, const struct func *f, struct func_call *c, json_t **ret)
{
    const enum func_class class = class_of(f, c);
    enum eval_mark worst = EVAL_PLAIN;
    const char *unknown = NULL;

    for (size_t i = 0; i < c->count; i++) {
        const enum eval_mark m =
                class == FUNC_STRUCT ? eval_mark(c->args[i]) : eval_mark_deep(c->args[i]);

        worst = m > worst ? m : worst;
        if (unknown == NULL && m == EVAL_UNKNOWN)
            unknown = eval_unknown_in(c->args[i]);
    }
    if (worst == EVAL_POISON) {
        *ret = eval_poison();
        return NULL;
    }
    if (class == FUNC_HOST) {
        if (ev->call == NULL)
            return err_new(ERR_CONFIG, 0, "%s() can't be used here", f->name);
        return ev->call(ev->arg, f->name, c->args, c->count, ret);
    }
    if ((class == FUNC_PLAIN || class == FUNC_STRUCT)
            && (worst == EVAL_SECRET || (worst == EVAL_LEFT && has_secret(c))))
        return err_new(ERR_CONFIG, 0, "%s() does not take a secret", f->name);
    if (worst == EVAL_LEFT || (class == FUNC_LATE && ev->secrets == NULL))
        return left_call(f->name, c->args, c->count, ret);
    if (worst == EVAL_UNKNOWN) {
        *ret = eval_unknown(unknown);
        return NULL;
    }
    return err_wrap(f->run(c, ret), "%s()", f->name);
}

static struct err *check_call(const struct expr_node *n, const struct func **ret)
{
    const struct func *f = func_find(n->name);

    if (f == NULL) {
        AUTO(free) const char **names = xcalloc(func_count, sizeof(*names));

        for (size_t i = 0; i < func_count; i++)
            names[i] = func_table[i].name;
        const char *meant = text_suggest(str_of(n->name), names, func_count);

        if (meant != NULL)
            return err_new(
                    ERR_CONFIG, 0, "there is no function '%s' (did you mean %s?)", n->name, meant);
        return err_new(ERR_CONFIG, 0, "there is no function '%s'", n->name);
    }
    if (n->count < f->min_args || (f->max_args > 0 && n->count > f->max_args)) {
        if (f->min_args == f->max_args)
            return err_new(ERR_CONFIG, 0, "%s() takes %u argument%s, not %zu", f->name, f->min_args,
                    f->min_args == 1 ? "" : "s", n->count);
        return err_new(ERR_CONFIG, 0, "%s() takes at least %u arguments", f->name, f->min_args);
    }
    *ret = f;
    return NULL;
}

/* default(x, y): as ??, and for an empty text; so its first argument may be absent. */
static struct err *eval_default(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *left = NULL;
    json_auto_t *right = NULL;
    json_t *args[2] = { NULL, NULL };

    TRY(eval_node(ev, n->items[0], &left));
    const int null = eval_nullness(left);

    if (null == 1 || (json_is_string(left) && json_string_length(left) == 0))
        return eval_node(ev, n->items[1], ret);
    if (eval_mark(left) != EVAL_LEFT) {
        *ret = TAKE(left);
        return NULL;
    }
    TRY(eval_value(ev, n->items[1], &right));
    args[0] = left;
    args[1] = right;
    return left_call("default", args, 2, ret);
}

static struct err *eval_call(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    const struct func *f = NULL;

    TRY(check_call(n, &f));
    if (strcmp(f->name, "default") == 0)
        return eval_default(ev, n, ret);
    json_t **args = xcalloc(n->count, sizeof(*args));
    struct func_call c = { .ev = ev, .args = args, .count = n->count };
    struct err *e = NULL;

    if (n->count > 0 && n->items[n->count - 1]->end <= ev->text.len)
        c.source = str_slice(ev->text, n->items[0]->offset, n->items[n->count - 1]->end);
    for (size_t i = 0; i < n->count && e == NULL; i++)
        e = eval_value(ev, n->items[i], &args[i]);
    if (e == NULL)
        e = apply(ev, f, &c, ret);
    release_values(args, n->count);
    return e;
}

/* "a${x}b" is concat() of its parts; null and containers are errors here. */
static struct err *eval_text(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_t **args = xcalloc(n->count, sizeof(*args));
    struct func_call c = { .ev = ev, .args = args, .count = n->count };
    struct err *e = NULL;

    for (size_t i = 0; i < n->count && e == NULL; i++) {
        e = eval_value(ev, n->items[i], &args[i]);
        if (e == NULL && eval_mark(args[i]) == EVAL_PLAIN
                && (json_is_object(args[i]) || json_is_array(args[i]) || json_is_null(args[i]))) {
            ev->offset = n->items[i]->offset;
            e = err_new(ERR_CONFIG, 0, "%s within a text%s",
                    json_is_null(args[i])    ? "null"
                    : json_is_array(args[i]) ? "a list"
                                             : "a map",
                    json_is_null(args[i]) ? ": add ?? '' or another value" : "");
        }
    }
    if (e == NULL && n->count == 0)
        *ret = json_string("");
    else if (e == NULL)
        e = apply(ev, func_find("concat"), &c, ret);
    release_values(args, n->count);
    return e;
}

static struct err *dispatch(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    switch (n->op) {
    case EXPR_LITERAL:
        *ret = json_incref(n->literal);
        return NULL;
    case EXPR_LIST:
        return eval_list(ev, n, ret);
    case EXPR_MAP:
        return eval_map(ev, n, ret);
    case EXPR_TEXT:
        return eval_text(ev, n, ret);
    case EXPR_PATH:
        return eval_path(ev, n, ret);
    case EXPR_CALL:
        return eval_call(ev, n, ret);
    case EXPR_NOT:
        return eval_not(ev, n, ret);
    case EXPR_BINARY:
        return eval_binary(ev, n, ret);
    case EXPR_COND:
        break;
    }
    return eval_cond(ev, n, ret);
}

struct err *eval_node(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    const size_t before = ev->offset;

    ev->offset = SIZE_MAX;
    struct err *e = dispatch(ev, n, ret);

    if (e == NULL)
        ev->offset = before;
    else if (ev->offset == SIZE_MAX)
        ev->offset = n->offset;
    return e;
}

struct err *eval_value(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *v = NULL;

    TRY(eval_node(ev, n, &v));
    if (eval_mark(v) == EVAL_ABSENT) {
        const char *what = jsonx_text(v, "$absent");
        struct err *e = ev->absent != NULL ? ev->absent(ev->arg, what)
                                           : err_new(ERR_CONFIG, 0, "%s is not there", what);

        if (e != NULL) {
            ev->offset = n->offset;
            return e;
        }
        *ret = eval_poison();
        return NULL;
    }
    *ret = TAKE(v);
    return NULL;
}
