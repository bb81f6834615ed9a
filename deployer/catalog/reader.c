#include "catalog/reader.h"

#include <regex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/text.h"

#define CATALOG_FORMAT 1

void reader_error(
        const struct reader *r, const struct doc_node *at, const char *path, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);

    va_end(ap);
    diag_add(r->diags, DIAG_ERROR, "catalog.format", at->place, path, "%s", text);
    free(text);
}

bool reader_is_map(const struct reader *r, const struct doc_node *node, const char *path)
{
    if (doc_is_null(node))
        return false;
    if (node->kind != DOC_MAP)
        reader_error(r, node, path, "must be a map");
    return node->kind == DOC_MAP;
}

bool reader_is_list(const struct reader *r, const struct doc_node *node, const char *path)
{
    if (doc_is_null(node))
        return false;
    if (node->kind != DOC_LIST)
        reader_error(r, node, path, "must be a list");
    return node->kind == DOC_LIST;
}

void reader_check_keys(const struct reader *r, const struct doc_node *map, const char *path,
        const char *const *known)
{
    size_t count = 0;

    while (known[count] != NULL)
        count++;
    for (size_t i = 0; i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        bool is_known = strncmp(e->key, "x-", 2) == 0;

        for (size_t k = 0; k < count; k++)
            is_known = is_known || strcmp(known[k], e->key) == 0;
        if (is_known)
            continue;
        const char *meant = text_suggest(str_of(e->key), known, count);

        diag_add(r->diags, DIAG_ERROR, "catalog.unknown-key", e->key_place, path,
                "there is no key '%s'%s%s%s", e->key, meant == NULL ? "" : " (did you mean ",
                meant == NULL ? "" : meant, meant == NULL ? "" : "?)");
    }
}

const char *reader_text(
        const struct reader *r, const struct doc_node *map, const char *key, const char *path)
{
    const struct doc_node *n = doc_get(map, key);

    if (n == NULL || (n->is_plain && doc_is_null(n)))
        return NULL;
    if (n->kind != DOC_SCALAR) {
        reader_error(r, n, path, "'%s' must be a text", key);
        return NULL;
    }
    return n->text;
}

const char *reader_required(
        const struct reader *r, const struct doc_node *map, const char *key, const char *path)
{
    const char *text = reader_text(r, map, key, path);

    if (text == NULL && doc_get(map, key) == NULL)
        reader_error(r, map, path, "'%s' is missing", key);
    return text == NULL ? "" : text;
}

bool reader_bool(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, bool otherwise)
{
    const char *text = reader_text(r, map, key, path);

    if (text == NULL)
        return otherwise;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return text[0] == 't';
    reader_error(r, doc_get(map, key), path, "'%s' must be true or false", key);
    return otherwise;
}

bool reader_number(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, double *ret)
{
    const char *text = reader_text(r, map, key, path);

    if (text == NULL)
        return false;
    struct err *e = num_parse_double(str_of(text), -1e15, 1e15, ret);

    if (e != NULL)
        reader_error(r, doc_get(map, key), path, "'%s' must be a number", key);
    err_free(e);
    return e == NULL;
}

static void release_json(void *value)
{
    json_decref(value);
}

json_t *reader_keep(struct arena *arena, json_t *value)
{
    if (value != NULL)
        arena_hook(arena, release_json, value);
    return value;
}

const json_t *reader_json(
        const struct reader *r, const struct doc_node *map, const char *key, const char *path)
{
    const struct doc_node *n = doc_get(map, key);

    return n == NULL ? NULL : reader_keep(r->arena, doc_json(n, path, r->diags));
}

size_t reader_choice(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, const char *const *words, size_t count, size_t otherwise)
{
    const char *text = reader_text(r, map, key, path);
    AUTO(buf) struct buf list = BUF_INIT(4096);

    if (text == NULL)
        return otherwise;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], text) == 0)
            return i;
    }
    const char *meant = text_suggest(str_of(text), words, count);

    text_add_list(&list, words, count, 20);
    reader_error(r, doc_get(map, key), path, "'%s' is not one of %s%s%s%s", text, buf_text(&list),
            meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?)");
    return otherwise;
}

void reader_check_pattern(
        const struct reader *r, struct place place, const char *path, const char *pattern)
{
    regex_t compiled;

    if (pattern == NULL)
        return;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        diag_add(r->diags, DIAG_ERROR, "catalog.pattern", place, path,
                "'%s' is not a POSIX extended regular expression", pattern);
    else
        regfree(&compiled);
    if (strstr(pattern, "\\d") != NULL || strstr(pattern, "(?") != NULL)
        diag_add(r->diags, DIAG_ERROR, "catalog.pattern", place, path,
                "'%s' uses what POSIX expressions don't have (\\d, (?...)): write [0-9]", pattern);
}

void reader_check_format(const struct reader *r, const struct doc_node *root)
{
    const char *text = reader_required(r, root, "format", "");

    if (text[0] != '\0' && strcmp(text, "1") != 0)
        reader_error(r, doc_get(root, "format"), "format",
                "'%s' is not a format that this program reads (it reads %d)", text, CATALOG_FORMAT);
}
