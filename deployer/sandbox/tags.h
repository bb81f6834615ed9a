/*
 * tags.h - tags by themselves: SCOPE/providers/Microsoft.Resources/tags/default, and the names of a
 * subscription's tags.
 * https://learn.microsoft.com/rest/api/resources/tags
 */
#ifndef SANDBOX_TAGS_H
#define SANDBOX_TAGS_H

#include <stdbool.h>

#include "base/err.h"
#include "sandbox/sandbox.h"

/* Answers requests for the tags of a scope; *ret_is_handled false: it is none. */
MUST_CHECK struct err *tags_handle(struct call *c, bool *ret_is_handled);
/* GET /subscriptions/S/tagNames. */
MUST_CHECK struct err *tags_names(struct call *c);

#endif
