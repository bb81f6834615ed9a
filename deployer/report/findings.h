/*
 * findings.h - what the report formats share about the members of a finding: those of verify (a
 * runbook's) and those of validate (a code, a place and a text).
 */
#ifndef REPORT_FINDINGS_H
#define REPORT_FINDINGS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/compiler.h"

/* "RED-003" or the code of a message. Borrowed, never NULL. */
const char *findings_id(const json_t *finding);
const char *findings_title(const json_t *finding);
/* What is wrong and what to do, in one text. Owned. */
MUST_CHECK char *findings_sentence(const json_t *finding);
/* Whether one of the document's findings names this check. */
bool findings_explain(const json_t *document, const json_t *check);

#endif
