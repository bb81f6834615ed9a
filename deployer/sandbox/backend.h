/*
 * backend.h - the data plane of the sandbox, as its control plane sees it: real services behind
 * resources. The control plane tells what was accepted and asks what became of it.
 */
#ifndef SANDBOX_BACKEND_H
#define SANDBOX_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

struct backend;

enum backend_state {
    BACKEND_NONE,    /* nothing stands behind this resource */
    BACKEND_PENDING, /* starting, restarting, stopping */
    BACKEND_READY,
    BACKEND_FAILED, /* `error` says why, in ARM's form */
};

struct backend_options {
    const char *dir;              /* the sandbox's folder; its services keep their data below it */
    bool has_services;            /* false: --services none; everything is ready at once */
    const char *images_file;      /* further image -> command mappings, or NULL */
    const char *ca_cert, *ca_key; /* PEM files: certificates of services are signed with it */
    double latency;
};

MUST_CHECK struct err *backend_open(const struct backend_options *o, struct backend **ret);
/* Stops every process it started, by process id. */
void backend_close(struct backend *b);
/* For sandbox.json: "127.0.0.1:PORT" of the DNS server; NULL without services. */
const char *backend_dns(const struct backend *b);
/* For sandbox.json: the rules of base/address_map.h; NULL without services. */
const char *backend_address_map(const struct backend *b);
/* Whether nothing is PENDING: what was put at start is up again (or has failed). */
bool backend_is_settled(const struct backend *b);
/*
 * A resource was accepted (created or changed). `id` as stored; `resource` is the full document
 * with secrets in clear and the server's values; its keys (listKeys) stand in a member "hidden"
 * (docs/sandbox-services.md); borrowed. Returns at once. At start every stored resource is put.
 */
void backend_put(struct backend *b, const char *id, const char *type, const json_t *resource);
void backend_remove(struct backend *b, const char *id, const char *type);
/* What became of the last put. *ret_error: borrowed {"code","message"} for BACKEND_FAILED. */
enum backend_state backend_status(struct backend *b, const char *id, const json_t **ret_error);
/*
 * Read-only members that the data plane decides (latestRevisionName, runningStatus, ...), to be
 * merged into the resource when it is read; owned, NULL if there are none.
 */
json_t *backend_view(struct backend *b, const char *id, const char *type);
/*
 * A request below a resource that the control plane does not know itself (revisions, replicas,
 * executions, start, stop, restart, backendhealth). Returns false if the data plane doesn't either.
 * *ret_body owned. `sub` is the path below the resource: "revisions/x/deactivate".
 */
bool backend_handle(struct backend *b, const char *id, const char *type, const char *method,
        const char *sub, const json_t *body, int *ret_status, json_t **ret_body);
/* Lets it do what is due (start, reap, health checks); called at least every 100 ms. One thread. */
void backend_tick(struct backend *b, int64_t now_ms);
/* For `sandbox status`: [{"resource", "service", "pid", "address", "mapped", "served_version",
 * "state"}]. */
json_t *backend_report(struct backend *b);

#endif
