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

/*
 * What fails: a finding of at least the severity in the document's `fail_on` (without one:
 * "error"), a check that failed or that such a finding names. Every format and the exit status
 * follow these.
 */
bool findings_fails(const json_t *document, const json_t *finding);
bool findings_check_fails(const json_t *document, const json_t *check);
/* The first failing finding that names this check, or NULL. Borrowed. */
const json_t *findings_against(const json_t *document, const json_t *check);
bool findings_any_fails(const json_t *document);
/*
 * "2 findings at or above 'warn' fail" where it is a lower severity than "error" that lets the
 * document fail: then its counts alone don't say why. NULL otherwise. Owned.
 */
char *findings_why(const json_t *document);

#endif
