/*
 * preflight.h - what is found wrong with a stack before anything is touched, for the commands that
 * check (validate) and those that change (plan, apply).
 */
#ifndef COMMANDS_PREFLIGHT_H
#define COMMANDS_PREFLIGHT_H

#include <jansson.h>

#include "commands/context.h"

/* The findings on the context's model (lint/lint.h). Owned. ERR_CONFIG for a rule that is none. */
MUST_CHECK struct err *preflight_findings(struct context *c, json_t **ret);
/*
 * {"kind", "stack", "checks": one a service, "summary", "findings"} for the report formats. Owned.
 */
MUST_CHECK json_t *preflight_document(
        const struct context *c, const char *kind, const json_t *findings);
/* Prints them to stderr; ERR_FAILED when one is at or above `fail_on` ("error" unless given). */
MUST_CHECK struct err *preflight_check(struct context *c, const char *fail_on);

#endif
