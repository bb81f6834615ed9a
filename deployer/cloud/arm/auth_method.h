/*
 * auth_method.h - what one way of logging in is to auth.c. A method says what it lacks, then starts
 * and ends once by auth_request_end.
 */
#ifndef ARM_AUTH_METHOD_H
#define ARM_AUTH_METHOD_H

#include "cloud/arm/auth.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/exchange.h"

struct auth_method;

/* One fetch of one token. */
struct auth_request {
    struct auth *auth;
    const struct auth_method *method;
    const char *scope;
    const char *claims; /* or NULL */
    int64_t deadline_ms;
    struct exchange *exchange; /* under way, or NULL */
    bool is_forced;            /* --auth: no probing */
    void (*ended)(struct auth_request *q, struct auth_token *token, struct err *e);
    void *arg;
};

struct auth_method {
    const char *name; /* of --auth */
    /* NULL when it is set up; else an owned text that names what is missing. */
    char *(*missing)(const struct auth *a);
    void (*start)(struct auth_request *q);
};

extern const struct auth_method auth_method_secret;
extern const struct auth_method auth_method_certificate;
extern const struct auth_method auth_method_workload;
extern const struct auth_method auth_method_github;
extern const struct auth_method auth_method_pipelines;
extern const struct auth_method auth_method_managed;
extern const struct auth_method auth_method_cli;

/*
 * Ends q: token (taken; on the stack of the caller) or e (taken). ERR_NOINPUT means "not here, try
 * the next"; every other kind ends the search. Call it last: q may be gone afterwards.
 */
void auth_request_end(struct auth_request *q, struct auth_token *token, struct err *e);

/* A variable, NULL when unset or empty. Borrowed. */
const char *auth_env(const struct auth *a, const char *name);
/* The tenant by option or variable, or NULL. */
const char *auth_tenant(const struct auth *a);
const char *auth_subscription(const struct auth *a);
/* "A, B and C are not set" for the unset ones of names; NULL when all are set. Owned. */
MUST_CHECK char *auth_missing(const struct auth *a, const char *const *names, size_t count);
struct http_loop *auth_loop(const struct auth *a);
/* The given login, or NULL. */
const char *auth_given_id(const struct auth *a);
struct secret *auth_given_secret(const struct auth *a);

/* Entra's token endpoint. Owned. */
MUST_CHECK char *auth_token_url(const struct auth *a, const char *tenant);
/*
 * Asks Entra for a token by client_id and either a secret or an assertion (a signed JWT), and ends
 * q with what comes.
 */
struct auth_entra {
    const char *tenant;
    const char *client_id;
    struct secret *client_secret; /* or */
    struct secret *assertion;
};
void auth_entra_ask(struct auth_request *q, const struct auth_entra *how);

#endif
