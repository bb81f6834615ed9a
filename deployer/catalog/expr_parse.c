#include "catalog/expr_node.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "catalog/expr_lex.h"

struct parser {
    struct arena *arena;
    struct lex lex;
    unsigned depth;
    unsigned max_depth;
};

/* A growing list of children; its memory goes with the parser's arena when it is done. */
struct children {
    struct expr_node **items;
    const char **keys;
    size_t count, capacity, key_capacity;
};

static void release_children(struct children *c)
{
    free(c->items);
    free(c->keys);
}

static void auto_children(struct children *c)
{
    release_children(c);
}

static struct err *parse_expr(struct parser *p, struct expr_node **ret);

static void release_literal(void *literal)
{
    json_decref(literal);
}

static struct expr_node *new_node(struct parser *p, enum expr_op op, size_t offset)
{
    struct expr_node *n = arena_alloc(p->arena, sizeof(*n));

    *n = (struct expr_node){ .op = op, .offset = offset, .depth = 1 };
    return n;
}

static struct expr_node *new_literal(struct parser *p, size_t offset, json_t *value)
{
    struct expr_node *n = new_node(p, EXPR_LITERAL, offset);

    n->literal = jsonx_must(value);
    arena_hook(p->arena, release_literal, value);
    n->end = p->lex.at;
    return n;
}

static void add_child(struct children *c, struct expr_node *child, const char *key)
{
    const size_t at = c->count;

    GROW(c->items, c->count, c->capacity);
    if (key != NULL) {
        GROW(c->keys, c->count, c->key_capacity);
        c->keys[at] = key;
    }
    c->items[c->count++] = child;
}

static struct err *too_deep(const struct parser *p)
{
    return err_new(ERR_LIMIT, 0, "an expression nests deeper than %u", p->max_depth);
}

/* Moves the children into the node and checks its depth. */
static struct err *adopt(struct parser *p, struct expr_node *n, const struct children *c)
{
    n->count = c->count;
    n->items = arena_alloc(p->arena, c->count * sizeof(*c->items) + 1);
    if (c->count > 0)
        memcpy(n->items, c->items, c->count * sizeof(*c->items));
    if (c->keys != NULL) {
        n->keys = arena_alloc(p->arena, c->count * sizeof(*c->keys));
        memcpy(n->keys, c->keys, c->count * sizeof(*c->keys));
    }
    for (size_t i = 0; i < c->count; i++)
        n->depth = c->items[i]->depth >= n->depth ? c->items[i]->depth + 1 : n->depth;
    n->end = p->lex.offset;
    return n->depth > p->max_depth ? too_deep(p) : NULL;
}

static struct err *unexpected(const struct parser *p, const char *wanted)
{
    AUTO(buf) struct buf shown = BUF_INIT(256);

    if (p->lex.kind == LEX_END)
        return err_new(ERR_CONFIG, 0, "the expression ends where %s should follow", wanted);
    text_add_escaped(&shown, str_slice(p->lex.word, 0, 40));
    return err_new(ERR_CONFIG, 0, "'%s' stands where %s should follow", buf_text(&shown), wanted);
}

static struct err *expect(struct parser *p, const char *mark)
{
    if (lex_is(&p->lex, mark))
        return lex_next(&p->lex);
    AUTO(free) char *wanted = xasprintf("'%s'", mark);

    return unexpected(p, wanted);
}

/* Items up to `close`, which is consumed; the opening mark already is. */
static struct err *parse_items(struct parser *p, const char *close, struct children *ret)
{
    while (!lex_is(&p->lex, close)) {
        struct expr_node *item = NULL;

        TRY(parse_expr(p, &item));
        add_child(ret, item, NULL);
        if (!lex_is(&p->lex, close))
            TRY(expect(p, ","));
    }
    return lex_next(&p->lex);
}

static struct err *parse_map_entry(struct parser *p, struct children *ret)
{
    struct expr_node *item = NULL;
    const char *key = NULL;

    if (p->lex.kind == LEX_NAME)
        key = arena_str(p->arena, p->lex.word);
    else if (p->lex.kind == LEX_TEXT)
        key = arena_str(p->arena, buf_str(&p->lex.quoted));
    else
        return unexpected(p, "a key or '}'");
    if (key[0] == '$')
        return err_new(ERR_CONFIG, 0, "a key can't begin with $");
    for (size_t i = 0; i < ret->count; i++) {
        if (text_eq(ret->keys[i], key))
            return err_new(ERR_CONFIG, 0, "the key '%s' is there twice", key);
    }
    TRY(lex_next(&p->lex));
    TRY(expect(p, ":"));
    TRY(parse_expr(p, &item));
    add_child(ret, item, key);
    return NULL;
}

static struct err *parse_map(struct parser *p, struct expr_node *n)
{
    AUTO(children) struct children c = { 0 };

    TRY(lex_next(&p->lex));
    while (!lex_is(&p->lex, "}")) {
        TRY(parse_map_entry(p, &c));
        if (!lex_is(&p->lex, "}"))
            TRY(expect(p, ","));
    }
    TRY(lex_next(&p->lex));
    return adopt(p, n, &c);
}

static struct err *parse_number(struct parser *p, struct expr_node **ret)
{
    const struct lex *l = &p->lex;
    int64_t whole = 0;
    double real = 0;

    if (memchr(l->word.p, '.', l->word.len) == NULL) {
        TRY(num_parse_i64(l->word, INT64_MIN, INT64_MAX, &whole));
        *ret = new_literal(p, l->offset, json_integer((json_int_t)whole));
    } else {
        TRY(num_parse_double(l->word, -1e300, 1e300, &real));
        *ret = new_literal(p, l->offset, json_real(real));
    }
    return lex_next(&p->lex);
}

/* true, false, null, a function or a root. */
static struct err *parse_name(struct parser *p, struct expr_node **ret)
{
    const size_t offset = p->lex.offset;
    const struct str word = p->lex.word;
    AUTO(children) struct children c = { 0 };

    if (str_eq(word, STR("true")) || str_eq(word, STR("false"))) {
        *ret = new_literal(p, offset, json_boolean(word.len == 4));
        return lex_next(&p->lex);
    }
    if (str_eq(word, STR("null"))) {
        *ret = new_literal(p, offset, json_null());
        return lex_next(&p->lex);
    }
    const char *name = arena_str(p->arena, word);

    TRY(lex_next(&p->lex));
    if (!lex_is(&p->lex, "(")) {
        *ret = new_node(p, EXPR_PATH, offset);
        (*ret)->name = name;
        (*ret)->end = offset + word.len;
        return NULL;
    }
    TRY(lex_next(&p->lex));
    TRY(parse_items(p, ")", &c));
    *ret = new_node(p, EXPR_CALL, offset);
    (*ret)->name = name;
    return adopt(p, *ret, &c);
}

static struct err *parse_primary(struct parser *p, struct expr_node **ret)
{
    const size_t offset = p->lex.offset;
    AUTO(children) struct children c = { 0 };

    if (p->lex.kind == LEX_NAME)
        return parse_name(p, ret);
    if (p->lex.kind == LEX_NUMBER)
        return parse_number(p, ret);
    if (p->lex.kind == LEX_TEXT) {
        const struct str value = buf_str(&p->lex.quoted);

        *ret = new_literal(p, offset, json_stringn(value.p, value.len));
        return lex_next(&p->lex);
    }
    if (lex_is(&p->lex, "(")) {
        TRY(lex_next(&p->lex));
        TRY(parse_expr(p, ret));
        return expect(p, ")");
    }
    if (lex_is(&p->lex, "[")) {
        TRY(lex_next(&p->lex));
        TRY(parse_items(p, "]", &c));
        *ret = new_node(p, EXPR_LIST, offset);
        return adopt(p, *ret, &c);
    }
    if (lex_is(&p->lex, "{")) {
        *ret = new_node(p, EXPR_MAP, offset);
        return parse_map(p, *ret);
    }
    return unexpected(p, "a value");
}

static struct err *parse_accessor(struct parser *p, struct children *c)
{
    struct expr_node *key = NULL;

    if (lex_is(&p->lex, ".")) {
        TRY(lex_next(&p->lex));
        if (p->lex.kind != LEX_NAME)
            return unexpected(p, "a name");
        key = new_literal(p, p->lex.offset, json_stringn(p->lex.word.p, p->lex.word.len));
        TRY(lex_next(&p->lex));
    } else {
        TRY(lex_next(&p->lex));
        TRY(parse_expr(p, &key));
        TRY(expect(p, "]"));
    }
    add_child(c, key, NULL);
    return NULL;
}

/* Most paths are a.b["c"][0]: no step has to be evaluated. */
static json_t **literal_steps(struct parser *p, const struct children *c)
{
    json_t **steps = arena_alloc(p->arena, c->count * sizeof(*steps));

    for (size_t i = 1; i < c->count; i++) {
        if (c->items[i]->op != EXPR_LITERAL)
            return NULL;
        steps[i - 1] = c->items[i]->literal;
    }
    return steps;
}

static struct err *parse_postfix(struct parser *p, struct expr_node **ret)
{
    struct expr_node *base = NULL;
    AUTO(children) struct children c = { 0 };

    TRY(parse_primary(p, &base));
    if (!lex_is(&p->lex, ".") && !lex_is(&p->lex, "[")) {
        *ret = base;
        return NULL;
    }
    struct expr_node *n = new_node(p, EXPR_PATH, base->offset);
    const bool is_root = base->op == EXPR_PATH && base->name != NULL && base->count == 0;

    n->name = is_root ? base->name : NULL;
    add_child(&c, base, NULL);
    while (lex_is(&p->lex, ".") || lex_is(&p->lex, "["))
        TRY(parse_accessor(p, &c));
    n->steps = literal_steps(p, &c);
    *ret = n;
    return adopt(p, n, &c);
}

static struct err *parse_unary(struct parser *p, struct expr_node **ret)
{
    const size_t offset = p->lex.offset;
    AUTO(children) struct children c = { 0 };
    struct expr_node *operand = NULL;

    if (!lex_is(&p->lex, "!"))
        return parse_postfix(p, ret);
    TRY(lex_next(&p->lex));
    if (p->depth++ >= p->max_depth)
        return too_deep(p);
    TRY(parse_unary(p, &operand));
    p->depth--;
    add_child(&c, operand, NULL);
    *ret = new_node(p, EXPR_NOT, offset);
    return adopt(p, *ret, &c);
}

static struct err *new_binary(struct parser *p, const char *operator, struct expr_node * left,
        struct expr_node *right, struct expr_node **ret)
{
    AUTO(children) struct children c = { 0 };

    add_child(&c, left, NULL);
    add_child(&c, right, NULL);
    *ret = new_node(p, EXPR_BINARY, left->offset);
    (*ret)->name = operator;
    return adopt(p, *ret, &c);
}

/* Binds to the right: a ?? (b ?? c). */
static struct err *parse_coalesce(struct parser *p, struct expr_node **ret)
{
    struct expr_node *left = NULL;
    struct expr_node *right = NULL;

    TRY(parse_unary(p, &left));
    if (!lex_is(&p->lex, "??")) {
        *ret = left;
        return NULL;
    }
    TRY(lex_next(&p->lex));
    if (p->depth++ >= p->max_depth)
        return too_deep(p);
    TRY(parse_coalesce(p, &right));
    p->depth--;
    return new_binary(p, "??", left, right, ret);
}

/* The operators of a level, lowest first; all but the comparisons may be chained. */
static const char *const levels[][7] = {
    { "||", NULL },
    { "&&", NULL },
    { "==", "!=", "<=", ">=", "<", ">", NULL },
};

static const char *operator_of(const struct parser *p, size_t level)
{
    for (size_t i = 0; levels[level][i] != NULL; i++) {
        if (lex_is(&p->lex, levels[level][i]))
            return levels[level][i];
    }
    return NULL;
}

static struct err *parse_level(struct parser *p, size_t level, struct expr_node **ret)
{
    struct expr_node *left = NULL;
    struct expr_node *right = NULL;

    if (level == ARRAY_LEN(levels))
        return parse_coalesce(p, ret);
    TRY(parse_level(p, level + 1, &left));
    bool is_compared = false;

    for (const char *op = operator_of(p, level); op != NULL; op = operator_of(p, level)) {
        if (is_compared)
            return err_new(ERR_CONFIG, 0, "comparisons can't be chained: use && or parentheses");
        is_compared = level == ARRAY_LEN(levels) - 1;
        TRY(lex_next(&p->lex));
        TRY(parse_level(p, level + 1, &right));
        TRY(new_binary(p, op, left, right, &left));
    }
    *ret = left;
    return NULL;
}

static struct err *parse_condition(struct parser *p, struct expr_node **ret)
{
    struct expr_node *parts[3] = { NULL, NULL, NULL };
    AUTO(children) struct children c = { 0 };

    TRY(parse_level(p, 0, &parts[0]));
    if (!lex_is(&p->lex, "?")) {
        *ret = parts[0];
        return NULL;
    }
    TRY(lex_next(&p->lex));
    TRY(parse_expr(p, &parts[1]));
    TRY(expect(p, ":"));
    TRY(parse_expr(p, &parts[2]));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        add_child(&c, parts[i], NULL);
    *ret = new_node(p, EXPR_COND, parts[0]->offset);
    return adopt(p, *ret, &c);
}

static struct err *parse_expr(struct parser *p, struct expr_node **ret)
{
    if (p->depth++ >= p->max_depth)
        return too_deep(p);
    TRY(parse_condition(p, ret));
    p->depth--;
    return NULL;
}

struct err *expr_parse(
        struct arena *arena, struct str text, struct expr_node **ret, size_t *ret_offset)
{
    struct parser p = { .arena = arena,
        .lex = { .text = text, .quoted = BUF_INIT(EXPR_LEFT_TEXT_MAX) },
        .max_depth = EXPR_LEFT_DEPTH_MAX };

    if (text.len > EXPR_LEFT_TEXT_MAX)
        return err_new(ERR_LIMIT, 0, "an expression exceeds %u bytes", EXPR_LEFT_TEXT_MAX);
    struct err *e = lex_next(&p.lex);

    if (e == NULL)
        e = parse_expr(&p, ret);
    if (e == NULL && p.lex.kind != LEX_END)
        e = unexpected(&p, "the end");
    *ret_offset = p.lex.offset;
    buf_release(&p.lex.quoted);
    return e;
}

static void add_text_part(struct parser *p, struct buf *text, struct children *parts)
{
    if (text->len == 0)
        return;
    add_child(parts, new_literal(p, 0, text_json(buf_str(text))), NULL);
    buf_clear(text);
}

/* One ${...}; the lexer stands behind "${" and is left behind "}". */
static struct err *parse_hole(struct parser *p, struct children *parts)
{
    struct expr_node *n = NULL;

    TRY(lex_next(&p->lex));
    TRY(parse_expr(p, &n));
    if (!lex_is(&p->lex, "}"))
        return unexpected(p, "'}'");
    add_child(parts, n, NULL);
    return NULL;
}

static struct err *parse_parts(
        struct parser *p, struct children *parts, size_t *ret_holes, struct expr_node **ret)
{
    AUTO(buf) struct buf plain = BUF_INIT(EXPR_TEXT_MAX);
    const struct str text = p->lex.text;

    while (p->lex.at < text.len) {
        const struct str rest = str_slice(text, p->lex.at, text.len);

        if (str_starts(rest, STR("$${"))) {
            buf_add_str(&plain, STR("${"));
            p->lex.at += 3;
        } else if (str_starts(rest, STR("${"))) {
            add_text_part(p, &plain, parts);
            p->lex.at += 2;
            p->lex.offset = p->lex.at;
            TRY(parse_hole(p, parts));
            (*ret_holes)++;
        } else {
            buf_add_char(&plain, rest.p[0]);
            p->lex.at++;
        }
    }
    add_text_part(p, &plain, parts);
    p->lex.offset = text.len;
    *ret = new_node(p, EXPR_TEXT, 0);
    return adopt(p, *ret, parts);
}

struct err *expr_parse_template(
        struct arena *arena, struct str text, struct expr_node **ret, size_t *ret_offset)
{
    struct parser p = { .arena = arena,
        .lex = { .text = text, .quoted = BUF_INIT(EXPR_TEXT_MAX) },
        .max_depth = EXPR_DEPTH_MAX };
    AUTO(children) struct children parts = { 0 };
    size_t holes = 0;

    *ret_offset = 0;
    if (text.len > EXPR_TEXT_MAX)
        return err_new(ERR_LIMIT, 0, "a text with ${ exceeds %u bytes", EXPR_TEXT_MAX);
    const char *nul = text.len == 0 ? NULL : memchr(text.p, '\0', text.len);

    if (nul != NULL) {
        *ret_offset = (size_t)(nul - text.p);
        return err_new(ERR_CONFIG, 0, "a text holds a NUL byte");
    }
    struct err *e = parse_parts(&p, &parts, &holes, ret);

    *ret_offset = p.lex.offset;
    buf_release(&p.lex.quoted);
    if (e == NULL && holes == 1 && parts.count == 1)
        *ret = parts.items[0];
    return e;
}

bool expr_is_template(struct str text)
{
    return str_find(text, STR("${")) >= 0;
}

bool expr_is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
            return false;
    }
    return s.len > 0;
}
