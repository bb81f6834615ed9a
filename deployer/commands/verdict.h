/*
 * verdict.h - the result document of verify and probe (docs/json.md): checks with evidence and
 * findings, a summary; written in every format that was asked for.
 */
#ifndef COMMANDS_VERDICT_H
#define COMMANDS_VERDICT_H

#include "commands/context.h"
#include "runbook/runbook.h"

/*
 * Takes the checks ([{name, service, status, evidence, ...}]), adds the findings of each, merges
 * them and counts. Owned.
 */
MUST_CHECK json_t *verdict_document(
        const struct runbooks *set, const char *kind, json_t *checks, int64_t duration_ms);
/* Writes it to each -o. */
MUST_CHECK struct err *verdict_write(struct context *c, const json_t *document);
/* To those that are the same for every command: junit, sarif, markdown, github, html. */
MUST_CHECK struct err *verdict_write_reports(struct context *c, const json_t *document);
/*
 * ERR_FAILED (said already) when a check failed or a finding is at or above `fail_on`: "error"
 * (default, NULL), "warn" or "note". ERR_USAGE for another word.
 */
MUST_CHECK struct err *verdict_status(const json_t *document, const char *fail_on);

#define VERDICT_FORMATS "text json junit sarif markdown github html"

#endif
