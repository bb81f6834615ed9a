/*
 * container.h - one container of a replica as a local process: its image's command, environment and
 * files, restarted with a growing pause when it ends, killed when its probes say so.
 */
#ifndef SANDBOX_CONTAINER_H
#define SANDBOX_CONTAINER_H

#include "sandbox/backend_core.h"

struct container;
struct volume_request;

enum container_state {
    CONTAINER_WAITING, /* not started yet, or before its next start */
    CONTAINER_RUNNING, /* not ready */
    CONTAINER_READY,
    CONTAINER_ENDED,   /* runs once, and has ended */
    CONTAINER_INVALID, /* cannot be started at all */
};

struct container_spec {
    const json_t *document; /* the template's element; copied */
    const char *address;
    const char *dir;  /* of the replica */
    int default_port; /* of the ingress; 0: none */
    bool runs_once;
};

/*
 * Never fails: what is wrong makes it CONTAINER_INVALID. The volumes of `volumes` are mounted;
 * it is borrowed for the call.
 */
MUST_CHECK struct container *container_new(
        struct backend *b, const struct container_spec *spec, const struct volume_request *volumes);
void container_tick(struct container *c, int64_t now_ms);
void container_stop(struct container *c);
bool container_is_running(const struct container *c);
/* NULL is accepted. */
void container_free(struct container *c);

enum container_state container_state(const struct container *c);
int container_exit_status(const struct container *c);
int container_restarts(const struct container *c);
/* Whether it has failed often enough to be called so, rather than being still on its way. */
bool container_is_failing(const struct container *c);
const char *container_reason(const struct container *c);
const char *container_detail(const struct container *c);
/* Path of its log, or NULL for a container that never ran. */
const char *container_log(const struct container *c);
/* As ARM shows it in a replica; owned. */
json_t *container_json(const struct container *c);
/* Name, pid, image, served_version for `sandbox status`; owned. */
json_t *container_report(const struct container *c);
/* The user that its image's command runs as, where we are root; borrowed, may be NULL. */
const char *container_user(struct backend *b, const json_t *document);

#endif
