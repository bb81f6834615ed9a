/*
 * arm.h - Azure Resource Manager as a cloud (cloud/cloud.h): its protocol and login, no resource
 * type. What is known of types comes in struct kind.
 */
#ifndef ARM_ARM_H
#define ARM_ARM_H

#include "base/arena.h"
#include "cloud/cloud.h"
#include "cloud/arm/auth.h"
#include "http/loop.h"

struct arm_options {
    const char *endpoint;  /* "https://management.azure.com"; NULL: AZURE_RESOURCE_MANAGER_ENDPOINT,
                              or the one of the authority's cloud */
    const char *authority; /* NULL: AZURE_AUTHORITY_HOST, or what the endpoint's metadata say */
    const char *audience;  /* of tokens; NULL: known, or what the metadata say */
    const char *tenant;    /* NULL: AZURE_TENANT_ID, or the login's */
    const char *subscription;
    const char *resource_group;
    const char *auth; /* --auth NAME, or NULL: the first login that works */
    const char *client_id;
    struct secret *client_secret;                    /* with client_id: this login only */
    const char *(*env)(void *arg, const char *name); /* NULL: the process's environment */
    void *env_arg;
    double time_scale; /* of the kinds' usual minutes; 0: 1. The sandbox is faster */
    double pace_scale; /* of the refill of ARM's buckets; 0: 1. For tests with a faster clock */
};

/* All options are copied. ERR_USAGE for an unknown login or an endpoint that is no https URL. */
MUST_CHECK struct err *arm_new(
        struct http_loop *loop, const struct arm_options *o, struct cloud **ret);
/* Drops what is under way without calling back. Before http_loop_free. NULL is accepted. */
void arm_free(struct cloud *c);

/* DIR/sandbox.json; owned. ERR_NOINPUT with a hint when no sandbox was started there. */
MUST_CHECK struct err *arm_sandbox_load(const char *dir, json_t **ret);

/*
 * Fills what DIR/sandbox.json of a running sandbox says: endpoint, tenant, login and subscription
 * in `o`, CA, resolver and address map in `h`. Texts live in the arena.
 */
MUST_CHECK struct err *arm_sandbox_options(
        struct arena *arena, const char *dir, struct arm_options *o, struct http_options *h);

/* "https://management.azure.com", without a slash at the end. Borrowed. */
const char *arm_endpoint(const struct cloud *c);
/* Who is logged in; its members are NULL before the first token. Borrowed. */
const struct auth_identity *arm_identity(const struct cloud *c);
/*
 * A token for another service's scope ("https://storage.azure.com/.default") by the same login;
 * NULL: ARM's own, to try the login. `token` is borrowed by the callback, `e` owned.
 */
void arm_token(struct cloud *c, const char *scope, int64_t deadline_ms,
        void (*done)(void *arg, struct secret *token, struct err *e), void *arg);

/*
 * Any request to ARM by path and query ("/subscriptions/S/providers?api-version=2021-04-01"), with
 * token, pace and retries; for what is not one resource: permissions, quotas, providers, name
 * checks. A GET whose answer has value[] and nextLink is followed: result.document is then the
 * array. result.is_absent and no error for a 404.
 */
struct arm_request {
    const char *method;
    const char *path;
    const json_t *body; /* or NULL */
    bool is_single;     /* nextLink is not followed, the document is what was answered */
    int64_t deadline_ms;
    cloud_done *done;
    void *arg;
};
void arm_send(struct cloud *c, const struct arm_request *r);
/* Registers the resource provider ("Microsoft.App") with the subscription unless it is; waits. */
void arm_register(
        struct cloud *c, const char *ns, int64_t deadline_ms, cloud_done *done, void *arg);

#endif
