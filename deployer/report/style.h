/*
 * style.h - the few ways in which terminal output stands out, and none where it must not. A style
 * of has_color false adds no bytes but the text's, so that the same code writes to files.
 */
#ifndef REPORT_STYLE_H
#define REPORT_STYLE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_BAD, STYLE_WARN, STYLE_CHANGE };

/* Adds `text` in that style; control characters in it are shown escaped. */
void style_add(struct buf *out, bool has_color, enum style style, const char *text);
void style_addf(struct buf *out, bool has_color, enum style style, const char *fmt, ...)
        PRINTF_LIKE(4, 5);
/* Spaces up to `column`, at least one; `used` columns are taken already. */
void style_pad(struct buf *out, size_t used, size_t column);
/*
 * Adds words with ", " between them, broken into lines of at most `width` columns that begin at
 * `indent`; the cursor stands at `indent` already.
 */
void style_wrap(
        struct buf *out, const char *const *words, size_t count, size_t indent, size_t width);
/*
 * Adds a text broken at its spaces into lines of at most `width` columns that begin at `indent`,
 * where the cursor stands already. A word that is longer stays whole: it may be a command or a URL.
 */
void style_flow(struct buf *out, struct str text, size_t indent, size_t width);
/*
 * A value of a document for people: texts in quotes, (secret) and (known after apply) for what they
 * are, long ones cut to `max` columns.
 */
void style_value(struct buf *out, const json_t *value, size_t max);
/* Columns of the terminal behind `fd`; 100 where there is none. */
size_t style_width(int fd);

#endif
