/*
 * result_text.h - what came of an apply or destroy: done, failed and why, skipped because of it,
 * left for the next run; and outputs and notes. For people, and as JSON (docs/json.md).
 */
#ifndef REPORT_RESULT_TEXT_H
#define REPORT_RESULT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "engine/engine.h"

void result_text_write(const struct engine *e, int64_t elapsed_ms, bool has_color, struct buf *out);
/* [{"address", "action", "status", "seconds", "error", "because", "note"}] of what had to be done.
 * Owned. */
MUST_CHECK json_t *result_json(const struct engine *e);
/* "langfuse.url  https://..." per output; secrets as (secret). */
void result_text_outputs(const json_t *outputs, bool has_color, struct buf *out);
/* A bullet a note. */
void result_text_notes(const json_t *notes, size_t width, bool has_color, struct buf *out);

#endif
