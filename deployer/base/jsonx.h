/*
 * jsonx.h - what we need beyond jansson: loading with limits, paths, merge patch, comparison.
 * (jansson's own names begin with json_.) All parameters are borrowed, results marked owned are
 * the caller's.
 */
#ifndef BASE_JSONX_H
#define BASE_JSONX_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Deepest nesting of JSON from outside (jansson's own limit is 2048). */
#define JSONX_DEPTH_MAX 128

/* Owned. Refuses duplicate keys and what stands behind the document; skips a UTF-8 BOM. `what`
 * names the text. */
MUST_CHECK struct err *jsonx_load(struct str text, const char *what, json_t **ret);
/* As jsonx_load from a file of at most max_bytes. */
MUST_CHECK struct err *jsonx_load_file(const char *path, size_t max_bytes, json_t **ret);
/* Adds it as jansson's `flags` ask for; json_dumps() gives memory that only jansson can free. */
void jsonx_print(struct buf *out, const json_t *j, size_t flags);
/* Sorted keys, compact. Owned text. */
MUST_CHECK char *jsonx_dump(const json_t *j);
/* Sorted keys, two spaces, a line end behind it. Owned text. */
MUST_CHECK char *jsonx_pretty(const json_t *j);
/* The text at a key, or NULL if it is absent or no string. Borrowed. */
const char *jsonx_text(const json_t *object, const char *key);
/* The number, boolean at a key, or `otherwise`. */
int64_t jsonx_int(const json_t *object, const char *key, int64_t otherwise);
bool jsonx_bool(const json_t *object, const char *key, bool otherwise);
/*
 * The value at a path such as "properties.template.containers[0].image" or NULL. Keys are matched
 * exactly; `["a.b"]` takes a key with dots. Borrowed.
 */
json_t *jsonx_at(const json_t *j, const char *path);
/* As jsonx_at, keys without regard to the case of ASCII letters. */
json_t *jsonx_at_ci(const json_t *j, const char *path);
/* The value at a key without regard to case, or NULL. Borrowed. */
json_t *jsonx_get_ci(const json_t *object, const char *key);
/* Sets the value (taken) at a dotted path of keys, making the objects on the way. */
void jsonx_set_at(json_t *object, const char *path, json_t *value);
/* RFC 7396: applies `patch` to `target` in place; null removes. `target` must be an object. */
void jsonx_merge_patch(json_t *target, const json_t *patch);
/* Owned. Deep copy; aborts without memory. */
MUST_CHECK json_t *jsonx_copy(const json_t *j);
/* Aborts when jansson could not allocate; returns its argument. */
json_t *jsonx_must(json_t *j);
/* Owned string from a format. */
MUST_CHECK json_t *jsonx_textf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* "string", "object", "true" ... for messages. */
const char *jsonx_type_name(const json_t *j);

#endif
