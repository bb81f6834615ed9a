#include "catalog/expr.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/eval.h"

struct resolver {
    const struct expr_env *env;
    struct secret_table *secrets;
};

/* --- lookups --- */

static json_t *unknown_path(const char *root, struct eval_path path, size_t count)
{
    AUTO(buf) struct buf what = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    eval_print_path(&what, root, path, count);
    return eval_unknown(buf_text(&what));
}

/* A document from outside must not pass for one of our marks. */
static struct err *refuse_marks(const json_t *value, const char *what)
{
    if (eval_mark_deep(value) != EVAL_PLAIN)
        return err_new(ERR_PROTO, 0, "%s holds a member that begins with $", what);
    return NULL;
}

static const json_t *step(const json_t *at, const json_t *key)
{
    if (json_is_array(at) && json_is_integer(key) && json_integer_value(key) >= 0)
        return json_array_get(at, (size_t)json_integer_value(key));
    if (!json_is_object(at) || !json_is_string(key))
        return NULL;
    const json_t *exact = json_object_get(at, json_string_value(key));

    /* Services spell members their own way now and then. */
    return exact != NULL ? exact : jsonx_get_ci(at, json_string_value(key));
}

/* Follows path[from..] in a document from outside. */
static struct err *follow(const json_t *doc, struct eval_path path, size_t from, json_t **ret)
{
    const json_t *at = doc;
    AUTO(buf) struct buf what = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    for (size_t i = from; i < path.count; i++) {
        const json_t *next = step(at, path.keys[i]);

        if (next == NULL && json_is_true(json_object_get(at, "$partial"))) {
            *ret = unknown_path("resource", path, path.count);
            return NULL;
        }
        if (next == NULL) {
            eval_print_path(&what, "resource", path, i + 1);
            *ret = eval_absent(buf_text(&what));
            return NULL;
        }
        at = next;
    }
    eval_print_path(&what, "resource", path, path.count);
    TRY(refuse_marks(at, buf_text(&what)));
    *ret = json_incref((json_t *)(uintptr_t)at);
    return NULL;
}

static json_t *as_secrets(struct resolver *r, const json_t *value, const char *ref)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (json_is_string(value))
        return secret_table_add(r->secrets,
                (struct str){ .p = json_string_value(value), .len = json_string_length(value) },
                json_pack("[s]", ref));
    if (!json_is_object(value) && !json_is_array(value))
        return json_incref((json_t *)(uintptr_t)value);
    json_t *copy = jsonx_must(json_is_object(value) ? json_object() : json_array());

    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        AUTO(free) char *sub = xasprintf("%s.%s", ref, key);

        json_object_set_new(copy, key, as_secrets(r, member, sub));
    }
    json_array_foreach ((json_t *)(uintptr_t)value, i, member) {
        AUTO(free) char *sub = xasprintf("%s[%zu]", ref, i);

        json_array_append_new(copy, as_secrets(r, member, sub));
    }
    return copy;
}

/* resource["a"].action.NAME...: secret; resource["a"].answer.NAME...: not. */
static struct err *lookup_action(
        struct resolver *r, struct eval_path path, bool is_secret, json_t **ret)
{
    const json_t *answer = r->env->action == NULL
                                   ? NULL
                                   : r->env->action(r->env->arg, json_string_value(path.keys[0]),
                                           json_string_value(path.keys[2]));
    AUTO(buf) struct buf ref = BUF_INIT(EXPR_LEFT_TEXT_MAX);
    json_auto_t *value = NULL;

    eval_print_path(&ref, "resource", path, path.count);
    if (answer == NULL) {
        *ret = eval_unknown(buf_text(&ref));
        return NULL;
    }
    TRY(follow(answer, path, 3, &value));
    if (!is_secret || eval_mark(value) == EVAL_ABSENT)
        *ret = TAKE(value);
    else
        *ret = as_secrets(r, value, buf_text(&ref));
    return NULL;
}

static struct err *lookup_resource(
        struct resolver *r, struct eval_path path, size_t *ret_used, json_t **ret)
{
    if (path.count == 0 || !json_is_string(path.keys[0]))
        return err_new(
                ERR_CONFIG, 0, "a resource is named by its address: resource['SERVICE.NAME']");
    const char *address = json_string_value(path.keys[0]);
    const char *second = path.count > 2 ? json_string_value(path.keys[1]) : NULL;

    *ret_used = path.count;
    if ((text_eq(second, "action") || text_eq(second, "answer")) && json_is_string(path.keys[2]))
        return lookup_action(r, path, text_eq(second, "action"), ret);
    const json_t *doc = r->env->resource == NULL ? NULL : r->env->resource(r->env->arg, address);

    if (doc == NULL) {
        *ret = unknown_path("resource", path, path.count);
        return NULL;
    }
    return follow(doc, path, 1, ret);
}

static struct err *lookup_secret(
        struct resolver *r, struct eval_path path, size_t *ret_used, json_t **ret)
{
    if (path.count == 0 || !json_is_string(path.keys[0]))
        return err_new(ERR_CONFIG, 0, "a secret is named by a text: secret.NAME");
    const char *name = json_string_value(path.keys[0]);
    AUTO(free) char *ref = xasprintf("secret.%s", name);
    struct secret *s = r->env->secret == NULL ? NULL : r->env->secret(r->env->arg, name);

    *ret_used = 1;
    *ret = s == NULL ? eval_absent(ref)
                     : secret_table_add(r->secrets, secret_reveal(s), json_pack("[s]", ref));
    return NULL;
}

static struct err *lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    struct resolver *r = arg;

    if (text_eq(root, "resource"))
        return lookup_resource(r, path, ret_used, ret);
    if (text_eq(root, "secret"))
        return lookup_secret(r, path, ret_used, ret);
    if (text_eq(root, "azure") && path.count > 0 && json_is_string(path.keys[0])) {
        const json_t *fact = json_object_get(r->env->azure, json_string_value(path.keys[0]));

        *ret_used = 1;
        *ret = fact != NULL && !json_is_null(fact) ? json_incref((json_t *)(uintptr_t)fact)
                                                   : unknown_path("azure", path, 1);
        return NULL;
    }
    return err_new(ERR_CONFIG, 0, "there is no '%s' here", root);
}

/* --- resolving --- */

static struct err *resolve_text(struct resolver *r, struct str text, json_t **ret)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct expr_node *n = NULL;
    struct eval ev = {
        .arg = r, .lookup = lookup, .secrets = r->secrets, .salt = r->env->salt, .text = text
    };
    size_t offset = 0;

    json_auto_t *value = NULL;

    TRY(expr_parse(arena, text, &n, &offset));
    TRY(eval_value(&ev, n, &value));
    *ret = jsonx_copy(value); /* until here it is shared with documents of others */
    return NULL;
}

static struct err *resolve(struct resolver *r, const json_t *doc, json_t **ret)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;
    const json_t *left = eval_mark(doc) == EVAL_LEFT ? json_object_get(doc, "$expr") : NULL;

    if (left != NULL)
        return resolve_text(r,
                (struct str){ .p = json_string_value(left), .len = json_string_length(left) }, ret);
    if (!json_is_object(doc) && !json_is_array(doc)) {
        *ret = jsonx_copy(doc);
        return NULL;
    }
    json_auto_t *copy = jsonx_must(json_is_object(doc) ? json_object() : json_array());

    json_object_foreach ((json_t *)(uintptr_t)doc, key, member) {
        json_t *value = NULL;

        TRY(err_wrap(resolve(r, member, &value), "%s", key));
        json_object_set_new(copy, key, value);
    }
    json_array_foreach ((json_t *)(uintptr_t)doc, i, member) {
        json_t *value = NULL;

        TRY(err_wrap(resolve(r, member, &value), "[%zu]", i));
        json_array_append_new(copy, value);
    }
    *ret = TAKE(copy);
    return NULL;
}

struct err *expr_resolve(
        const json_t *doc, const struct expr_env *env, struct secret_table *secrets, json_t **ret)
{
    struct resolver r = { .env = env, .secrets = secrets };

    *ret = NULL;
    return doc == NULL ? NULL : resolve(&r, doc, ret);
}

bool expr_has_unknown(const json_t *doc, const char **ret_what)
{
    const char *what = eval_unknown_in(doc);

    if (what != NULL && ret_what != NULL)
        *ret_what = what;
    return what != NULL;
}

/* --- looking at what is left over --- */

static void each_left(
        const json_t *doc, void (*fn)(void *arg, const struct expr_node *n), void *arg)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (eval_mark(doc) == EVAL_LEFT) {
        AUTO(arena) struct arena *arena = arena_new();
        struct expr_node *n = NULL;
        size_t offset = 0;
        const json_t *left = json_object_get(doc, "$expr");
        struct err *e = expr_parse(arena,
                (struct str){ .p = json_string_value(left), .len = json_string_length(left) }, &n,
                &offset);

        if (e == NULL)
            fn(arg, n);
        err_ignore(e, "resolving reports what is no expression");
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)doc, key, member) {
        each_left(member, fn, arg);
    }
    json_array_foreach ((json_t *)(uintptr_t)doc, i, member) {
        each_left(member, fn, arg);
    }
}

struct reference_sink {
    void (*fn)(void *arg, const char *address, const char *action);
    void *arg;
};

static const char *literal_text(const struct expr_node *n, size_t i)
{
    return i < n->count && n->items[i]->op == EXPR_LITERAL ? json_string_value(n->items[i]->literal)
                                                           : NULL;
}

static void visit_references(void *arg, const struct expr_node *n)
{
    const struct reference_sink *sink = arg;
    const bool is_root = n->op == EXPR_PATH && n->name != NULL;

    if (is_root && text_eq(n->name, "resource") && literal_text(n, 1) != NULL) {
        const char *second = literal_text(n, 2);
        const bool is_action = text_eq(second, "action") || text_eq(second, "answer");

        sink->fn(sink->arg, literal_text(n, 1), is_action ? literal_text(n, 3) : NULL);
    }
    for (size_t i = is_root ? 1 : 0; i < n->count; i++)
        visit_references(arg, n->items[i]);
}

void expr_each_reference(const json_t *doc,
        void (*fn)(void *arg, const char *address, const char *action), void *arg)
{
    struct reference_sink sink = { .fn = fn, .arg = arg };

    each_left(doc, visit_references, &sink);
}

static bool is_null(const struct expr_node *n)
{
    return n->op == EXPR_LITERAL && json_is_null(n->literal);
}

/* A digest and a comparison with null give nothing away. */
static void visit_secrets(void *arg, const struct expr_node *n)
{
    bool *is_secret = arg;

    if (n->op == EXPR_CALL && text_eq(n->name, "digest"))
        return;
    if (n->op == EXPR_BINARY && (is_null(n->items[0]) || is_null(n->items[1]))
            && (n->name[0] == '=' || n->name[0] == '!'))
        return;
    if (n->op == EXPR_CALL && text_eq(n->name, "secret"))
        *is_secret = true;
    if (n->op == EXPR_PATH && text_eq(n->name, "secret"))
        *is_secret = true;
    if (n->op == EXPR_PATH && text_eq(n->name, "resource") && text_eq(literal_text(n, 2), "action"))
        *is_secret = true;
    for (size_t i = n->op == EXPR_PATH && n->name != NULL ? 1 : 0; i < n->count; i++)
        visit_secrets(arg, n->items[i]);
}

bool expr_is_secret(const json_t *doc)
{
    bool is_secret = false;

    each_left(doc, visit_secrets, &is_secret);
    return is_secret;
}
