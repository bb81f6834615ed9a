#include "catalog/expr_node.h"

#include <math.h>

#include "base/alloc.h"
#include "base/jsonx.h"

static void print_text(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, (char)c);
        } else if (c == '\n') {
            buf_add_text(out, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buf_addf(out, "\\u%04x", c);
        } else {
            buf_add_char(out, (char)c);
        }
    }
    buf_add_char(out, '"');
}

static void print_object(struct buf *out, const json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    bool is_first = true;

    buf_add_char(out, '{');
    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        if (!is_first)
            buf_add_text(out, ", ");
        is_first = false;
        print_text(out, str_of(key));
        buf_add_text(out, ": ");
        expr_print_value(out, member);
    }
    buf_add_char(out, '}');
}

static void print_real(struct buf *out, double real)
{
    const size_t from = out->len;

    buf_addf(out, "%.17f", real);
    while (out->len > from + 3 && out->p[out->len - 1] == '0' && out->p[out->len - 2] != '.')
        buf_truncate(out, out->len - 1);
}

void expr_print_value(struct buf *out, const json_t *value)
{
    const char *left = json_object_size(value) == 1 ? jsonx_text(value, "$expr") : NULL;

    if (left != NULL) {
        buf_add_text(out, left);
    } else if (json_is_object(value)) {
        print_object(out, value);
    } else if (json_is_array(value)) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i > 0)
                buf_add_text(out, ", ");
            expr_print_value(out, json_array_get(value, i));
        }
        buf_add_char(out, ']');
    } else if (json_is_string(value)) {
        print_text(out,
                (struct str){ .p = json_string_value(value), .len = json_string_length(value) });
    } else if (json_is_integer(value)) {
        buf_addf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        print_real(out, json_real_value(value));
    } else {
        buf_add_text(out, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
    }
}

void expr_print_accessor(struct buf *out, const json_t *key)
{
    const struct str name = { .p = json_string_value(key), .len = json_string_length(key) };

    if (json_is_string(key) && expr_is_name(name)) {
        buf_add_char(out, '.');
        buf_add_str(out, name);
        return;
    }
    buf_add_char(out, '[');
    expr_print_value(out, key);
    buf_add_char(out, ']');
}
