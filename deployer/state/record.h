/*
 * record.h - the bytes of a state: the snapshot (one JSON document with a checksum in it) and the
 * journal (one JSON line a commit, each with its serial, the state's lineage and a checksum). Pure.
 *
 * A journal line: {"lineage":UUID,"ops":[["entry",KEY,VALUE|null],["intent",KEY,VALUE|null],
 * ["set",NAME,VALUE|null],...],"serial":N,"sum":SHA256}. The sum is that of the line's compact JSON
 * without "sum". A line that no valid one follows may be torn: it was never promised to anybody and
 * is left out. A damaged line before a valid one is an error.
 */
#ifndef STATE_RECORD_H
#define STATE_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

#define STATE_FORMAT 1
/* Bytes of a snapshot, and of a journal: ours; 10,000 resources take about 20 MB. */
#define STATE_BYTES_MAX (256u << 20)

/* Owned text of one journal line, line end included. */
MUST_CHECK char *record_line(const char *lineage, int64_t serial, const json_t *ops);
/* Owned text of a snapshot: `document` with its checksum. */
MUST_CHECK char *record_snapshot(const json_t *document);
/*
 * Reads a snapshot. `what` names it in errors. Owned; without the member "checksum".
 * Errors: ERR_CONFIG not JSON, not a state, a newer format, a checksum that does not match.
 */
MUST_CHECK struct err *record_read_snapshot(struct str text, const char *what, json_t **ret);
/*
 * Applies the journal's lines that are newer than `document` to it. *ret_good is the length of the
 * part that is whole; what stands behind it is torn and must be cut before anything is appended.
 * Errors: ERR_CONFIG a damaged line, a gap in the serials, another state's lineage.
 */
MUST_CHECK struct err *record_replay(
        json_t *document, struct str journal, const char *what, size_t *ret_good);
/* Applies one operation to the document. False if it is none. Borrows. */
bool record_apply(json_t *document, const json_t *op);

#endif
