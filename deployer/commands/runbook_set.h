/*
 * runbook_set.h - the runbooks that a command works with: the embedded ones and those of --catalog.
 */
#ifndef COMMANDS_RUNBOOK_SET_H
#define COMMANDS_RUNBOOK_SET_H

#include "commands/context.h"
#include "engine/engine.h"
#include "runbook/runbook.h"

/* ERR_CONFIG when a file has errors (printed with their places). `ret` lives in the context's
 * arena. */
MUST_CHECK struct err *runbook_set_load(struct context *c, struct runbooks *ret);
/* Only those of the embedded ones whose front matter has a `lint`; all of --catalog. */
MUST_CHECK struct err *runbook_set_load_lints(struct context *c, struct runbooks *ret);

/*
 * Gives each failed resource without a hint that of the runbooks that know its error. What goes
 * wrong with the runbooks themselves is no reason to hide what failed.
 */
void runbook_set_hint(struct context *c, struct engine *e);

#endif
