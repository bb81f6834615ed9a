#include "lint/rule.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/eval.h"
#include "catalog/expr_node.h"

#define RULE_TEXT_MAX (64u << 10)
#define RULE_ROUNDS_MAX 200000u /* combinations of all `for` of one rule */

/* An expression of the rule; parsed when it is needed, for most rules are about nothing here. */
struct part {
    const char *what;
    struct str text; /* .p NULL: the rule has none */
    const struct expr_node *tree;
};

struct judge {
    const json_t *rule;
    struct rule_scope *scope;
    void (*fn)(void *arg, const struct rule_break *b);
    void *arg;
    struct arena *arena;
    struct secret_table secrets; /* stays empty: the view has none */
    struct {
        const char *name;
        struct part list;
    } loops[8];
    size_t loop_count;
    struct part when, assert;
    size_t rounds;
};

/* ---- evaluating ---- */

static struct err *lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const struct rule_scope *s = arg;
    const json_t *at = json_object_get(s->vars, root);
    size_t used = 0;

    if (at == NULL)
        at = json_object_get(s->root, root);
    if (at == NULL)
        return err_new(ERR_CONFIG, 0, "there is no '%s' here", root);
    while (used < path.count && at != NULL && eval_mark(at) == EVAL_PLAIN) {
        const json_t *key = path.keys[used++];

        if (json_is_array(at) && json_is_integer(key))
            at = json_array_get(at, (size_t)json_integer_value(key));
        else
            at = json_is_string(key) ? json_object_get(at, json_string_value(key)) : NULL;
    }
    *ret_used = path.count;
    /* A list that nothing is in: a kind or service that the stack does not have. */
    const bool is_list =
            (text_eq(root, "resources") || text_eq(root, "services")) && path.count == 1;

    *ret = at != NULL ? json_incref((json_t *)(uintptr_t)at)
                      : (is_list ? jsonx_must(json_array()) : json_null());
    return NULL;
}

/* A member of nothing: the rule is not about this case. */
static struct err *absent(void *arg, const char *what)
{
    (void)arg;
    (void)what;
    return NULL;
}

static struct err *evaluate(
        struct judge *j, const struct expr_node *n, struct str text, json_t **ret)
{
    struct eval ev = {
        .arg = j->scope, .lookup = lookup, .absent = absent, .secrets = &j->secrets, .text = text
    };

    return eval_value(&ev, n, ret);
}

static struct str str_at(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return (struct str){ .p = json_string_value(v), .len = json_string_length(v) };
}

static struct err *parse_new(struct judge *j, struct part *p)
{
    struct arena *arena = j->scope->memory != NULL ? j->scope->memory->parsed.arena : j->arena;
    struct expr_node *tree = NULL;
    size_t offset = 0;

    TRY(err_wrap(expr_parse(arena, p->text, &tree, &offset), "%s: '%.*s' at %zu", p->what,
            STR_ARG(p->text), offset));
    p->tree = tree;
    if (j->scope->memory != NULL)
        index_put(&j->scope->memory->parsed, arena_str(arena, p->text), tree);
    return NULL;
}

static struct err *parse(struct judge *j, struct part *p)
{
    if (p->tree == NULL && j->scope->memory != NULL)
        p->tree = index_get(&j->scope->memory->parsed, p->text.p);
    return p->tree == NULL ? parse_new(j, p) : NULL;
}

static struct err *evaluate_part(struct judge *j, struct part *p, json_t **ret)
{
    TRY(parse(j, p));
    return err_wrap(evaluate(j, p->tree, p->text, ret), "%s", p->what);
}

/* ---- texts ---- */

static void print_plain(struct buf *out, const json_t *value)
{
    size_t i = 0;
    json_t *item = NULL;

    if (eval_mark(value) != EVAL_PLAIN) {
        buf_add_text(out, "(known later)");
    } else if (json_is_string(value)) {
        text_add_escaped(out, str_of(json_string_value(value)));
    } else if (json_is_array(value)) {
        json_array_foreach ((json_t *)(uintptr_t)value, i, item) {
            buf_add_text(out, i == 0 ? "" : ", ");
            print_plain(out, item);
        }
    } else {
        AUTO(free) char *text = jsonx_dump(value);

        buf_add_text(out, text);
    }
}

static struct err *print_node(
        struct judge *j, const struct expr_node *n, struct str text, struct buf *out)
{
    json_auto_t *value = NULL;

    if (n->op == EXPR_TEXT) {
        for (size_t i = 0; i < n->count; i++)
            TRY(print_node(j, n->items[i], text, out));
        return NULL;
    }
    TRY(evaluate(j, n, text, &value));
    print_plain(out, value);
    return NULL;
}

/* The text with its ${...} filled in; NULL for an absent one. Owned. */
static struct err *fill(struct judge *j, const char *key, char **ret)
{
    const struct str text = str_at(j->rule, key);
    AUTO(buf) struct buf out = BUF_INIT(RULE_TEXT_MAX);
    struct expr_node *n = NULL;
    size_t offset = 0;

    *ret = NULL;
    if (text.p == NULL)
        return NULL;
    TRY(err_wrap(expr_parse_template(j->arena, text, &n, &offset), "%s", key));
    TRY(err_wrap(print_node(j, n, text, &out), "%s", key));
    *ret = xstrdup(buf_text(&out));
    return NULL;
}

/* ---- judging ---- */

static struct err *report(struct judge *j)
{
    AUTO(free) char *text = NULL;
    AUTO(free) char *fix = NULL;
    AUTO(free) char *at = NULL;

    TRY(fill(j, "text", &text));
    TRY(fill(j, "fix", &fix));
    TRY(fill(j, "at", &at));
    const struct rule_break b = { .vars = j->scope->vars, .text = text, .fix = fix, .at = at };

    j->fn(j->arg, &b);
    return NULL;
}

static struct err *judge_one(struct judge *j)
{
    json_auto_t *when = NULL;
    json_auto_t *holds = NULL;

    if (++j->rounds > RULE_ROUNDS_MAX)
        return err_new(ERR_LIMIT, 0, "its `for` makes more than %u combinations", RULE_ROUNDS_MAX);
    if (j->when.text.p != NULL) {
        TRY(evaluate_part(j, &j->when, &when));
        if (!json_is_true(when))
            return NULL;
    }
    if (j->assert.text.p != NULL) {
        TRY(evaluate_part(j, &j->assert, &holds));
        if (!json_is_false(holds) && !json_is_null(holds))
            return NULL;
    }
    return report(j);
}

static struct err *loop(struct judge *j, size_t at)
{
    json_auto_t *list = NULL;
    size_t i = 0;
    json_t *item = NULL;

    if (at == j->loop_count)
        return judge_one(j);
    TRY(err_wrap(evaluate_part(j, &j->loops[at].list, &list), "for %s", j->loops[at].name));
    if (json_is_object(list) && eval_mark(list) == EVAL_PLAIN) {
        const char *key = NULL;

        json_object_foreach (list, key, item) {
            json_t *entry = jsonx_must(json_object());

            json_object_set_new(entry, "key", text_json(str_of(key)));
            json_object_set(entry, "value", item);
            json_object_set_new(j->scope->vars, j->loops[at].name, entry);
            TRY(loop(j, at + 1));
        }
    }
    json_array_foreach (list, i, item) {
        json_object_set(j->scope->vars, j->loops[at].name, item);
        TRY(loop(j, at + 1));
    }
    json_object_del(j->scope->vars, j->loops[at].name);
    return NULL;
}

static struct err *prepare(struct judge *j)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach (json_object_get(j->rule, "for"), key, value) {
        const struct str text = { .p = json_string_value(value), .len = json_string_length(value) };

        if (j->loop_count == ARRAY_LEN(j->loops))
            return err_new(ERR_CONFIG, 0, "for: %zu names are more than %zu",
                    json_object_size(json_object_get(j->rule, "for")), ARRAY_LEN(j->loops));
        if (text.p == NULL)
            return err_new(ERR_CONFIG, 0,
                    "for.%s is no text: an expression that gives a list or a map", key);
        j->loops[j->loop_count].list = (struct part){ .what = "list", .text = text };
        j->loops[j->loop_count++].name = key;
    }
    j->when = (struct part){ .what = "when", .text = str_at(j->rule, "when") };
    j->assert = (struct part){ .what = "assert", .text = str_at(j->rule, "assert") };
    return NULL;
}

struct err *rule_judge(const json_t *rule, struct rule_scope *scope,
        void (*fn)(void *arg, const struct rule_break *b), void *arg)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct judge j = { .rule = rule, .scope = scope, .fn = fn, .arg = arg, .arena = arena };

    TRY(prepare(&j));
    struct err *e = loop(&j, 0);

    secret_table_release(&j.secrets);
    return e;
}

struct err *rule_text(const json_t *object, const char *key, struct rule_scope *scope, char **ret)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct judge j = { .rule = object, .scope = scope, .arena = arena };
    json_auto_t *when = NULL;

    *ret = NULL;
    TRY(prepare(&j));
    if (j.when.text.p != NULL)
        TRY(evaluate_part(&j, &j.when, &when));
    return when != NULL && !json_is_true(when) ? NULL : fill(&j, key, ret);
}

/* ---- the form ---- */

static struct err *check_functions(const struct expr_node *n)
{
    if (n->op == EXPR_CALL && func_find(n->name) == NULL)
        return err_new(ERR_CONFIG, 0, "there is no function '%s'", n->name);
    for (size_t i = 0; i < n->count; i++)
        TRY(check_functions(n->items[i]));
    return NULL;
}

static struct err *check_part(struct judge *j, struct part *p)
{
    if (p->text.p == NULL)
        return NULL;
    TRY(parse(j, p));
    return err_wrap(check_functions(p->tree), "%s", p->what);
}

/* The form of `changes`: which steps of a value a plan refuses. */
static struct err *check_step(const json_t *step)
{
    static const char *const keys[] = { "path", "only", "from", "to", "covers" };
    const char *only = jsonx_text(step, "only");
    const char *key = NULL;
    json_t *value = NULL;

    if (step == NULL)
        return NULL;
    json_object_foreach ((json_t *)(uintptr_t)step, key, value) {
        bool is_known = false;

        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            is_known = is_known || text_eq(key, keys[i]);
        if (!is_known)
            return err_new(ERR_CONFIG, 0, "'changes' has no '%s'", key);
    }
    if (jsonx_text(step, "path") == NULL || json_object_size(step) < 2)
        return err_new(
                ERR_CONFIG, 0, "'changes' needs a path and 'only', 'from', 'to' or 'covers'");
    if (only != NULL && !text_eq(only, "up") && !text_eq(only, "down"))
        return err_new(ERR_CONFIG, 0, "'only' is up or down");
    return NULL;
}

struct err *rule_check(const json_t *rule)
{
    static const char *const keys[] = { "id", "for", "when", "assert", "text", "fix", "at",
        "severity", "runbook", "containers", "variable", "title", "changes" };
    AUTO(arena) struct arena *arena = arena_new();
    struct rule_scope scope = { 0 };
    struct judge j = { .rule = rule, .scope = &scope, .arena = arena };
    const char *key = NULL;
    json_t *value = NULL;

    if (!json_is_object(rule))
        return err_new(ERR_CONFIG, 0, "a rule is a map of 'when' or 'assert', 'text' and more");
    json_object_foreach ((json_t *)(uintptr_t)rule, key, value) {
        bool is_known = key[0] == 'x' && key[1] == '-';

        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            is_known = is_known || text_eq(key, keys[i]);
        if (!is_known)
            return err_new(ERR_CONFIG, 0, "a rule has no key '%s'", key);
    }
    if (jsonx_text(rule, "text") == NULL)
        return err_new(ERR_CONFIG, 0, "a rule needs a text");
    TRY(check_step(json_object_get(rule, "changes")));
    TRY(prepare(&j));
    if (j.when.text.p == NULL && j.assert.text.p == NULL
            && json_object_get(rule, "changes") == NULL)
        return err_new(ERR_CONFIG, 0, "a rule needs 'when' or 'assert'");
    for (size_t i = 0; i < j.loop_count; i++)
        TRY(err_wrap(check_part(&j, &j.loops[i].list), "for.%s", j.loops[i].name));
    TRY(check_part(&j, &j.when));
    return check_part(&j, &j.assert);
}
