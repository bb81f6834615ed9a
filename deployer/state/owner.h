/*
 * owner.h - whose a state is: stack, environment and cloud, as recorded in it.
 */
#ifndef STATE_OWNER_H
#define STATE_OWNER_H

#include <jansson.h>

#include "base/err.h"
#include "state/state.h"

/* The member "owner" of a state's document. Owned. */
json_t *state_owner_json(const struct state_owner *o);
/* ERR_CONFIG when the document is another owner's; `name` is what messages call the state. */
MUST_CHECK struct err *state_owner_check(
        const struct state_owner *o, const json_t *document, const char *name);

#endif
