/* The values of a document: YAML's words as JSON, with what is ambiguous refused. */
#include "base/doc.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.len > 0;
}

/* 12:30, 1:02:03 */
static bool is_base_60(struct str s)
{
    size_t parts = 0;

    for (struct str rest = s; rest.p != NULL; parts++) {
        if (!is_digits(str_cut(&rest, ':')))
            return false;
    }
    return parts > 1;
}

/* 0x1f, 0o17, 0b1 */
static bool is_other_base(struct str s)
{
    return s.len > 2 && s.p[0] == '0' && strchr("xob", s.p[1]) != NULL
           && strspn(s.p + 2, "0123456789abcdefABCDEF") == s.len - 2;
}

/* 1_000 */
static bool has_separators(struct str s)
{
    return s.len > 1 && s.p[0] >= '0' && s.p[0] <= '9' && memchr(s.p, '_', s.len) != NULL
           && strspn(s.p, "0123456789_.") == s.len;
}

/* .5, 5., .inf, .nan: numbers of YAML that JSON does not have. */
static bool is_yaml_only_number(struct str s)
{
    const struct str fraction = str_slice(s, 1, s.len);

    return str_eq_ci(s, STR(".inf")) || str_eq_ci(s, STR(".nan"))
           || (s.len > 1 && s.p[0] == '.' && is_digits(fraction))
           || (s.len > 1 && s.p[s.len - 1] == '.' && is_digits(str_slice(s, 0, s.len - 1)));
}

/* Words that YAML 1.1 and 1.2 read differently: whoever writes one means one or the other. */
static const char *ambiguity(struct str s)
{
    static const char *const words[] = { "y", "n", "yes", "no", "on", "off" };
    const bool is_signed = s.len > 1 && (s.p[0] == '-' || s.p[0] == '+');
    const struct str number = is_signed ? str_slice(s, 1, s.len) : s;
    int64_t whole = 0;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_ci(s, str_of(words[i])))
            return "is true or false in YAML 1.1 and text in YAML 1.2: write true, false or quote "
                   "it";
    }
    if (number.len > 1 && number.p[0] == '0' && is_digits(number))
        return "has a leading zero: quote it, or write the number without";
    if (is_base_60(number))
        return "is a base-60 number in YAML 1.1: quote it";
    if (is_other_base(number))
        return "is a number in another base: quote it, or write it in decimal";
    if (has_separators(number))
        return "is a number in YAML 1.1: quote it, or write it without '_'";
    if (is_yaml_only_number(number))
        return "is a number that JSON can't write: quote it, or write it as 0.5 or 5.0";
    if (is_signed && s.p[0] == '+' && is_digits(number))
        return "is a number: quote it, or write it without '+'";
    if (!is_digits(number))
        return NULL;
    struct err *e = num_parse_i64(s, INT64_MIN, INT64_MAX, &whole);
    const bool is_too_large = e != NULL;

    err_ignore(e, "what it means for the file is said here");
    return is_too_large ? "is too large for a number: quote it" : NULL;
}

static json_t *typed_scalar(const struct doc_node *n)
{
    const struct str s = { .p = n->text, .len = n->text_len };
    int64_t whole = 0;
    double real = 0;

    if (doc_is_null(n))
        return json_null();
    if (str_eq(s, STR("true")) || str_eq(s, STR("True")) || str_eq(s, STR("TRUE")))
        return json_true();
    if (str_eq(s, STR("false")) || str_eq(s, STR("False")) || str_eq(s, STR("FALSE")))
        return json_false();
    if (s.p[0] != '-' && (s.p[0] < '0' || s.p[0] > '9')) /* most values: no error is made up */
        return NULL;
    struct err *e = num_parse_i64(s, INT64_MIN, INT64_MAX, &whole);

    if (e == NULL)
        return json_integer((json_int_t)whole);
    err_free(e);
    e = num_parse_double(s, -1e300, 1e300, &real);
    if (e == NULL)
        return json_real(real);
    err_free(e);
    return NULL;
}

/* The way to a node, written out only when something is said of it. */
struct way {
    const struct way *parent; /* NULL: `key` is the path that the caller gave */
    const char *key;          /* NULL: an item of a list */
    size_t index;
};

static void add_way(struct buf *out, const struct way *w)
{
    if (w->parent != NULL)
        add_way(out, w->parent);
    if (w->key == NULL)
        buf_addf(out, "[%zu]", w->index);
    else
        buf_addf(out, "%s%s", out->len == 0 ? "" : ".", w->key);
}

static void complain(struct diag_list *diags, const char *code, struct place place,
        const struct way *w, const char *text)
{
    AUTO(buf) struct buf path = BUF_INIT(BUF_TEXT_MAX);

    add_way(&path, w);
    diag_add(diags, DIAG_ERROR, code, place, buf_text(&path), "%s", text);
}

static json_t *scalar_json(const struct doc_node *n, const struct way *w, struct diag_list *diags)
{
    const struct str s = { .p = n->text, .len = n->text_len };

    if (n->is_plain) {
        const char *why = ambiguity(s);

        if (why != NULL) {
            AUTO(free) char *text = xasprintf("'%s' %s", n->text, why);

            complain(diags, "yaml.ambiguous", n->place, w, text);
        }
        json_t *typed = why == NULL ? typed_scalar(n) : NULL;

        if (typed != NULL)
            return typed;
    }
    if (text_is_utf8(s))
        return jsonx_must(json_stringn_nocheck(s.p, s.len));
    complain(diags, "yaml.utf8", n->place, w, "is not UTF-8");
    return text_json(s);
}

static json_t *node_json(const struct doc_node *node, const struct way *w, struct diag_list *diags)
{
    if (node->kind == DOC_SCALAR)
        return scalar_json(node, w, diags);
    json_t *j = jsonx_must(node->kind == DOC_MAP ? json_object() : json_array());

    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == DOC_LIST) {
            const struct way item = { .parent = w, .index = i };

            json_array_append_new(j, node_json(node->items[i], &item, diags));
            continue;
        }
        const struct doc_entry *e = &node->entries[i];
        const struct way sub = { .parent = w, .key = e->key };

        if (text_is_utf8(str_of(e->key)))
            json_object_set_new_nocheck(j, e->key, node_json(e->value, &sub, diags));
        else
            complain(diags, "yaml.utf8", e->key_place, w, "a key is not UTF-8");
    }
    return j;
}

json_t *doc_json(const struct doc_node *node, const char *path, struct diag_list *diags)
{
    const struct way w = { .key = path };

    return node == NULL ? json_null() : node_json(node, &w, diags);
}
