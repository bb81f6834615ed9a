#include "catalog/eval.h"

#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"

#define TEXT_MAX EXPR_LEFT_TEXT_MAX

static struct err *wants(const char *wanted, const json_t *got)
{
    return err_new(ERR_CONFIG, 0, "wants %s, got %s", wanted, eval_type_text(got));
}

static struct str text_arg(const struct func_call *c, size_t i)
{
    return (struct str){ .p = json_string_value(c->args[i]),
        .len = json_string_length(c->args[i]) };
}

static struct err *need_texts(const struct func_call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!json_is_string(c->args[i]))
            return wants("texts", c->args[i]);
    }
    return NULL;
}

/* --- texts: secrets are welcome --- */

static struct err *give_cased(const struct func_call *c, char from, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);

    text.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] >= from && text.p[i] <= from + 25)
            text.p[i] = (char)(text.p[i] ^ 0x20);
    }
    return func_give(c, &text, ret);
}

static struct err *run_upper(const struct func_call *c, json_t **ret)
{
    return give_cased(c, 'a', ret);
}

static struct err *run_lower(const struct func_call *c, json_t **ret)
{
    return give_cased(c, 'A', ret);
}

static struct err *run_trim(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    text.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    buf_add_str(&out, str_trim(buf_str(&text)));
    return func_give(c, &out, ret);
}

static struct err *run_string(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);

    text.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    return func_give(c, &text, ret);
}

static struct err *run_replace(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf from = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf to = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    text.is_secret = from.is_secret = to.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    TRY(func_text_of(c, c->args[1], &from));
    TRY(func_text_of(c, c->args[2], &to));
    if (from.len == 0)
        return err_new(ERR_CONFIG, 0, "can't replace an empty text");
    struct str rest = buf_str(&text);

    for (ptrdiff_t at = str_find(rest, buf_str(&from)); at >= 0;
            at = str_find(rest, buf_str(&from))) {
        buf_add(&out, rest.p, (size_t)at);
        buf_add_str(&out, buf_str(&to));
        rest = str_slice(rest, (size_t)at + from.len, rest.len);
    }
    buf_add_str(&out, rest);
    return func_give(c, &out, ret);
}

static struct err *run_join(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf separator = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    separator.is_secret = out.is_secret = true;
    if (!json_is_array(c->args[0]))
        return wants("a list", c->args[0]);
    TRY(func_text_of(c, c->args[1], &separator));
    for (size_t i = 0; i < json_array_size(c->args[0]); i++) {
        if (i > 0)
            buf_add_str(&out, buf_str(&separator));
        TRY(func_text_of(c, json_array_get(c->args[0], i), &out));
    }
    return func_give(c, &out, ret);
}

static struct err *concat_lists(const struct func_call *c, json_t **ret)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < c->count; i++)
        json_array_extend(list, c->args[i]);
    *ret = list;
    return NULL;
}

static struct err *run_concat(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    if (json_is_array(c->args[0]))
        return concat_lists(c, ret);
    out.is_secret = true;
    for (size_t i = 0; i < c->count; i++)
        TRY(func_text_of(c, c->args[i], &out));
    return func_give(c, &out, ret);
}

static struct err *run_base64(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    text.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    encode_base64(&out, buf_text(&text), text.len);
    return func_give(c, &out, ret);
}

static struct err *run_base64decode(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    text.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    struct err *e = decode_base64(buf_str(&text), &out);

    if (e != NULL) { /* its message might show a secret */
        err_free(e);
        return err_new(ERR_CONFIG, 0, "wants base64");
    }
    if (!text_is_utf8(buf_str(&out)) || (out.len > 0 && memchr(out.p, '\0', out.len) != NULL))
        return err_new(ERR_CONFIG, 0, "what comes out is no text (UTF-8 without a NUL byte)");
    return func_give(c, &out, ret);
}

static struct err *run_urlencode(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    text.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    encode_percent(&out, buf_str(&text));
    return func_give(c, &out, ret);
}

static struct err *run_sha256(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);
    char hex[DIGEST_HEX_SIZE];

    text.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    digest_sha256_hex(buf_str(&text), hex);
    buf_add_text(&out, hex);
    return func_give(c, &out, ret);
}

static struct err *run_basename(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    AUTO(buf) struct buf out = BUF_INIT(TEXT_MAX);

    text.is_secret = out.is_secret = true;
    TRY(func_text_of(c, c->args[0], &text));
    size_t from = text.len;

    while (from > 0 && text.p[from - 1] != '/')
        from--;
    buf_add_str(&out, str_slice(buf_str(&text), from, text.len));
    return func_give(c, &out, ret);
}

/* --- plain values --- */

static struct err *run_split(const struct func_call *c, json_t **ret)
{
    TRY(need_texts(c));
    struct str rest = text_arg(c, 0);
    const struct str separator = text_arg(c, 1);

    if (separator.len == 0)
        return err_new(ERR_CONFIG, 0, "can't split at an empty text");
    json_t *list = jsonx_must(json_array());

    if (rest.len > 0) {
        for (ptrdiff_t at = str_find(rest, separator); at >= 0; at = str_find(rest, separator)) {
            json_array_append_new(list, json_stringn(rest.p, (size_t)at));
            rest = str_slice(rest, (size_t)at + separator.len, rest.len);
        }
        json_array_append_new(list, json_stringn(rest.p, rest.len));
    }
    *ret = list;
    return NULL;
}

static struct err *run_length(const struct func_call *c, json_t **ret)
{
    const json_t *x = c->args[0];
    size_t n = 0;

    if (json_is_string(x)) {
        for (size_t i = 0; i < json_string_length(x); i++)
            n += ((unsigned char)json_string_value(x)[i] & 0xc0) != 0x80;
    } else if (json_is_array(x)) {
        n = json_array_size(x);
    } else if (json_is_object(x)) {
        n = json_object_size(x);
    } else {
        return wants("a text, list or map", x);
    }
    *ret = json_integer((json_int_t)n);
    return NULL;
}

static struct err *run_contains(const struct func_call *c, json_t **ret)
{
    const json_t *x = c->args[0];
    bool is_in = false;

    if (json_is_array(x)) {
        for (size_t i = 0; i < json_array_size(x); i++)
            is_in = is_in || json_equal(json_array_get(x, i), c->args[1]) == 1;
        *ret = json_boolean(is_in);
        return NULL;
    }
    if (!json_is_string(c->args[1]))
        return wants("a text as second argument", c->args[1]);
    if (json_is_object(x))
        is_in = json_object_get(x, json_string_value(c->args[1])) != NULL;
    else if (json_is_string(x))
        is_in = str_find(text_arg(c, 0), text_arg(c, 1)) >= 0;
    else
        return wants("a text, list or map", x);
    *ret = json_boolean(is_in);
    return NULL;
}

static struct err *run_startswith(const struct func_call *c, json_t **ret)
{
    TRY(need_texts(c));
    *ret = json_boolean(str_starts(text_arg(c, 0), text_arg(c, 1)));
    return NULL;
}

static struct err *run_endswith(const struct func_call *c, json_t **ret)
{
    TRY(need_texts(c));
    *ret = json_boolean(str_ends(text_arg(c, 0), text_arg(c, 1)));
    return NULL;
}

static struct err *run_int(const struct func_call *c, json_t **ret)
{
    const json_t *x = c->args[0];
    int64_t whole = 0;

    if (json_is_string(x)) {
        TRY(num_parse_i64(text_arg(c, 0), INT64_MIN, INT64_MAX, &whole));
    } else if (json_is_integer(x)) {
        whole = json_integer_value(x);
    } else if (json_is_real(x) && json_real_value(x) > -9e15 && json_real_value(x) < 9e15) {
        whole = (int64_t)json_real_value(x);
    } else {
        return wants("a number", x);
    }
    *ret = json_integer((json_int_t)whole);
    return NULL;
}

static struct err *run_uuid5(const struct func_call *c, json_t **ret)
{
    char uuid[DIGEST_UUID_SIZE];

    TRY(need_texts(c));
    digest_uuid5(text_arg(c, 0), uuid);
    *ret = jsonx_must(json_string(uuid));
    return NULL;
}

/* --- lists and maps: what is inside passes through --- */

static struct err *run_keys(const struct func_call *c, json_t **ret)
{
    const char *key = NULL;
    json_t *member = NULL;

    if (!json_is_object(c->args[0]))
        return wants("a map", c->args[0]);
    *ret = jsonx_must(json_array());
    json_object_foreach (c->args[0], key, member) {
        json_array_append_new(*ret, json_string(key));
    }
    return NULL;
}

static struct err *run_values(const struct func_call *c, json_t **ret)
{
    const char *key = NULL;
    json_t *member = NULL;

    if (!json_is_object(c->args[0]))
        return wants("a map", c->args[0]);
    *ret = jsonx_must(json_array());
    json_object_foreach (c->args[0], key, member) {
        json_array_append(*ret, member);
    }
    return NULL;
}

static struct err *run_merge(const struct func_call *c, json_t **ret)
{
    json_auto_t *map = jsonx_must(json_object());

    for (size_t i = 0; i < c->count; i++) {
        if (json_is_null(c->args[i]))
            continue;
        if (!json_is_object(c->args[i]))
            return wants("maps", c->args[i]);
        json_object_update(map, c->args[i]);
    }
    *ret = TAKE(map);
    return NULL;
}

/* A map literal has written keys only; ids of identities are keys that nobody knows before. */
static struct err *run_map(const struct func_call *c, json_t **ret)
{
    if (!json_is_string(c->args[0]))
        return wants("a text as the key", c->args[0]);
    *ret = jsonx_must(json_pack("{s:O}", json_string_value(c->args[0]), c->args[1]));
    return NULL;
}

static struct err *pick(const struct func_call *c, bool is_last, json_t **ret)
{
    const size_t n = json_array_size(c->args[0]);

    if (!json_is_array(c->args[0]))
        return wants("a list", c->args[0]);
    if (n == 0)
        return err_new(ERR_CONFIG, 0, "the list is empty");
    *ret = json_incref(json_array_get(c->args[0], is_last ? n - 1 : 0));
    return NULL;
}

static struct err *run_first(const struct func_call *c, json_t **ret)
{
    return pick(c, false, ret);
}

static struct err *run_last(const struct func_call *c, json_t **ret)
{
    return pick(c, true, ret);
}

static struct err *run_one(const struct func_call *c, json_t **ret)
{
    if (json_is_array(c->args[0]) && json_array_size(c->args[0]) != 1)
        return err_new(
                ERR_CONFIG, 0, "the list has %zu elements, not one", json_array_size(c->args[0]));
    return pick(c, false, ret);
}

static struct err *run_flatten(const struct func_call *c, json_t **ret)
{
    json_auto_t *list = jsonx_must(json_array());

    if (!json_is_array(c->args[0]))
        return wants("a list", c->args[0]);
    for (size_t i = 0; i < json_array_size(c->args[0]); i++) {
        json_t *item = json_array_get(c->args[0], i);

        if (json_is_array(item))
            json_array_extend(list, item);
        else
            json_array_append(list, item);
    }
    *ret = TAKE(list);
    return NULL;
}

/* default() is done where its first argument may still be absent (eval.c). */
static struct err *run_default(const struct func_call *c, json_t **ret)
{
    *ret = json_incref(c->args[0]);
    return NULL;
}

#define T FUNC_TEXT
#define P FUNC_PLAIN
#define S FUNC_STRUCT
#define H FUNC_HOST

const struct func func_table[] = {
    { "upper", 1, 1, T, true, run_upper, "text with ASCII letters in upper case" },
    { "lower", 1, 1, T, true, run_lower, "text with ASCII letters in lower case" },
    { "trim", 1, 1, T, true, run_trim, "text without white space at both ends" },
    { "replace", 3, 3, T, true, run_replace, "text with every occurrence replaced" },
    { "join", 2, 2, T, true, run_join, "one text of a list's elements" },
    { "split", 2, 2, P, true, run_split, "list of texts between separators" },
    { "concat", 1, 0, FUNC_JOIN, true, run_concat, "lists to one list, others to one text" },
    { "length", 1, 1, S, true, run_length, "of a text, list or map" },
    { "contains", 2, 2, FUNC_LOOK, true, run_contains,
            "text in text, element in list, key in map" },
    { "startswith", 2, 2, P, true, run_startswith, "whether a text begins with another" },
    { "endswith", 2, 2, P, true, run_endswith, "whether a text ends with another" },
    { "keys", 1, 1, S, true, run_keys, "list of a map's keys" },
    { "values", 1, 1, S, true, run_values, "list of a map's values" },
    { "merge", 1, 0, S, true, run_merge, "one map; the later wins" },
    { "map", 2, 2, P, true, run_map, "a map with one computed key" },
    { "first", 1, 1, S, false, run_first, "first element" },
    { "last", 1, 1, S, false, run_last, "last element" },
    { "one", 1, 1, S, false, run_one, "the only element" },
    { "flatten", 1, 1, S, true, run_flatten, "lists in a list laid out" },
    { "default", 2, 2, S, false, run_default, "the first unless null, absent or empty" },
    { "string", 1, 1, T, true, run_string, "number, boolean or text as text" },
    { "int", 1, 1, P, true, run_int, "text or number as whole number" },
    { "json", 1, 1, T, true, func_json, "JSON text" },
    { "base64", 1, 1, T, true, run_base64, "RFC 4648 with padding" },
    { "base64decode", 1, 1, T, true, run_base64decode, "text from base64" },
    { "urlencode", 1, 1, T, true, run_urlencode, "percent-encoded text" },
    { "sha256", 1, 1, T, true, run_sha256, "64 hex digits" },
    { "digest", 1, 0, FUNC_LATE, true, func_digest, "salted, not secret, 16 hex digits" },
    { "secret", 1, 1, FUNC_LATE, true, func_secret, "marks a text as secret" },
    { "uuid5", 1, 1, P, true, run_uuid5, "UUID version 5 in the URL namespace" },
    { "cidrsubnet", 3, 3, P, true, func_cidrsubnet, "n-th subnet with more bits" },
    { "cidrhost", 2, 2, P, true, func_cidrhost, "n-th address of a network" },
    { "basename", 1, 1, T, true, run_basename, "what is behind the last slash" },
    { "url_host", 1, 1, P, true, func_url_host, "host name of a URL" },
    { "cidroverlaps", 2, 2, P, true, func_cidroverlaps, "whether two networks share addresses" },
    { "cidrwithin", 2, 2, P, true, func_cidrwithin, "whether a network lies in another" },
    { "cidrbits", 1, 1, P, true, func_cidrbits, "the number behind the slash" },
    { "pluck", 2, 3, S, true, func_pluck,
            "what stands at a path of each element, or the third argument" },
    { "where", 3, 3, S, true, func_where, "the elements with a value at a path" },
    { "unique", 1, 1, P, true, func_unique, "a list without repetitions" },
    { "matches", 2, 2, P, true, func_matches, "whether a pattern is found in a text" },
    { "closest", 2, 2, P, true, func_closest, "the text of a list that a mistyped one means" },
    { "rewrite", 3, 3, P, false, func_rewrite, "what a pattern's groups found, put together anew" },
    { "gibibytes", 1, 1, P, true, func_gibibytes, "the number of a quantity such as 512Mi" },
    { "sum", 1, 1, P, true, func_sum, "the sum of a list of numbers" },
    { "product", 1, 1, P, true, func_product, "the product of a list of numbers" },
    { "ratio", 2, 2, P, true, func_ratio, "the first number by the second" },
    { "url_parts", 1, 1, P, false, func_url_parts, "scheme, host, port ... of a URL, or null" },
    { "url_password", 1, 1, P, false, func_url_password, "the password of a URL in clear" },
    { "file", 1, 1, H, true, NULL, "text of a file in the service's folder" },
    { "image", 1, 1, H, true, NULL, "image with the stack's registry applied" },
    { "environment", 1, 1, H, true, NULL, "a container's variables for its template" },
    { "environment_secrets", 1, 0, H, true, NULL, "the secrets of containers' variables" },
};

const size_t func_count = ARRAY_LEN(func_table);

const struct func *func_find(const char *name)
{
    for (size_t i = 0; i < func_count; i++) {
        /* Most differ in the first letter: half of the time goes into the call otherwise. */
        if (func_table[i].name[0] == name[0] && strcmp(func_table[i].name, name) == 0)
            return &func_table[i];
    }
    return NULL;
}
