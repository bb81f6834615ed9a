/*
 * auth.h - tokens: which login works here, one token a scope, refreshed before it ends. The methods
 * and their order are those of Azure's SDKs; docs/login.md tells what each needs. A method that is
 * set up and refused ends the search: falling back to another identity in silence would be worse.
 */
#ifndef ARM_AUTH_H
#define ARM_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

struct auth;
struct http_loop;

struct auth_options {
    struct http_loop *loop;
    const char *method;       /* --auth NAME, or NULL: the first that works */
    const char *tenant;       /* NULL: AZURE_TENANT_ID */
    const char *subscription; /* for the CLI, or NULL */
    const char *client_id;    /* with client_secret: this login and no other (the sandbox's) */
    struct secret *client_secret;
    const char *(*env)(void *arg, const char *name); /* the process's, or a test's */
    void *env_arg;
};

/* ERR_USAGE for an unknown method. All options are copied. */
MUST_CHECK struct err *auth_new(const struct auth_options *o, struct auth **ret);
/* Drops what is under way without calling back. NULL is accepted. */
void auth_free(struct auth *a);
/* Where tokens come from: "https://HOST" (or "https://HOST/adfs"). Before the first auth_get. */
void auth_set_authority(struct auth *a, const char *authority);

/* `token` is borrowed, `e` owned by the callee. */
typedef void auth_done(void *arg, struct secret *token, struct err *e);
/*
 * A token for the scope ("https://management.azure.com/.default"). `claims` (JSON text of a
 * challenge, or NULL) makes a new one. May call back at once.
 * Errors: ERR_AUTH with all that was tried; ERR_NET when the authority can't be reached.
 */
void auth_get(struct auth *a, const char *scope, const char *claims, int64_t deadline_ms,
        auth_done *done, void *arg);
/* Forgets the callbacks of `arg`. */
void auth_cancel(struct auth *a, const void *arg);
/* The token was refused: the next auth_get fetches a new one. */
void auth_drop(struct auth *a, const char *scope);

/* Who the last token says we are; texts NULL until known. Borrowed. */
struct auth_identity {
    const char *method;    /* "client-secret" */
    const char *tenant;    /* tid */
    const char *object_id; /* oid: the principal of role assignments */
    const char *client_id; /* appid */
    const char *name;      /* upn, or the application's name if it is told */
};
const struct auth_identity *auth_identity(const struct auth *a);

#endif
