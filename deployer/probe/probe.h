/*
 * probe.h - a probe speaks one protocol to one target and records facts; it judges nothing.
 * docs/probes.md lists the members of targets and the facts. Probes run in threads of verify's
 * pool: a job is the thread's own (deep copies), nothing here logs or prints.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/address_map.h"
#include "base/secret.h"

/* How names are resolved and addresses dialled. Shared, read-only while probes run. */
struct probe_net {
    const char *resolver; /* "127.0.0.1:5353", or NULL: the system's */
    struct address_map map;
    const char *ca_file;   /* further roots for every target, or NULL */
    const char *system_ca; /* bundle of the system's roots; NULL: OpenSSL's default */
};

/* One secret of a target by the name of the member that would hold it. */
struct probe_secret {
    const char *member; /* "password", "key", "token" */
    struct secret *value;
};

struct probe_job {
    const char *probe;    /* "redis" */
    const json_t *target; /* without secrets */
    const struct probe_secret *secrets;
    size_t secret_count;
    const struct probe_net *net;
    int64_t deadline_ms; /* monotonic; the probe returns soon after it at the latest */
};

struct probe {
    const char *name;
    const char *summary;
    /* Adds its facts to `evidence` (an object that has target.* and client.* already). */
    void (*run)(const struct probe_job *job, json_t *evidence);
};

/* NULL where there is none. */
const struct probe *probe_find(const char *name);
/* All of them; the last has a NULL name. */
const struct probe *const *probe_all(void);
/* Runs a probe: probe.* (ok, step, error, duration) and its groups. Owned. Never NULL. */
MUST_CHECK json_t *probe_run(const struct probe_job *job);
/* The secret of a member, borrowed, or NULL. */
struct secret *probe_secret(const struct probe_job *job, const char *member);

/* --- for the probes themselves ------------------------------------------------------------- */

/* Sets "GROUP.FACT"; takes `value` (NULL: nothing is set). Text values are scrubbed of the job's
 * secrets. */
void probe_fact(json_t *evidence, const char *path, json_t *value);
void probe_fact_text(
        const struct probe_job *job, json_t *evidence, const char *path, struct str text);
/* How far it came: "dns", "tcp", "tls", "login", "query". */
void probe_step(json_t *evidence, const char *step);
/* The step failed with the foreign text and code; probe.ok becomes false. */
void probe_failed(const struct probe_job *job, json_t *evidence, const char *code, struct str text);

extern const struct probe probe_dns;
extern const struct probe probe_tcp;
extern const struct probe probe_tls;
extern const struct probe probe_http;
extern const struct probe probe_dialog;
extern const struct probe probe_redis;
extern const struct probe probe_clickhouse;
extern const struct probe probe_postgres;
extern const struct probe probe_blob;

#endif
