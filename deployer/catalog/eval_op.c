#include "catalog/eval_op.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"

#define PRINT_MAX EXPR_LEFT_TEXT_MAX

static json_t *print_operation(
        const char *before, const json_t *a, const char *mid, const json_t *b)
{
    AUTO(buf) struct buf text = BUF_INIT(PRINT_MAX);

    buf_add_text(&text, before);
    if (a != NULL)
        expr_print_value(&text, a);
    buf_add_text(&text, mid);
    expr_print_value(&text, b);
    buf_add_char(&text, ')');
    return eval_left(&text);
}

struct err *eval_not(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *v = NULL;
    bool is_true = false;

    TRY(eval_value(ev, n->items[0], &v));
    const enum eval_mark m = eval_mark(v);

    if (m == EVAL_POISON || m == EVAL_UNKNOWN)
        *ret = TAKE(v);
    else if (m == EVAL_LEFT)
        *ret = print_operation("(!", NULL, "", v);
    else {
        TRY(eval_bool(v, &is_true));
        *ret = json_boolean(!is_true);
    }
    return NULL;
}

static struct err *eval_logic(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    const bool is_and = strcmp(n->name, "&&") == 0;
    json_auto_t *left = NULL;
    json_auto_t *right = NULL;
    bool is_true = false;

    TRY(eval_value(ev, n->items[0], &left));
    const enum eval_mark m = eval_mark(left);

    if (m == EVAL_POISON) {
        *ret = TAKE(left);
        return NULL;
    }
    if (m == EVAL_PLAIN || m == EVAL_SECRET) {
        TRY(eval_bool(left, &is_true));
        if (is_true != is_and) {
            *ret = json_boolean(is_true);
            return NULL;
        }
    }
    TRY(eval_value(ev, n->items[1], &right));
    const enum eval_mark r = eval_mark(right);

    if (r == EVAL_PLAIN || r == EVAL_SECRET) {
        TRY(eval_bool(right, &is_true));
        json_decref(right);
        right = json_boolean(is_true);
    }
    if (r != EVAL_POISON && m == EVAL_LEFT)
        *ret = print_operation("(", left, is_and ? " && " : " || ", right);
    else
        *ret = m == EVAL_UNKNOWN && r != EVAL_POISON ? TAKE(left) : TAKE(right);
    return NULL;
}

bool eval_is_never_null(const char *left)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct expr_node *n = NULL;
    size_t offset = 0;
    struct err *e = expr_parse(arena, str_of(left), &n, &offset);

    if (e != NULL) {
        err_ignore(e, "what is no expression is judged when it is resolved");
        return false;
    }
    if (n->op == EXPR_CALL) {
        const struct func *f = func_find(n->name);

        return f != NULL && f->is_never_null;
    }
    if (n->op == EXPR_PATH && text_eq(n->name, "secret"))
        return n->count == 2;
    if (n->op == EXPR_PATH && text_eq(n->name, "resource")) {
        const json_t *member = n->count == 3 ? n->items[2]->literal : NULL;

        return n->count == 2 || text_eq(json_string_value(member), "id")
               || text_eq(json_string_value(member), "name");
    }
    return (n->op == EXPR_LITERAL && !json_is_null(n->literal)) || n->op == EXPR_NOT
           || (n->op == EXPR_BINARY && strcmp(n->name, "??") != 0);
}

int eval_nullness(const json_t *v)
{
    switch (eval_mark(v)) {
    case EVAL_ABSENT:
        return 1;
    case EVAL_SECRET:
        return 0;
    case EVAL_LEFT:
        return eval_is_never_null(jsonx_text(v, "$expr")) ? 0 : -1;
    case EVAL_UNKNOWN:
    case EVAL_POISON:
        return -1;
    case EVAL_PLAIN:
        break;
    }
    return json_is_null(v);
}

static struct err *eval_coalesce(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *left = NULL;
    json_auto_t *right = NULL;

    TRY(eval_node(ev, n->items[0], &left));
    const int null = eval_nullness(left);

    if (null == 1)
        return eval_node(ev, n->items[1], ret);
    if (null == 0 || eval_mark(left) != EVAL_LEFT) {
        *ret = TAKE(left);
        return NULL;
    }
    TRY(eval_value(ev, n->items[1], &right));
    *ret = eval_mark(right) == EVAL_POISON ? TAKE(right)
                                           : print_operation("(", left, " ?? ", right);
    return NULL;
}

static bool is_null_literal(const struct expr_node *n)
{
    return n->op == EXPR_LITERAL && json_is_null(n->literal);
}

/* x == null, x != null: absent counts as null, a secret does not. */
static struct err *eval_null_test(
        struct eval *ev, const struct expr_node *n, const struct expr_node *operand, json_t **ret)
{
    json_auto_t *v = NULL;

    TRY(eval_node(ev, operand, &v));
    const int null = eval_nullness(v);

    if (null >= 0)
        *ret = json_boolean((null == 1) == (n->name[0] == '='));
    else if (eval_mark(v) == EVAL_LEFT)
        *ret = print_operation("(", v, n->name[0] == '=' ? " == " : " != ", json_null());
    else
        *ret = TAKE(v);
    return NULL;
}

static bool is_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return !(json_number_value(a) < json_number_value(b))
               && !(json_number_value(a) > json_number_value(b));
    return json_equal(a, b) == 1;
}

static struct err *compare(const char *op, const json_t *a, const json_t *b, json_t **ret)
{
    int order = 0;

    if (op[0] == '=' || op[0] == '!') {
        *ret = json_boolean(is_equal(a, b) == (op[0] == '='));
        return NULL;
    }
    if (json_is_number(a) && json_is_number(b)) {
        order = json_number_value(a) < json_number_value(b)   ? -1
                : json_number_value(a) > json_number_value(b) ? 1
                                                              : 0;
    } else if (json_is_string(a) && json_is_string(b)) {
        order = strcmp(json_string_value(a), json_string_value(b));
    } else {
        return err_new(ERR_CONFIG, 0, "'%s' compares two numbers or two texts, not %s and %s", op,
                eval_type_text(a), eval_type_text(b));
    }
    const bool is_or_equal = op[1] == '=';

    *ret = json_boolean((op[0] == '<' ? order < 0 : order > 0) || (is_or_equal && order == 0));
    return NULL;
}

static struct err *eval_compare(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *a = NULL;
    json_auto_t *b = NULL;

    if ((n->name[0] == '=' || n->name[0] == '!') && is_null_literal(n->items[1]))
        return eval_null_test(ev, n, n->items[0], ret);
    if ((n->name[0] == '=' || n->name[0] == '!') && is_null_literal(n->items[0]))
        return eval_null_test(ev, n, n->items[1], ret);
    TRY(eval_value(ev, n->items[0], &a));
    TRY(eval_value(ev, n->items[1], &b));
    const enum eval_mark ma = eval_mark_deep(a);
    const enum eval_mark mb = eval_mark_deep(b);
    const enum eval_mark worst = ma > mb ? ma : mb;

    if (worst == EVAL_POISON) {
        *ret = eval_poison();
    } else if (worst == EVAL_LEFT) {
        AUTO(free) char *mid = xasprintf(" %s ", n->name);

        *ret = print_operation("(", a, mid, b);
    } else if (worst == EVAL_UNKNOWN) {
        *ret = eval_unknown(eval_unknown_in(ma == EVAL_UNKNOWN ? a : b));
    } else if (worst == EVAL_SECRET) {
        return err_new(ERR_CONFIG, 0, "a secret can be compared with null only");
    } else {
        return compare(n->name, a, b, ret);
    }
    return NULL;
}

struct err *eval_binary(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    if (strcmp(n->name, "??") == 0)
        return eval_coalesce(ev, n, ret);
    if (strcmp(n->name, "&&") == 0 || strcmp(n->name, "||") == 0)
        return eval_logic(ev, n, ret);
    return eval_compare(ev, n, ret);
}

struct err *eval_cond(struct eval *ev, const struct expr_node *n, json_t **ret)
{
    json_auto_t *c = NULL;
    json_auto_t *a = NULL;
    json_auto_t *b = NULL;
    AUTO(buf) struct buf text = BUF_INIT(PRINT_MAX);
    bool is_true = false;

    TRY(eval_value(ev, n->items[0], &c));
    const enum eval_mark m = eval_mark(c);

    if (m == EVAL_POISON || m == EVAL_UNKNOWN) {
        *ret = TAKE(c);
        return NULL;
    }
    if (m != EVAL_LEFT) {
        TRY(eval_bool(c, &is_true));
        return eval_node(ev, n->items[is_true ? 1 : 2], ret);
    }
    TRY(eval_value(ev, n->items[1], &a));
    TRY(eval_value(ev, n->items[2], &b));
    buf_add_char(&text, '(');
    expr_print_value(&text, c);
    buf_add_text(&text, " ? ");
    expr_print_value(&text, a);
    buf_add_text(&text, " : ");
    expr_print_value(&text, b);
    buf_add_char(&text, ')');
    *ret = eval_mark_deep(a) == EVAL_POISON || eval_mark_deep(b) == EVAL_POISON ? eval_poison()
                                                                                : eval_left(&text);
    return buf_check(&text, "an expression");
}
