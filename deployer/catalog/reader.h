/*
 * reader.h - takes a catalog file's YAML apart and says all that is wrong with it, with places.
 */
#ifndef CATALOG_READER_H
#define CATALOG_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/doc.h"

struct reader {
    struct arena *arena;
    struct diag_list *diags;
};

void reader_error(const struct reader *r, const struct doc_node *at, const char *path,
        const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Whether `node` is a map; complains if it is something else. NULL and null are no maps silently.
 */
bool reader_is_map(const struct reader *r, const struct doc_node *node, const char *path);
bool reader_is_list(const struct reader *r, const struct doc_node *node, const char *path);
/* Complains about keys of a map that are not in `known` (ends with NULL); x-... are let pass. */
void reader_check_keys(const struct reader *r, const struct doc_node *map, const char *path,
        const char *const *known);
/* The text at a key; NULL if absent. Complains about lists and maps. */
const char *reader_text(
        const struct reader *r, const struct doc_node *map, const char *key, const char *path);
/* The same, and complains when it is absent; then "". */
const char *reader_required(
        const struct reader *r, const struct doc_node *map, const char *key, const char *path);
bool reader_bool(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, bool otherwise);
/* Sets *ret and returns true when there is a number. */
bool reader_number(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, double *ret);
/* The value at a key as JSON that lives in the arena; NULL if absent (null is JSON null). */
const json_t *reader_json(
        const struct reader *r, const struct doc_node *map, const char *key, const char *path);
/* Hangs a JSON value (taken) on the arena and returns it. */
json_t *reader_keep(struct arena *arena, json_t *value);
/* The position of the text at `key` in `words`; `otherwise` if absent; complains if it is none. */
size_t reader_choice(const struct reader *r, const struct doc_node *map, const char *key,
        const char *path, const char *const *words, size_t count, size_t otherwise);
/* Complains about a pattern that regcomp(3) refuses. */
void reader_check_pattern(
        const struct reader *r, struct place place, const char *path, const char *pattern);
/* Complains unless `format` is 1. */
void reader_check_format(const struct reader *r, const struct doc_node *root);

#endif
