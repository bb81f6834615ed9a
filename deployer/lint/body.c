/*
 * Bodies against what their kinds know of each property: required, read-only, types, allowed
 * values, patterns, ranges, and keys that are misspelt. What is known later is not judged.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/eval.h"
#include "catalog/pattern.h"
#include "lint/lint.h"

#define PATH_MAX_BYTES 4096u

struct body {
    struct lint_run *run;
    const struct resource *resource;
};

static void complain(const struct body *b, const char *code, const char *severity, const char *path,
        const json_t *value, const char *fix, const char *what)
{
    AUTO(free) char *cause = xasprintf("%s: %s %s", b->resource->address, path, what);
    const char *input =
            value == NULL ? NULL : lint_view_input_of(b->run->view, b->resource->service, value);
    const struct lint_words w = { .code = code,
        .title = b->resource->kind->title,
        .severity = severity,
        .cause = cause,
        .fix = fix,
        .service = b->resource->service,
        .input = input };

    lint_add(b->run, &w);
}

/* ---- one value ---- */

static bool has_type(const json_t *value, const char *type)
{
    if (text_eq(type, "string"))
        return json_is_string(value);
    if (text_eq(type, "integer"))
        return json_is_integer(value);
    if (text_eq(type, "number"))
        return json_is_number(value);
    if (text_eq(type, "boolean"))
        return json_is_boolean(value);
    return text_eq(type, "array") ? json_is_array(value) : json_is_object(value);
}

static bool is_allowed(const struct kind_property *p, const json_t *value)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)p->values, i, one) {
        if (json_equal(one, value) == 1)
            return true;
        if (p->ignores_case && json_is_string(one) && json_is_string(value)
                && str_eq_ci(str_of(json_string_value(one)), str_of(json_string_value(value))))
            return true;
    }
    return json_array_size(p->values) == 0;
}

/* Where the cloud may take more than is known here, the limit is a doubt. */
static const char *severity_of(const struct kind_property *p)
{
    return p->is_open ? "warning" : "error";
}

static const char *doubt_of(const struct kind_property *p)
{
    return p->is_open ? ", as far as is known here" : "";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* D4s_v5 and D8s_v6: sizes and generations of one thing, of which there may be more. */
static bool differ_in_digits_alone(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        if (is_digit(*a))
            a++;
        else if (is_digit(*b))
            b++;
        else if (*a++ != *b++)
            return false;
    }
    return true;
}

static void complain_enum(
        const struct body *b, const struct kind_property *p, const char *path, const json_t *value)
{
    const size_t count = json_array_size(p->values);
    AUTO(free) const char **words = xcalloc(count + 1, sizeof(*words));
    AUTO(buf) struct buf what = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *shown = jsonx_dump(value);
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (json_is_string(json_array_get(p->values, i)))
            words[n++] = json_string_value(json_array_get(p->values, i));
    }
    const char *meant =
            json_is_string(value) ? text_suggest(str_of(json_string_value(value)), words, n) : NULL;

    /* What is nearly a word that is known is that word mistyped, and no new one. */
    const bool is_doubt =
            p->is_open
            && (meant == NULL || differ_in_digits_alone(json_string_value(value), meant));

    buf_addf(&what,
            p->is_open ? "is %s, which is none of the values known here"
                       : "is %s, which is not an allowed value",
            shown);
    if (meant != NULL)
        buf_addf(&list, "did you mean %s? %s: ", meant, p->is_open ? "Known" : "Allowed");
    else
        buf_add_text(&list, p->is_open ? "known are " : "one of ");
    text_add_list(&list, words, n, 20);
    complain(b, "body.enum", is_doubt ? "warning" : "error", path, value, buf_text(&list),
            buf_text(&what));
}

static void check_range(
        const struct body *b, const struct kind_property *p, const char *path, const json_t *value)
{
    const bool is_number = json_is_number(value);
    const double n = is_number               ? json_number_value(value)
                     : json_is_string(value) ? (double)json_string_length(value)
                                             : (double)json_array_size(value);
    const char *unit = is_number ? "" : json_is_string(value) ? " characters" : " elements";

    if ((!p->has_min || n >= p->min) && (!p->has_max || n <= p->max))
        return;
    const bool is_less = p->has_min && n < p->min;
    AUTO(free)
    char *what = xasprintf("is %g%s, and must be at %s %g%s", n, unit, is_less ? "least" : "most",
            is_less ? p->min : p->max, doubt_of(p));

    complain(b, "body.range", severity_of(p), path, value, "change the input that gives it", what);
}

static void check_value(
        const struct body *b, const struct kind_property *p, const char *path, const json_t *value)
{
    if (p->is_read_only) {
        complain(b, "body.read-only", "warning", path, value, "take it out of the service's body",
                "is set by the server: what is sent there counts for nothing");
        return;
    }
    if (p->type != NULL && !has_type(value, p->type)) {
        AUTO(free)
        char *what = xasprintf("is %s, and must be of type %s", eval_type_text(value), p->type);

        complain(b, "body.type", "error", path, value, "give a value of that type", what);
        return;
    }
    if (!is_allowed(p, value))
        complain_enum(b, p, path, value);
    if (p->pattern != NULL && json_is_string(value)
            && !pattern_found(p->pattern, json_string_value(value))) {
        AUTO(free)
        char *what = xasprintf(
                "'%s' does not match %s%s", json_string_value(value), p->pattern, doubt_of(p));

        complain(b, "body.pattern", severity_of(p), path, value, "change the input that gives it",
                what);
    }
    if (p->has_min || p->has_max)
        check_range(b, p, path, value);
}

/* ---- required ---- */

/* Whether the member at `rest` is missing below `at`, in any element of the lists on the way. */
static bool lacks(const json_t *at, struct str rest)
{
    size_t i = 0;
    json_t *item = NULL;
    size_t end = 0;

    if (at == NULL || json_is_null(at) || eval_mark(at) != EVAL_PLAIN)
        return false;
    if (str_starts(rest, STR("[]"))) {
        rest = str_slice(rest, rest.len > 2 && rest.p[2] == '.' ? 3 : 2, rest.len);
        json_array_foreach ((json_t *)(uintptr_t)at, i, item) {
            if (rest.len > 0 && lacks(item, rest))
                return true;
        }
        return false;
    }
    if (!json_is_object(at))
        return false;
    while (end < rest.len && rest.p[end] != '.' && rest.p[end] != '[')
        end++;
    const json_t *member = json_object_getn(at, rest.p, end);

    if (end == rest.len)
        return member == NULL || json_is_null(member);
    return lacks(member, str_slice(rest, rest.p[end] == '.' ? end + 1 : end, rest.len));
}

static void check_required(const struct body *b, const json_t *body)
{
    const struct kind *k = b->resource->kind;

    for (size_t i = 0; i < k->property_count; i++) {
        const struct kind_property *p = &k->properties[i];
        const bool is_alias = p->alias != NULL && !lacks(body, str_of(p->alias));

        if (p->is_required && !is_alias && lacks(body, str_of(p->path)))
            complain(b, "body.required", severity_of(p), p->path, NULL,
                    "give the input that sets it",
                    p->is_open ? "is not there, and should be" : "is required and not there");
    }
}

/* ---- misspelt ---- */

/* The word behind `path` in a known one, "" if it is not below: up to the next step. */
static struct str word_below(const char *known, const char *path, size_t len)
{
    if (len > 0 && (strncmp(known, path, len) != 0 || known[len] != '.'))
        return STR("");
    const char *word = len == 0 ? known : known + len + 1;

    return (struct str){ .p = word, .len = strcspn(word, ".[") };
}

/* The first of the kind's sorted paths that begins with `len` bytes of `path`, or would. */
static size_t first_below(const struct kind *k, const char *path, size_t len)
{
    size_t from = 0;
    size_t end = k->index_count;

    while (from < end) {
        const size_t middle = from + (end - from) / 2;

        if (strncmp(k->index[middle].path, path, len) < 0)
            from = middle + 1;
        else
            end = middle;
    }
    return from;
}

static bool is_at(const struct kind *k, size_t i, const char *path, size_t len)
{
    return i < k->index_count && strncmp(k->index[i].path, path, len) == 0;
}

/* Whether the kind knows `key` below the first `len` bytes of `path`. */
static bool is_known(const struct kind *k, const char *path, size_t len, const char *key)
{
    for (size_t i = first_below(k, path, len); is_at(k, i, path, len); i++) {
        if (str_eq(word_below(k->index[i].path, path, len), str_of(key)))
            return true;
    }
    return false;
}

/* The word below the first `len` bytes of `path` that `key` may have been meant to be; NULL. */
static const char *meant_below(
        const struct kind *k, const char *path, size_t len, const char *key, struct arena *arena)
{
    const char *words[256];
    size_t n = 0;

    for (size_t i = first_below(k, path, len); is_at(k, i, path, len) && n < ARRAY_LEN(words);
            i++) {
        const struct str word = word_below(k->index[i].path, path, len);

        if (word.len > 0)
            words[n++] = arena_str(arena, word);
    }
    return n == 0 ? NULL : text_suggest(str_of(key), words, n);
}

/* ARM has both destinationPortRange and destinationPortRanges. */
static bool is_plural(const char *one, const char *many)
{
    const size_t len = strlen(one);

    return strncmp(one, many, len) == 0 && text_eq(many + len, "s");
}

/* `path` ends with `key`; its first `parent` bytes are where that stands. */
static void check_key(const struct body *b, size_t parent, const char *path, const char *key,
        const json_t *beside)
{
    if (is_known(b->resource->kind, path, parent, key))
        return;
    AUTO(arena) struct arena *arena = arena_new();
    const char *meant = meant_below(b->resource->kind, path, parent, key, arena);

    if (meant == NULL || json_object_get(beside, meant) != NULL || is_plural(key, meant)
            || is_plural(meant, key))
        return;
    AUTO(free) char *fix = xasprintf("did you mean %s?", meant);

    complain(b, "body.unknown", "warning", path, NULL, fix,
            "is a property that nothing is known of");
}

/* ---- the walk ---- */

/* `p` is what the kind knows of `path`, or NULL. */
static void walk(
        const struct body *b, const json_t *value, struct buf *path, const struct kind_property *p)
{
    const struct kind *kind = b->resource->kind;
    const size_t len = path->len;
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (json_is_null(value) || eval_mark(value) != EVAL_PLAIN)
        return;
    if (p != NULL)
        check_value(b, p, buf_text(path), value);
    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        if (strpbrk(key, ".[]{}") != NULL)
            continue;
        buf_add_text(path, len == 0 ? "" : ".");
        buf_add_text(path, key);
        const struct kind_property *known = kind_property(kind, buf_text(path));

        if (known == NULL)
            check_key(b, len, buf_text(path), key, value);
        walk(b, member, path, known);
        buf_truncate(path, len);
    }
    json_array_foreach ((json_t *)(uintptr_t)value, i, member) {
        buf_add_text(path, "[]");
        walk(b, member, path, kind_property(kind, buf_text(path)));
        buf_truncate(path, len);
    }
}

void lint_bodies(struct lint_run *run)
{
    const struct model *m = run->view->model;

    for (size_t i = 0; i < m->resource_count; i++) {
        const struct body b = { .run = run, .resource = &m->resources[i] };
        const json_t *view = lint_view_resource(run->view, b.resource);
        const json_t *body = json_object_get(view, "body");
        AUTO(buf) struct buf path = BUF_INIT(PATH_MAX_BYTES);

        if (b.resource->existing != NULL || !json_is_object(body))
            continue;
        check_required(&b, body);
        walk(&b, body, &path, NULL);
    }
}
