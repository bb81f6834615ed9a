/*
 * backend_core.h - what the parts of the data plane share: the resources it was told of (entries)
 * and, per ARM type, a driver that stands a service behind them. Drivers find each other's
 * resources by id and never by pointer: a resource may go at any time.
 */
#ifndef SANDBOX_BACKEND_CORE_H
#define SANDBOX_BACKEND_CORE_H

#include <curl/curl.h>

#include "base/buf.h"
#include "sandbox/backend.h"

struct driver;
struct dns;
struct grave;
struct netmap;
struct process;
struct recipes;
struct relay;
struct rules;
struct supervisor;
struct task;

struct entry {
    char *id;
    char *key;  /* the id in lower case */
    char *type; /* lower case */
    json_t *doc;
    const struct driver *driver; /* NULL: known, but nothing stands behind it */
    void *data;                  /* the driver's */
    enum backend_state state;
    json_t *error; /* {"code","message"} of BACKEND_FAILED */
    struct entry *next;
};

struct backend {
    char *dir; /* of the services: DIR/services */
    char *ca_cert;
    char *ca_key;
    char *ca_public;   /* a copy that every service's user can read */
    char *exe_dir;     /* where this program lies */
    bool has_services; /* false: all below is NULL */
    bool is_closing;
    int64_t now_ms; /* of this tick */
    struct entry *entries;
    uint64_t generation; /* grows with every put and remove */
    struct supervisor *supervisor;
    struct netmap *netmap;
    struct relay *relay;
    struct rules *rules; /* what the relay has now */
    struct recipes *recipes;
    struct dns *dns;
    CURLM *multi; /* the probes of containers */
    struct grave *graves;
    uint64_t grave_counter;
};

struct backend_call {
    const char *method;
    const char *sub;
    const json_t *body;
    int status;     /* result */
    json_t *answer; /* result, owned by the caller afterwards */
};

struct driver {
    const char *type; /* lower case */
    void (*put)(struct backend *b, struct entry *e);
    /* The resource is deleted: stop what runs, delete its data. */
    void (*remove)(struct backend *b, struct entry *e);
    /* Frees `data`; processes are stopped by the supervisor. */
    void (*release)(struct entry *e);
    void (*tick)(struct backend *b, struct entry *e);
    json_t *(*view)(struct backend *b, struct entry *e);
    bool (*handle)(struct backend *b, struct entry *e, struct backend_call *call);
    void (*report)(struct backend *b, struct entry *e, json_t *list);
};

/* Without regard to case; NULL if it is not there. */
struct entry *backend_find(struct backend *b, const char *id);
/* The entry `levels` type/name pairs above `id`, or NULL. */
struct entry *backend_parent(struct backend *b, const char *id, int levels);
/* Whether `id` is `parent` or below it, without regard to case. */
bool backend_is_below(const char *id, const char *parent);
/* The last segment of an id; borrowed. */
const char *backend_name(const char *id);
void backend_set_pending(struct entry *e);
void backend_set_ready(struct entry *e);
void backend_set_failed(struct entry *e, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A folder below DIR/services that belongs to this resource alone: "NAME-HASH/SUB"; owned. */
MUST_CHECK char *backend_folder(const struct backend *b, const char *id, const char *sub);
/*
 * {"primary", "secondary"} of a resource: its keys stand in the member "hidden" of the document
 * that the control plane hands over, as primary and secondary or key1 and key2. Owned.
 */
MUST_CHECK json_t *backend_keys(const json_t *doc);
/* Stops the process (taken, may be NULL) and deletes the folder once it has ended. */
void backend_bury(struct backend *b, const char *dir, struct process *process);
/* Runs a task (taken, may be NULL) of a resource that is gone. */
void backend_finish_later(struct backend *b, struct task *task);
/* An answer in ARM's error form. Always returns true, so that a handler can return it. */
bool backend_answer_error(struct backend_call *call, int status, const char *code, const char *fmt,
        ...) PRINTF_LIKE(4, 5);

extern const struct driver driver_app;
extern const struct driver driver_job;

#endif
