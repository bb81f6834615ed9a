/*
 * auth.h - who may call: the tenant, its one service principal, the tokens it gets and how a
 * request's token is judged. Kept in DIR/login.json and DIR/client-secret (0600). Further ways to
 * log in (certificates, federated identities) stand in DIR/logins.yaml; docs/sandbox.md has them.
 */
#ifndef SANDBOX_AUTH_H
#define SANDBOX_AUTH_H

#include "base/err.h"
#include "sandbox/reply.h"
#include "sandbox/request.h"
#include "sandbox/store.h"

#define AUTH_LIFETIME_S 3599 /* of tokens, unless a fault script says otherwise */

struct auth;

MUST_CHECK struct err *auth_open(const char *dir, struct auth **ret);
void auth_free(struct auth *a);
const char *auth_tenant(const struct auth *a);
const char *auth_client_id(const struct auth *a);
const char *auth_object_id(const struct auth *a);
const char *auth_subscription(const struct auth *a);
/* How long tokens live from now on. */
void auth_set_lifetime(struct auth *a, int64_t seconds);
/*
 * POST .../token. `authority` is "https://HOST/TENANT" or ".../adfs". The store's federated
 * credentials of identities count too. Answers by itself, errors in Entra's form.
 */
void auth_token(struct auth *a, const struct store *store, const struct request *q,
        const char *authority, struct reply *r);
/* Whose token it is. Texts live with the request. */
struct auth_caller {
    const char *client_id, *object_id;
};

/* NULL, or the 401 for a request without a good token; sets WWW-Authenticate. */
MUST_CHECK struct err *auth_check(
        const struct auth *a, const struct request *q, struct reply *r, struct auth_caller *ret);

#endif
