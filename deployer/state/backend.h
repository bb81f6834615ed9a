/*
 * backend.h - where a state is kept, as a struct of functions. A backend moves bytes and holds the
 * lock; it knows nothing of what the bytes say (record.h) or mean (state.h).
 */
#ifndef STATE_BACKEND_H
#define STATE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "state/state.h"

struct state_backend;

/* What was found. Both empty: there is no state yet. */
struct state_image {
    struct buf snapshot;
    struct buf journal;
};

/* One commit or compaction. */
struct state_save {
    int64_t serial;      /* after this write */
    struct str line;     /* the journal line of this commit; empty for a compaction */
    const json_t *whole; /* the document, for backends that write it whole */
    bool is_snapshot;    /* write the snapshot, empty the journal */
};

struct state_backend_ops {
    const char *name; /* "file" */
    /*
     * Takes the lock or waits for it until `deadline_ms`. `who` is the holder's JSON text, shown to
     * others. ERR_LOCKED with whose it is.
     */
    struct err *(*lock)(struct state_backend *b, const char *who, int64_t deadline_ms);
    void (*unlock)(struct state_backend *b);
    /* Whose lock it is, as JSON text in `ret`; empty when nobody holds it. Breaks it if asked. */
    struct err *(*holder)(struct state_backend *b, bool is_broken, struct buf *ret);
    struct err *(*load)(struct state_backend *b, struct state_image *ret);
    /* The journal's bytes behind `good` are torn: forget them. Only with the lock. */
    struct err *(*trim)(struct state_backend *b, size_t good);
    /* A copy of what is stored, bytes as they are, for whom it can't be read by any more.
     * *ret_where is owned. Only with the lock. */
    struct err *(*keep_copy)(
            struct state_backend *b, const struct state_image *image, char **ret_where);
    /* Durable when it returns. ERR_LOCKED lost the lock; ERR_STALE somebody else wrote. */
    struct err *(*save)(struct state_backend *b, const struct state_save *w);
    void (*free)(struct state_backend *b);
};

/* The head of every backend; implementations embed it first. */
struct state_backend {
    const struct state_backend_ops *ops;
    char *name; /* for messages: the path, the URL without its secrets; owned */
};

/* Open nothing yet: errors are those of a URL that makes no sense. */
MUST_CHECK struct err *state_local_new(const struct state_open *o, struct state_backend **ret);

MUST_CHECK struct err *state_azblob_new(const struct state_open *o, struct state_backend **ret);
MUST_CHECK struct err *state_postgres_new(const struct state_open *o, struct state_backend **ret);

#endif
