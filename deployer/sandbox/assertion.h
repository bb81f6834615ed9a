/*
 * assertion.h - client assertions: a certificate's JWT (signature, thumbprint, audience, times) or
 * another issuer's token that a federated credential names.
 */
#ifndef SANDBOX_ASSERTION_H
#define SANDBOX_ASSERTION_H

#include "base/arena.h"
#include "base/err.h"
#include "sandbox/store.h"

struct assertion_request {
    struct arena *arena;
    const char *dir; /* client.pem and logins.yaml stand there */
    const char *client_id;
    const char *own_client_id; /* the service principal's */
    const char *text;          /* the assertion */
    const char *authority;     /* "https://HOST/TENANT" */
    const struct store *store;
};

/* NULL when it is good; else an error whose API code is an AADSTS number. */
MUST_CHECK struct err *assertion_check(const struct assertion_request *q);

#endif
