/*
 * verify_text.h - the result of verify and probe for people: a line a check, then what is wrong
 * with cause and way out. Short when all is well.
 */
#ifndef REPORT_VERIFY_TEXT_H
#define REPORT_VERIFY_TEXT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"

/* `document` as docs/json.md describes it ("verify"). */
void report_verify_text(const json_t *document, bool has_color, struct buf *out);

#endif
