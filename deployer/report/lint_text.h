/*
 * lint_text.h - findings on files for people: what, where, why, and what to change.
 */
#ifndef REPORT_LINT_TEXT_H
#define REPORT_LINT_TEXT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"

/* An empty line before each. */
void report_lint_text(const json_t *findings, bool has_color, struct buf *out);

#endif
