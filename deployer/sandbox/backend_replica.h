/*
 * backend_replica.h - one replica of a container app's revision or of a job's execution: its
 * containers as local processes, their probes executed, restarted with a growing pause as
 * Container Apps does. Without services (--services none) it is simulated: running at once.
 */
#ifndef SANDBOX_BACKEND_REPLICA_H
#define SANDBOX_BACKEND_REPLICA_H

#include "sandbox/backend_core.h"

struct replica;

enum replica_phase {
    REPLICA_STARTING, /* no container has failed, some are not ready */
    REPLICA_READY,    /* every container is ready */
    REPLICA_UNREADY,  /* a probe fails or a container waits for its restart */
    REPLICA_FAILED,   /* cannot run at all: no local command for the image */
    REPLICA_DONE,     /* runs to its end (job) and has ended; see exit status */
    REPLICA_GONE,     /* was stopped and every process has ended */
};

struct replica_spec {
    const char *owner_id;       /* of the app or job */
    const char *name;           /* of the replica */
    const json_t *template;     /* properties.template; copied */
    const json_t *secrets;      /* properties.configuration.secrets; copied */
    const char *environment_id; /* of the managed environment, or NULL */
    int ingress_port;           /* 0: none */
    bool runs_once;             /* a job: containers are not restarted */
};

MUST_CHECK struct replica *replica_start(struct backend *b, const struct replica_spec *spec);
void replica_tick(struct replica *r);
/* Begins to stop; replica_phase is REPLICA_GONE when all has ended. */
void replica_stop(struct replica *r);
enum replica_phase replica_phase(const struct replica *r);
/* "CrashLoopBackOff", "ImageNotMapped", "ProbeFailed", ...; "" while there is nothing to say. */
const char *replica_reason(const struct replica *r);
/* One sentence for people, with the end of the log and its path; "" while there is nothing to say.
 * Owned. */
MUST_CHECK char *replica_detail(const struct replica *r);
/* The exit status of the container that decided REPLICA_DONE. */
int replica_exit_status(const struct replica *r);
const char *replica_name(const struct replica *r);
/* "127.x.y.z" on which its containers listen; NULL when simulated. */
const char *replica_address(const struct replica *r);
/* Its document as ARM shows it; owned. */
json_t *replica_json(const struct replica *r);
/* One row a container: name, pid, address, image, state. */
void replica_report(const struct replica *r, json_t *list);
/* Kills what still runs. NULL is accepted. */
void replica_free(struct replica *r);

#endif
