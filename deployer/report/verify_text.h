/*
 * verify_text.h - the result of verify and probe for people: what passed in a line a service, what
 * did not in a line a check, then what is wrong with cause and way out.
 */
#ifndef REPORT_VERIFY_TEXT_H
#define REPORT_VERIFY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

/* `document` as docs/json.md describes it ("verify"); `width` in columns. */
void report_verify_text(const json_t *document, bool has_color, size_t width, struct buf *out);

#endif
