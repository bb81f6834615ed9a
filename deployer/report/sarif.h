/*
 * sarif.h - findings as SARIF 2.1.0, for code scanning: each on its line of the stack file where it
 * has one. Spec: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
 */
#ifndef REPORT_SARIF_H
#define REPORT_SARIF_H

#include <jansson.h>

#include "base/compiler.h"

/*
 * `document` has "findings": [{"runbook", "title", "severity", "cause", "fix", and "file", "line",
 * "column" or none}]. Findings without a place stand on line 1 of `stack_file` (NULL: without
 * a location). Failed checks that no finding explains become results of the rule "check-failed".
 * Owned.
 */
MUST_CHECK json_t *report_sarif(const json_t *document, const char *stack_file);

#endif
