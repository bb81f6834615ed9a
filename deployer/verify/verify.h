/*
 * verify.h - runs checks side by side and says of each: pass, fail, warn or skip, with its
 * evidence. It knows no service: what to check comes from the catalog, how from the probes.
 */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "catalog/expr.h"
#include "catalog/model.h"
#include "probe/probe.h"

#define VERIFY_THREADS_MAX 32u
#define VERIFY_SECRETS_MAX 4u
#define VERIFY_TIMEOUT_MS 8000

enum verify_status { VERIFY_PASS, VERIFY_FAIL, VERIFY_WARN, VERIFY_SKIP };

const char *verify_status_name(enum verify_status status);

/* One check, ready to run. Owns what it points to but for `check`. */
struct verify_job {
    const struct check *check;
    json_t *target; /* resolved, without secrets */
    struct probe_secret secrets[VERIFY_SECRETS_MAX];
    char *members[VERIFY_SECRETS_MAX]; /* texts of secrets[].member */
    size_t secret_count;
    char *skip;      /* why it can't run, or NULL */
    char *broken;    /* why its target can't be made, or NULL: it fails */
    char *tolerated; /* why a failure would be let pass ("not running"), or NULL */
    int64_t timeout_ms;

    /* After verify_run. */
    enum verify_status status;
    char *reason;     /* of anything but a plain pass; NULL else */
    json_t *evidence; /* NULL when it did not run */
    int64_t duration_ms;
};

struct verify_jobs {
    struct verify_job *items;
    size_t count;
};

/* What verify asks of whoever knows the documents and the state. */
struct verify_source {
    void *arg;
    /* Resolves a target of the model: expr_resolve. Owned. */
    struct err *(*resolve)(void *arg, const json_t *doc, json_t **ret);
    const struct secret_table *(*secrets)(void *arg);
    /* Why the service's containers have no process behind them ("not running"), or NULL. */
    const char *(*not_running)(void *arg, const char *service);
};

struct verify_options {
    const char *const *only; /* services or checks; none: all */
    size_t only_count;
    int64_t timeout_ms;  /* of each check; 0: VERIFY_TIMEOUT_MS */
    bool is_require_all; /* what is skipped fails */
    bool is_inside;      /* this machine is known to be inside of the network */
    const struct probe_net *net;
};

/* Makes the jobs of a model's checks. ERR_USAGE when `only` names nothing. */
MUST_CHECK struct err *verify_prepare(const struct model *m, const struct verify_source *source,
        const struct verify_options *o, struct verify_jobs *ret);
/* How a run stands. */
struct verify_progress {
    size_t of;
    size_t done;
    const struct check *running[VERIFY_THREADS_MAX];
    size_t running_count;
};

/*
 * Runs them in a pool of threads; `tell` (may be NULL) is called in the caller's thread several
 * times a second and when one has ended. Returns when all have ended; each keeps its own deadline.
 * After a signal no more are begun: those left are skipped.
 */
void verify_run(struct verify_jobs *jobs, const struct verify_options *o,
        void (*tell)(void *arg, const struct verify_progress *progress), void *arg);
/* Adds stack.* to the evidence of each. */
void verify_stack_facts(struct verify_jobs *jobs, const struct model *m);
void verify_jobs_release(struct verify_jobs *jobs);
/* How many have a status. */
size_t verify_count(const struct verify_jobs *jobs, enum verify_status status);
/*
 * The checks as the "checks" member of the result (docs/json.md): [{"name", "service", "probe",
 * "status", "reason", "vantage", "duration_ms", "target", "evidence", "findings": []}]. Owned.
 */
MUST_CHECK json_t *verify_checks_json(const struct verify_jobs *jobs);

static inline void auto_verify_jobs(struct verify_jobs *jobs)
{
    verify_jobs_release(jobs);
}

#endif
