/*
 * guard.h - what stands between a plan and its being carried out: consent for what is replaced,
 * lost or taken over, values that must not change, plans that no longer fit.
 */
#ifndef COMMANDS_GUARD_H
#define COMMANDS_GUARD_H

#include "base/buf.h"
#include "base/err.h"
#include "commands/session.h"

/* What the user allowed; an entry names an address, an address without its key, or a service. */
struct guard_consent {
    struct context_list replace;   /* --allow-replace */
    struct context_list data_loss; /* --allow-data-loss */
    struct context_list adopt;     /* --allow-adopt */
};

/* ERR_PROTECT that names all that is not allowed, and the options that would. */
MUST_CHECK struct err *guard_check(const struct session *s, const struct guard_consent *consent);
/* ERR_PROTECT for a changed value that can't be changed without loss (`rotatable: false`). */
MUST_CHECK struct err *guard_check_fixed(struct session *s, const struct guard_consent *consent);
/* Records the digests of such values, so that the next run can tell. Not committed yet. */
MUST_CHECK struct err *guard_record_fixed(struct session *s);
/* Adds to `findings` (precheck.h) each step of a service's version that it does not allow. */
MUST_CHECK struct err *guard_judge_versions(struct session *s, json_t *findings);
/* Operations under way, foreign resources: lines below a plan. */
void guard_add_warnings(const struct session *s, struct buf *out);
/* What a saved plan is bound to. Borrows `digest`. */
struct plan_basis guard_basis(const struct session *s, const char *digest);
/* Before anything is resolved: the salt of a plan that was made without a state. */
MUST_CHECK struct err *guard_adopt_saved(struct session *s, const json_t *saved);

#endif
