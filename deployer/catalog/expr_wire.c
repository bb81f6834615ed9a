/*
 * A resolved document as the bytes of a request: the one place where secrets get into JSON.
 */
#include "catalog/expr.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/eval.h"

static void add_string(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_addf(out, "\\u%04x", c);
        } else {
            buf_add_char(out, (char)c);
        }
    }
    buf_add_char(out, '"');
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct err *write_object(
        const json_t *object, const struct secret_table *secrets, struct buf *out)
{
    const size_t count = json_object_size(object);
    AUTO(free) const char **keys = xcalloc(count + 1, sizeof(*keys));
    const char *key = NULL;
    json_t *member = NULL;
    size_t n = 0;

    json_object_foreach ((json_t *)(uintptr_t)object, key, member) {
        keys[n++] = key;
    }
    qsort(keys, count, sizeof(*keys), by_key);
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        add_string(out, str_of(keys[i]));
        buf_add_char(out, ':');
        TRY(expr_write_wire(json_object_get(object, keys[i]), secrets, out));
    }
    buf_add_char(out, '}');
    return NULL;
}

static struct err *write_array(
        const json_t *array, const struct secret_table *secrets, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_add_char(out, ',');
        TRY(expr_write_wire(json_array_get(array, i), secrets, out));
    }
    buf_add_char(out, ']');
    return NULL;
}

static struct err *write_mark(
        const json_t *mark, const struct secret_table *secrets, struct buf *out)
{
    const struct secret_entry *secret = secret_table_entry(secrets, mark);
    const char *unknown = eval_unknown_in(mark);

    if (secret != NULL) {
        add_string(out, secret_reveal(secret->value));
        return NULL;
    }
    if (unknown != NULL)
        return err_new(ERR_INTERNAL, 0, "%s is not known yet, but is to be sent", unknown);
    return err_new(ERR_INTERNAL, 0, "an unresolved value is to be sent");
}

struct err *expr_write_wire(
        const json_t *resolved, const struct secret_table *secrets, struct buf *out)
{
    if (eval_mark(resolved) != EVAL_PLAIN)
        return write_mark(resolved, secrets, out);
    if (json_is_object(resolved))
        return write_object(resolved, secrets, out);
    if (json_is_array(resolved))
        return write_array(resolved, secrets, out);
    if (json_is_string(resolved)) {
        add_string(out, (struct str){ .p = json_string_value(resolved),
                                .len = json_string_length(resolved) });
    } else {
        jsonx_print(out, resolved, 0);
    }
    return buf_check(out, "a request");
}

json_t *expr_stored(const json_t *resolved, const struct secret_table *secrets, struct str salt)
{
    const struct secret_entry *secret = secret_table_entry(secrets, resolved);
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (secret != NULL)
        return jsonx_must(json_pack("{s:{s:O, s:s}}", "$secret", "refs", secret->refs, "digest",
                secret_digest(secret->value, salt)));
    if (!json_is_object(resolved) && !json_is_array(resolved))
        return resolved == NULL ? NULL : jsonx_copy(resolved);
    json_t *copy = jsonx_must(json_is_object(resolved) ? json_object() : json_array());

    json_object_foreach ((json_t *)(uintptr_t)resolved, key, member) {
        json_object_set_new(copy, key, expr_stored(member, secrets, salt));
    }
    json_array_foreach ((json_t *)(uintptr_t)resolved, i, member) {
        json_array_append_new(copy, expr_stored(member, secrets, salt));
    }
    return copy;
}
