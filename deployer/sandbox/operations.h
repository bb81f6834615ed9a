/*
 * operations.h - what is under way: operations that end when their time is over (not by being
 * asked for), and how a client is told of them.
 */
#ifndef SANDBOX_OPERATIONS_H
#define SANDBOX_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "sandbox/kinds.h"

#define OPERATIONS_KEPT_MAX 4000u

enum operation_state {
    OPERATION_RUNNING,
    OPERATION_SUCCEEDED,
    OPERATION_FAILED,
    OPERATION_CANCELED
};

struct operation {
    char *id;
    char *resource_id; /* as shown to clients */
    char *key;
    char *ns;
    char *location;
    enum kind_verb verb;
    bool is_action; /* a POST: `result` is what its end answers */
    enum operation_state state;
    int64_t started_ms, end_ms; /* wall clock */
    json_t *error;              /* {"code", "message"} when it failed */
    json_t *will_fail;          /* what a fault script wants, or NULL */
    json_t *result;
};

struct operations {
    struct operation **items; /* oldest first */
    size_t count, capacity;
};

void operations_release(struct operations *ops);
/* Copies the texts. Belongs to the list; the oldest finished ones are forgotten. */
struct operation *operations_add(struct operations *ops, const char *resource_id, const char *ns,
        enum kind_verb verb, int64_t duration_ms);
struct operation *operations_find(const struct operations *ops, const char *id);
const char *operation_state_name(enum operation_state state);
/* The body of a status request; owned. `url_id` is the path that was asked for. */
MUST_CHECK json_t *operation_json(const struct operation *op, const char *url_id);
/* Seconds that a client should wait; never 0. */
int operation_retry_after_s(const struct operation *op);
/* Until its time is over; at least 50 ms, as the data plane may take longer. */
int64_t operation_left_ms(const struct operation *op);
MUST_CHECK json_t *operations_json(const struct operations *ops);
void operations_load(struct operations *ops, const json_t *list);

#endif
