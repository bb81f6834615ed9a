#include "base/jsonx.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"

static int depth_of(struct str text)
{
    int depth = 0;
    int deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.p[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
    }
    return deepest;
}

struct err *jsonx_load(struct str text, const char *what, json_t **ret)
{
    json_error_t je;

    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_slice(text, 3, text.len);
    if (depth_of(text) > JSONX_DEPTH_MAX)
        return err_new(ERR_LIMIT, 0, "%s: nested deeper than %d", what, JSONX_DEPTH_MAX);
    json_t *j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

    if (j == NULL)
        return err_new(ERR_PROTO, 0, "%s:%d:%d: not JSON: %s", what, je.line, je.column, je.text);
    *ret = j;
    return NULL;
}

struct err *jsonx_load_file(const char *path, size_t max_bytes, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(max_bytes);

    TRY(file_read(path, max_bytes, &text));
    return jsonx_load(buf_str(&text), path, ret);
}

static int add_piece(const char *piece, size_t len, void *out)
{
    buf_add(out, piece, len);
    return 0;
}

void jsonx_print(struct buf *out, const json_t *j, size_t flags)
{
    if (json_dump_callback(j, add_piece, out, flags | JSON_ENCODE_ANY) != 0)
        die_oom();
}

char *jsonx_dump(const json_t *j)
{
    struct buf text = BUF_INIT(SIZE_MAX);

    jsonx_print(&text, j, JSON_COMPACT | JSON_SORT_KEYS);
    return buf_take(&text);
}

char *jsonx_pretty(const json_t *j)
{
    struct buf text = BUF_INIT(SIZE_MAX);

    jsonx_print(&text, j, JSON_INDENT(2) | JSON_SORT_KEYS);
    buf_add_char(&text, '\n');
    return buf_take(&text);
}

const char *jsonx_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t jsonx_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *j = json_object_get(object, key);

    return json_is_integer(j) ? (int64_t)json_integer_value(j) : otherwise;
}

bool jsonx_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *j = json_object_get(object, key);

    return json_is_boolean(j) ? json_is_true(j) : otherwise;
}

json_t *jsonx_get_ci(const json_t *object, const char *key)
{
    json_t *exact = json_object_get(object, key);
    const char *k = NULL;
    json_t *v = NULL;

    if (exact != NULL)
        return exact;
    json_object_foreach ((json_t *)(uintptr_t)object, k, v) {
        if (strcasecmp(k, key) == 0)
            return v;
    }
    return NULL;
}

/* Cuts the next step off `*path`: a key, or an index when *ret_index >= 0. False at a malformed
 * path. */
static bool next_step(struct str *path, struct str *ret_key, int64_t *ret_index)
{
    *ret_index = -1;
    if (path->p[0] == '[') {
        const ptrdiff_t end = str_find(*path, STR("]"));

        if (end < 0)
            return false;
        struct str inner = str_slice(*path, 1, (size_t)end);

        *path = str_slice(*path, (size_t)end + 1, path->len);
        if (inner.len >= 2 && inner.p[0] == '"') {
            *ret_key = str_slice(inner, 1, inner.len - 1);
        } else {
            *ret_index = 0;
            for (size_t i = 0; i < inner.len; i++) {
                if (inner.p[i] < '0' || inner.p[i] > '9' || *ret_index > INT32_MAX)
                    return false;
                *ret_index = *ret_index * 10 + (inner.p[i] - '0');
            }
        }
    } else {
        size_t n = 0;

        while (n < path->len && path->p[n] != '.' && path->p[n] != '[')
            n++;
        *ret_key = str_slice(*path, 0, n);
        *path = str_slice(*path, n, path->len);
    }
    if (path->len > 0 && path->p[0] == '.')
        *path = str_slice(*path, 1, path->len);
    return true;
}

static json_t *walk(const json_t *j, const char *path, bool is_ci)
{
    struct str rest = str_of(path);
    json_t *at = (json_t *)(uintptr_t)j;

    while (at != NULL && rest.len > 0) {
        struct str key = { 0 };
        int64_t index = -1;

        if (!next_step(&rest, &key, &index))
            return NULL;
        if (index >= 0) {
            at = json_array_get(at, (size_t)index);
        } else {
            AUTO(free) char *name = str_dup(key);

            at = is_ci ? jsonx_get_ci(at, name) : json_object_get(at, name);
        }
    }
    return at;
}

json_t *jsonx_at(const json_t *j, const char *path)
{
    return walk(j, path, false);
}

json_t *jsonx_at_ci(const json_t *j, const char *path)
{
    return walk(j, path, true);
}

void jsonx_set_at(json_t *object, const char *path, json_t *value)
{
    struct str rest = str_of(path);

    for (;;) {
        const struct str key = str_cut(&rest, '.');
        AUTO(free) char *name = str_dup(key);

        if (rest.p == NULL) {
            if (json_object_set_new(object, name, value) != 0)
                die_oom();
            return;
        }
        json_t *next = json_object_get(object, name);

        if (!json_is_object(next)) {
            next = jsonx_must(json_object());
            if (json_object_set_new(object, name, next) != 0)
                die_oom();
        }
        object = next;
    }
}

void jsonx_merge_patch(json_t *target, const json_t *patch)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
        json_t *old = json_object_get(target, key);

        if (json_is_null(value)) {
            json_object_del(target, key);
        } else if (!json_is_object(value)) {
            json_object_set_new(target, key, jsonx_copy(value));
        } else {
            if (!json_is_object(old)) {
                old = jsonx_must(json_object());
                json_object_set_new(target, key, old);
            }
            jsonx_merge_patch(old, value);
        }
    }
}

json_t *jsonx_copy(const json_t *j)
{
    return jsonx_must(json_deep_copy(j));
}

json_t *jsonx_must(json_t *j)
{
    if (j == NULL)
        die_oom();
    return j;
}

json_t *jsonx_textf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);

    va_end(ap);
    json_t *j = text_json(str_of(text));

    free(text);
    return j;
}

const char *jsonx_type_name(const json_t *j)
{
    if (j == NULL)
        return "nothing";
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    case JSON_NULL:
    default:
        return "null";
    }
}
