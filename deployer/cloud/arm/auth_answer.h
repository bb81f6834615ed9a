/*
 * auth_answer.h - what token endpoints answer, as one struct. Pure: clocks are passed in.
 */
#ifndef ARM_AUTH_ANSWER_H
#define ARM_AUTH_ANSWER_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct auth_token {
    struct secret *value; /* owned */
    int64_t expires_ms;   /* monotonic */
    int64_t refresh_ms;   /* monotonic: from then on a new one is fetched */
};

struct auth_clock {
    int64_t now_ms;
    int64_t wall_ms;
};

/*
 * {"access_token", "expires_in", "refresh_in"} (Entra), {"access_token", "expires_on"} (managed
 * identity: epoch as number or text, or a date), {"accessToken", "expires_on", "expiresOn"} (CLI;
 * local time). The text of the token is wiped in `body`.
 * ERR_PROTO without a token.
 */
MUST_CHECK struct err *auth_answer_read(
        json_t *body, const struct auth_clock *clock, struct auth_token *ret);
/* Entra's {"error", "error_description", ...}: "invalid_client: AADSTS7000215: ..." on one line.
 * Owned. */
MUST_CHECK char *auth_answer_refusal(const json_t *body, long status);
/* A string's value as a secret; the JSON's own copy is wiped. NULL if absent. Owned. */
struct secret *auth_answer_secret(json_t *body, const char *key);
/* The claims of a JWT's middle part, without any check of it: for display. NULL for an opaque one.
 * Owned. */
json_t *auth_answer_claims(const struct secret *token);
/*
 * The claims parameter of a WWW-Authenticate challenge with error="insufficient_claims", decoded.
 * Owned; NULL if it is none.
 */
MUST_CHECK char *auth_answer_challenge(struct str www_authenticate);
/* The claims to send: a challenge's (or NULL) with our capability to follow challenges. Owned. */
MUST_CHECK char *auth_answer_merge_claims(const char *challenge);

#endif
