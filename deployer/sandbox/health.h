/*
 * health.h - a container's probes, executed as Container Apps does: startup gates the others,
 * readiness decides about traffic, liveness about a restart. Success is looked for more often than
 * the period says, so that a local start is fast; failures are counted by the period.
 */
#ifndef SANDBOX_HEALTH_H
#define SANDBOX_HEALTH_H

#include <curl/curl.h>

#include "sandbox/backend_core.h"

struct health;

enum health_verdict {
    HEALTH_WAITING, /* startup has not succeeded yet */
    HEALTH_READY,
    HEALTH_UNREADY, /* started, but readiness fails */
    HEALTH_DEAD,    /* startup or liveness failed for good: restart it */
};

/*
 * `probes` is the container's list (copied). Without any, a container of an app with an ingress is
 * ready when `default_port` (0: none) accepts connections.
 */
MUST_CHECK struct health *health_new(
        CURLM *multi, const json_t *probes, const char *address, int default_port);
/* NULL is accepted. */
void health_free(struct health *h);
enum health_verdict health_tick(struct health *h, int64_t now_ms);
/* What the last failed probe saw: "Startup probe failed: HTTP 503 from :3000/api/health". */
const char *health_problem(const struct health *h);

#endif
