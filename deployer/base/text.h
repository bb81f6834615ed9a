/*
 * text.h - text from outside made safe to show, and suggestions for mistyped words.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/str.h"

/* Whether `s` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(struct str s);
/* Adds `s` with control characters, DEL and malformed UTF-8 as \n, \t or \xNN. */
void text_add_escaped(struct buf *out, struct str s);
/* A JSON string of `s`; malformed UTF-8 is escaped as above. */
MUST_CHECK json_t *text_json(struct str s);
/*
 * The word of `words` that `wrong` most probably means, or NULL: at most a third of its letters
 * differ (Damerau-Levenshtein), or only case and punctuation do.
 */
const char *text_suggest(struct str wrong, const char *const *words, size_t count);
/* "a" or "an", as the noun's first letter wants it. */
const char *text_article(const char *noun);
/* Without regard to ASCII case and blanks: "West Europe" is westeurope. */
bool text_eq_loose(const char *a, const char *b);
/* "a, b, c"; at most `max` words, then "... (N more)". */
void text_add_list(struct buf *out, const char *const *words, size_t count, size_t max);
/* The columns `s` takes on a terminal, counting a code point as one. */
size_t text_columns(struct str s);

#endif
