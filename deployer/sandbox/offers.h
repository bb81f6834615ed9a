/*
 * offers.h - what services say they have: capabilities of regions, SKUs, quotas
 * (kinds/offers.yaml), as the fault script's settings `quotas`, `not_offered` and `restricted`
 * change it.
 */
#ifndef SANDBOX_OFFERS_H
#define SANDBOX_OFFERS_H

#include <jansson.h>

#include "base/err.h"
#include "sandbox/sandbox.h"

/*
 * Answers a GET below a namespace: `which` is "location" or "subscription", `at` the first segment
 * of the words that name the answer. 404 where nothing is known.
 */
MUST_CHECK struct err *offers_answer(struct call *c, const char *which, size_t at);
/* Puts the script's settings into an answer that lists usages or SKUs. */
void offers_adjust(const struct sandbox *s, const char *location, json_t *answer);

#endif
