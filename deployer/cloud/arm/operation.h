/*
 * operation.h - ARM's long-running operations as decisions: what a first answer means, what to ask
 * next, what an answer to that means. Pure: no I/O, no clock. The order of the rules is ARM's
 * (Azure-AsyncOperation, Operation-Location, Location, provisioningState).
 */
#ifndef ARM_OPERATION_H
#define ARM_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

enum arm_follow {
    ARM_FOLLOW_NOTHING,  /* done with the first answer */
    ARM_FOLLOW_STATUS,   /* a URL whose body has `status` */
    ARM_FOLLOW_LOCATION, /* a URL that answers 202 until it is done */
    ARM_FOLLOW_RESOURCE, /* the resource's own provisioningState; after DELETE: until it is gone */
};

enum arm_state { ARM_RUNNING, ARM_SUCCEEDED, ARM_FAILED };

struct arm_operation {
    const char *method; /* "PUT" "PATCH" "DELETE" "POST"; literal */
    enum arm_follow follow;
    char *url;      /* of STATUS and LOCATION; owned */
    char *location; /* a POST's final answer, or NULL; owned */
    int64_t since_wall_ms;
};

/* One answer of the service; texts NULL p where a header is absent. */
struct arm_reply {
    long status;
    struct str async_operation;
    struct str operation_location;
    struct str location;
    const json_t *body; /* or NULL */
};

/*
 * What a 2xx answer to `method` starts. URLs that are not below `origin` ("https://host[:port]",
 * any case) nor a path there are not taken: the resource is asked instead. ret is filled anew;
 * release it. Errors: ERR_API where the body already says Failed or Canceled (its fault is told by
 * the caller); never for an unknown state.
 */
void arm_operation_begin(const char *method, const struct arm_reply *r, const char *origin,
        int64_t wall_ms, struct arm_operation *ret);
void arm_operation_release(struct arm_operation *op);

/*
 * What the answer to the current poll means; may change op (a new Location, or from a broken URL to
 * the resource). *ret_word is the state's word for people, borrowed from the reply or static.
 */
enum arm_state arm_operation_judge(struct arm_operation *op, const struct arm_reply *r,
        const char *origin, const char **ret_word);

/* The state's word in a resource's or an operation's body, or NULL. Borrowed. */
const char *arm_provisioning_state(const json_t *body);
enum arm_state arm_state_of(const char *word);
/* Whether the URL's scheme, host and port are the origin's. */
bool arm_url_is_below(struct str url, const char *origin);
/*
 * The URL as it can be asked: below the origin, a path ("/subscriptions/...", RFC 9110, 10.2.2) put
 * behind it. Owned; NULL for one that is elsewhere, or none (NULL p).
 */
MUST_CHECK char *arm_url_at(struct str url, const char *origin);

/* The token to go on with after a restart, and back. Owned. */
MUST_CHECK json_t *arm_operation_token(const struct arm_operation *op, const char *id);
/* ERR_CONFIG for a token that isn't ours. */
MUST_CHECK struct err *arm_operation_resume(
        const json_t *token, const char *origin, struct arm_operation *ret);

/*
 * How long to wait before the next look, `elapsed_ms` after the start of something that usually
 * takes usual_ms (0: unknown): soon and often at first and near the usual end, seldom in between;
 * never before after_ms (-1: the service says nothing), and at that very moment near the end.
 */
int64_t arm_poll_wait_ms(int64_t elapsed_ms, int64_t usual_ms, int64_t after_ms);

#endif
