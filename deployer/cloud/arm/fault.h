/*
 * fault.h - what ARM says went wrong, in all the shapes in which it says it, as one: a JSON object
 * {"code", "message", "details": [...], "policies": [...]}; and the error made of it. Pure.
 */
#ifndef ARM_FAULT_H
#define ARM_FAULT_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"
#include "catalog/kind.h"

/*
 * Reads a body: {"error":{}}, the object without the wrapper, "odata.error", {"Message":..},
 * "properties.error", "statusMessage", XML, a message that is itself a JSON document, plain text,
 * nothing. `code` (x-ms-error-code; NULL p: none) wins. Owned, never NULL.
 */
MUST_CHECK json_t *arm_fault_read(struct str body, struct str code);
/* The same of a parsed document (an operation's body). NULL when it tells of no error. */
MUST_CHECK json_t *arm_fault_of(const json_t *document);
/* Whether the code stands anywhere in it, without case. */
bool arm_fault_has(const json_t *fault, const char *code);
/* The code of the innermost first detail; "" if none. Borrowed. */
const char *arm_fault_code(const json_t *fault);

struct arm_fault_context {
    long status;       /* 0: told by an operation's body */
    const char *what;  /* "PUT", "creation" */
    const char *state; /* of a failed operation: "Failed"; or NULL */
    struct str request_id;
    struct str correlation_id;
    int64_t elapsed_ms;
};
/*
 * "PUT: HTTP 409 INNER: message (in OUTER: message) [after 3.2 s; correlation id ...]".
 * ERR_AUTH for 401, ERR_DENIED for 403, else ERR_API with the status as code; hint where there is a
 * next step. Owned.
 */
MUST_CHECK struct err *arm_fault_err(const json_t *fault, const struct arm_fault_context *c);

/* The kind's rule for this failure ({status, code, wait_s, for_s, give_up}), or NULL. Borrowed.
 * Status 0: of an operation; then the rules for status 0 come first and others hold by code. */
const json_t *arm_fault_rule(const struct kind *k, long status, const json_t *fault);
/* wait_s x 1.5^n (n = 0, 1, ...), at most three minutes. */
int64_t arm_fault_rule_wait_ms(const json_t *rule, unsigned n);
/* Whether the subscription lacks the resource provider. */
bool arm_fault_is_unregistered(long status, const json_t *fault);

#endif
