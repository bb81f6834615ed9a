/*
 * condition.h - conditions on evidence, in three values: a fact that was not collected is unknown,
 * and no condition on it holds or fails. Pure. docs/runbooks.md describes the form:
 *
 *   - {fact: redis.cluster_enabled, is: true}
 *   - {fact: tls.alert, in: [116, 42]}
 *   - {fact: "redis.nodes[].tcp", not: ok}          any member of the list
 *   - {any: [{fact: a, is: 1}, {fact: b, is: 2}]}
 *   - {no: {fact: dns.is_literal, is: true}}
 *
 * Operators: is, not, in, matches (POSIX extended), contains (part of a text, member of a list),
 * above, below, known. A list of conditions holds when all do.
 */
#ifndef RUNBOOK_CONDITION_H
#define RUNBOOK_CONDITION_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

enum truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_UNKNOWN };

/* ERR_CONFIG for a malformed condition: an unknown operator, no fact, a bad pattern. */
MUST_CHECK struct err *condition_check(const json_t *conditions);
/* One condition or a list of them on evidence. Malformed ones are unknown. */
enum truth condition_eval(const json_t *conditions, const json_t *evidence);
/*
 * The facts that the conditions look at, with what the evidence says: "redis.cluster_enabled =
 * true", for the "evidence" of a finding. Adds to the array `ret`.
 */
void condition_quote(const json_t *conditions, const json_t *evidence, json_t *ret);

#endif
