/*
 * hooks.h - what a few types do that no data describes: addresses from subnets, private endpoints
 * and the records that zone groups write, names of revisions. A kind asks for one by `hooks`.
 */
#ifndef SANDBOX_HOOKS_H
#define SANDBOX_HOOKS_H

#include "sandbox/sandbox.h"

/* Before a document is accepted; `body` as sent. */
MUST_CHECK struct err *hooks_check(
        const struct call *c, const json_t *body, const json_t *doc, const struct resource *old);
/* After the document is in place. */
void hooks_made(struct sandbox *s, struct resource *r, bool is_new);
/* Before it goes. */
void hooks_removed(struct sandbox *s, struct resource *r);

#endif
