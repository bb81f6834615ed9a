/*
 * answer.h - how the outcome of a write is told: at once, or as an operation in the shape of its
 * kind.
 */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

#include "sandbox/sandbox.h"

/* Starts the operation that follows a write, or NULL when it is done at once. */
struct operation *answer_start(struct call *c, struct resource *r, enum kind_verb verb);
/* The reply to a PUT or PATCH; op as answer_start gave it. */
void answer_write(struct call *c, struct resource *r, enum kind_verb verb, struct operation *op,
        bool is_patch);
void answer_delete(struct call *c, const struct operation *op);
/* Azure-AsyncOperation, Location, Retry-After as the shape wants them. */
void answer_headers(struct call *c, const struct operation *op, enum kind_shape shape);
/* GET .../operationStatuses/ID and .../operationResults/ID. */
MUST_CHECK struct err *answer_operation(struct call *c, const char *id, bool is_result);
/* The usual time of a verb, by the latency asked for. */
int64_t answer_duration_ms(const struct sandbox *s, const struct kind *kind, enum kind_verb verb);

#endif
