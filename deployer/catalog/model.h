/*
 * model.h - a stack after the catalog has expanded it: what plan, engine and verify work on.
 *
 * Documents are JSON in which whatever is not plain yet stands in an object with one key:
 *   {"$expr": "TEXT"}      an expression over resources and secrets with absolute addresses, left
 *                          over by expansion; expr_resolve turns it into a value
 *   {"$unknown": "WHAT"}   after expr_resolve: known only after apply; WHAT names the reference
 *   {"$secret": N}         after expr_resolve: entry N of a struct secret_table
 * In state and plan files a secret is {"$secret": {"refs": [...], "digest": "scrypt:..."}}.
 * So a document can be printed, logged and stored: it never holds a secret's value. Values are
 * shared between documents: nobody changes one.
 */
#ifndef CATALOG_MODEL_H
#define CATALOG_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "catalog/kind.h"

struct index;

/* Written to whatever takes tags: STACK[/ENVIRONMENT]/ADDRESS, so that `import` finds it again. */
#define MODEL_TAG "deployer-address"

struct resource {
    const char *address;  /* "redis.database", "dns.record[\"*\"]": service, name, each key */
    const char *service;  /* the stack's name of the service: "redis" */
    const char *name;     /* the resource's name in the service */
    const char *each_key; /* or NULL */
    const struct kind *kind;
    json_t *arm_name; /* string, or an {"$expr"} */
    json_t *parent; /* KIND_SCOPE_PARENT: the parent's id ({"$expr": "resource[...].id"}), else NULL
                     */
    json_t *scope_id;    /* KIND_SCOPE_EXTENSION: the id it hangs on, else NULL */
    json_t *location;    /* or NULL; also in body */
    json_t *body;        /* the document to send, without id, name, type; tags and location in it */
    json_t *existing;    /* somebody else's: its id; read, never written or deleted. Else NULL */
    const char *kept_id; /* the state's: counts before what the name would make. Else NULL */
    const char *rollout; /* "stop-first" or NULL */
    bool is_protected;   /* delete and replace need --allow-data-loss */
    const char *const
            *depends_on; /* addresses: from references, parents and depends_on; sorted, unique */
    size_t depends_on_count;
    const char *const *shared_with; /* addresses of other services that this one stands for */
    size_t shared_count;
    struct place place;       /* where the service's file declares it */
    struct place stack_place; /* where the stack names the service */
};

/* One variable of one container. */
struct env_variable {
    const char *service;
    const char *container;
    const char *name;
    json_t *value; /* plain or {"$expr"} */
    bool is_secret;
    const char *reason; /* why it is there */
};

/* One thing that verify does. */
struct check {
    const char *name; /* "redis.login" */
    const char *service;
    const char *probe; /* "redis", "tcp", ...: verify's table */
    json_t *target;  /* plain values and {"$expr"}; docs/probes.md has the members of each probe */
    json_t *expect;  /* condition on the evidence, or NULL: the probe's own "ok" */
    bool is_private; /* reachable only from inside the network */
    const char *tolerate; /* a finding that --target sandbox lets pass ("not-running") or NULL */
    const char *const *about; /* addresses of the resources whose state tells why it fails */
    size_t about_count;
    json_t *from; /* id of the part of the network that its callers are in; or NULL */
    struct place place;
};

struct provided {
    const char *service;
    const char *name;
    json_t *value;
    bool is_secret;
    bool is_output; /* `deployer outputs` shows it */
    const char *doc;
};

/* A secret value that may change only with loss: {"input": "langfuse.encryption_key", ...}. */
struct fixed_input {
    const char *service;
    const char *input;
    json_t *value;    /* {"$expr"} */
    const char *loss; /* what a change destroys */
};

/* An input of which only some steps are possible: `versions` of a service. */
struct version_input {
    const char *service;
    const char *input;
    json_t *value;       /* may be {"$expr"} */
    const json_t *steps; /* [{from, to, only}] */
    const char *text;    /* why, or NULL */
};

struct model {
    struct arena *arena;     /* owned; everything else lives there or hangs on its hooks */
    const char *stack;       /* stack name */
    const char *environment; /* "" without one */
    const char *target;      /* "azure" or "sandbox" */
    const char *location;
    const char *subscription;
    const char *resource_group;
    const char *tenant; /* "" if the login tells it */
    const char *suffix; /* of names that are unique in the world; NULL if none was made */
    /* {SERVICE: {"use", "label"}} of kinds that the stack has several of, to be recorded in the
     * state; or NULL */
    const json_t *labels;
    struct resource *resources;
    size_t resource_count;
    struct env_variable *variables;
    size_t variable_count;
    struct check *checks;
    size_t check_count;
    struct provided *provided;
    size_t provided_count;
    struct version_input *versions;
    size_t version_count;
    struct fixed_input *fixed;
    size_t fixed_count;
    const char *const *secrets; /* names used as ${secret.X} */
    size_t secret_count;
    /* Names of inputs that need not be given and may be in the stack's vault: absent until it was
     * asked. */
    const char *const *doubtful;
    size_t doubtful_count;
    const json_t *notes; /* [{service, when: "$expr", text: "$expr"}] printed after apply */
    /* {SERVICE: {"use", "inputs": {name: value}, "needs": {name: SERVICE or null}}}, for lints */
    const json_t *services;
    const struct index *by_address; /* of model_resource */
};

/* NULL if there is none. By hash. */
const struct resource *model_resource(const struct model *m, const char *address);

#endif
