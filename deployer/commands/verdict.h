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
 * The severity from which on a finding fails, into the document: before it is written, so that
 * every format and the status say the same. NULL: "error".
 */
void verdict_set_fail_on(json_t *document, const char *fail_on);
/* ERR_FAILED (said already) when something in it fails (report/findings.h). */
MUST_CHECK struct err *verdict_status(const json_t *document);

/* --fail-on SEVERITY as a context_option. */
extern const char *const verdict_severities[];
#define VERDICT_FAIL_ON(text)                                                                      \
    {                                                                                              \
        .name = "fail-on", .value = (text), .words = verdict_severities                            \
    }
#define VERDICT_FORMATS "text json junit sarif markdown github html"

#endif
