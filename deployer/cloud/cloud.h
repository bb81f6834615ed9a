/*
 * cloud.h - what a cloud is to the engine: an address, a login, a way to name, list, read, write
 * and wait. cloud/arm is Azure; nothing in here is Azure's own.
 *
 * Every operation is asynchronous on the http loop (http/loop.h): it is started, and its callback
 * is called once from http_loop_run, never from within the start. Documents follow catalog/model.h.
 */
#ifndef CLOUD_CLOUD_H
#define CLOUD_CLOUD_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "catalog/expr.h"
#include "catalog/kind.h"

struct http_loop;
struct cloud;

/* How an operation ended. `e` is owned by the callback; NULL is success. */
struct cloud_result {
    struct err *e;
    json_t *document; /* read, write: the resource as GET returns it; act: the answer. Borrowed;
                         NULL if none */
    long status;      /* the last HTTP status, 0 without an answer */
    bool is_absent;   /* read: it is not there (no error) */
    int64_t elapsed_ms;
    unsigned requests; /* sent for it, polls and retries included */
};

typedef void cloud_done(void *arg, const struct cloud_result *result);

/* Progress of a long operation, for display and journal: "PUT sent", "Creating", "retry in 10 s".
 */
typedef void cloud_progress(void *arg, const char *what);

struct cloud_write {
    const struct kind *kind;
    const char *id;     /* borrowed until the callback */
    const json_t *body; /* resolved; for a patch: the merge patch */
    const struct secret_table *secrets;
    bool is_create; /* "already exists" is then told by is_absent=false and ERR_API 409 */
    bool is_patch;
    const char *if_match; /* or NULL */
    const json_t *resume; /* borrowed until the callback: token of an operation that was under way,
                             or NULL: nothing is sent but polls; {} where the token is not known:
                             the resource is polled, and is_absent tells that nothing came about */
    int64_t deadline_ms;
    cloud_progress *progress; /* or NULL */
    /* Called when the service accepted the request: a JSON token for `resume`. Borrowed. */
    void (*accepted)(void *arg, const json_t *token);
    cloud_done *done;
    void *arg;
};

struct cloud_ops {
    const char *name; /* "arm" */
    /* Owned id of a resource from its parts; NULL where the kind's scope needs a part that is NULL.
     */
    char *(*make_id)(struct cloud *c, const struct kind *k, const char *parent_or_scope_id,
            const char *name);
    /* Whether two ids name the same resource. */
    bool (*same_id)(const char *a, const char *b);
    void (*read)(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
            cloud_done *done, void *arg);
    /*
     * All members of the collection that holds `id` (pages followed): result.document is an array
     * of documents. ERR_DENIED when reading is not allowed.
     */
    void (*list)(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
            cloud_done *done, void *arg);
    void (*write)(struct cloud *c, const struct cloud_write *w);
    /* Absent already is success. `resume` as for write; {}: it is looked at until it is gone.
     * Borrowed until the callback. */
    void (*remove)(struct cloud *c, const struct kind *k, const char *id, const json_t *resume,
            int64_t deadline_ms, void (*accepted)(void *arg, const json_t *token), cloud_done *done,
            void *arg);
    /* POST or GET below a resource (a kind's action, a procedure's step): path "listKeys",
     * "revisions/r1". */
    void (*act)(struct cloud *c, const struct kind *k, const char *id, const char *method,
            const char *path, const json_t *body, int64_t deadline_ms, cloud_done *done, void *arg);
    /* The collection URL of `id`, to group reads by listing. Owned. */
    char *(*collection)(struct cloud *c, const struct kind *k, const char *id);
    /*
     * How the last operation on a resource stands by its document: "Succeeded", "Failed",
     * "Creating"; NULL where it does not say. Borrowed from the document. May be NULL itself.
     */
    const char *(*state)(const json_t *document);
};

/* The head of every cloud; implementations embed it first. */
struct cloud {
    const struct cloud_ops *ops;
    struct http_loop *loop;
};

#endif
