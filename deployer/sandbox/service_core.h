/*
 * service_core.h - the parts of a service that its files share: the state (service.c), what is
 * written and started (service_setup.c), what belongs to it (service_child.c).
 */
#ifndef SANDBOX_SERVICE_CORE_H
#define SANDBOX_SERVICE_CORE_H

#include "sandbox/service.h"

enum service_phase {
    PHASE_NONE,    /* nothing stands behind it (`unless`) */
    PHASE_PREPARE, /* once: initdb and the like */
    PHASE_VERSION,
    PHASE_START,
    PHASE_WAIT, /* until it answers */
    PHASE_APPLY,
    PHASE_RUN,
    PHASE_STOP, /* to start again with other settings */
    PHASE_DEAD,
};

struct service {
    const json_t *recipe; /* borrowed from recipes */
    char *dir;
    char *address;
    int port;
    enum service_phase phase;
    bool is_dirty; /* the document changed since it was applied */
    json_t *scope;
    json_t *own_secrets;
    char *host;
    char *started_with; /* digest of files and arguments */
    char *version;
    char *problem; /* of the last `ready` */
    struct task *task;
    struct process *process;
    int64_t deadline_ms;
    int64_t next_ms;
    uint64_t seen_generation;
};

/* The user of its processes where we are root, or NULL; borrowed. */
const char *service_user(const struct service *s);
/* Passwords that nobody else knows, kept in the service's folder. */
MUST_CHECK struct err *service_load_secrets(struct service *s);
/* What `${...}` in the recipe means, from the resource as it is now. */
void service_build_scope(struct backend *b, const struct entry *e, struct service *s);
MUST_CHECK struct err *service_make_folders(struct service *s);
/* Certificate, files, process. */
MUST_CHECK struct err *service_start(struct backend *b, struct service *s);
/* A digest of all that it is, or would be, started with; owned. */
MUST_CHECK char *service_rendering(const struct service *s);
void service_set_text(json_t *object, const char *key, const char *value);

#endif
