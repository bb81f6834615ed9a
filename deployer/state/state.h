/*
 * state.h - what one stack and environment owns, and what is under way. One owner at a time.
 *
 * Entries are keyed by the normalised id (state_id_key). A journal of intents is durable before a
 * request that changes something is sent; compaction writes the state anew. No secret is ever
 * in it: documents are stored by expr_stored.
 * The JSON (version 1): {"format_version":1,"lineage":UUID,"serial":N,"salt":HEX,
 *   "owner":{"stack","environment","tenant","subscription","endpoint","target"},
 *   "suffix":"k3f9a", "ids":{ADDRESS:ID}, "labels":{SERVICE:{"use","label"}},
 * "entries":{KEY:{"id","address","kind","api_version","depends_on":[...],
 *   "last_applied":{...},"created":TIME,"updated":TIME,"status":"ready|tainted"}},
 *   "intents":{KEY:{"action","address","kind","id","token":{...},"since":TIME}}}
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct state;
struct http_loop;

/* A token for the storage service; `token` is borrowed, `e` the callee's. */
typedef void state_token_done(void *arg, struct secret *token, struct err *e);

struct state_owner {
    const char *stack;
    const char *environment;
    const char *tenant;
    const char *subscription;
    const char *endpoint; /* of the cloud's API */
    const char *target;
};

struct state_open {
    const char *url; /* NULL: ".deployer/STACK[-ENVIRONMENT].json" beside the stack; a path,
                        "azblob://ACCOUNT/CONTAINER/BLOB[?endpoint=URL&lease_s=N]",
                        "postgres://...[?state=NAME]" */
    const char *stack_dir;
    struct state_owner owner;
    bool is_locked;      /* take the lock (apply, destroy, state mv); a plan does not */
    bool is_named;       /* CI=true: a local state is refused unless `url` names it */
    bool is_overwritten; /* what is there may be damaged: it is about to be replaced */
    int64_t lock_timeout_ms;
    struct http_loop *loop; /* for remote ones, which run it while they wait; NULL for local */
    /* azblob: the account's key or, without one, a token a request. `token` calls back once. */
    struct secret *storage_key;
    void (*token)(void *arg, int64_t deadline_ms, state_token_done *done, void *done_arg);
    void *token_arg;
};
/* An owner whose members are NULL takes any state (commands that are given --state alone). */

/*
 * Opens or makes the state. ERR_LOCKED says whose lock it is; ERR_CONFIG for another stack's state,
 * a newer format or a checksum that does not match.
 */
MUST_CHECK struct err *state_open(const struct state_open *o, struct state **ret);
/* ERR_USAGE as state_open gives it for a URL that makes no sense, but opens nothing. */
MUST_CHECK struct err *state_check_url(const char *url);
/* Releases the lock. NULL is accepted. */
void state_close(struct state *s);

/* The whole document, borrowed: read it freely, change it by the functions below only. */
const json_t *state_document(const struct state *s);
bool state_is_new(const struct state *s);
/* Random, made with the state: the salt of secrets' digests. */
struct str state_salt(const struct state *s);
/* The key of an id: lower case, without a slash at the end. Owned. */
MUST_CHECK char *state_id_key(const char *id);
const json_t *state_entry(const struct state *s, const char *id);
/* By address in the stack; NULL if there is none. */
const json_t *state_entry_at(const struct state *s, const char *address);

/*
 * Changes are collected and become durable together with state_commit (one round of the engine):
 * an intent must be committed before its request is sent. A remote backend runs the http loop while
 * it waits: call state_commit outside of the loop's callbacks.
 */
void state_put_intent(struct state *s, const char *id, json_t *intent); /* takes intent */
void state_drop_intent(struct state *s, const char *id);
void state_put_entry(struct state *s, const char *id, json_t *entry); /* takes entry */
void state_drop_entry(struct state *s, const char *id);
void state_set(struct state *s, const char *key, json_t *value); /* top level: "suffix" */
/*
 * The id that is kept for an address (`import` of what has another name or group) counts for
 * another one from now on; for NULL it is forgotten. Nothing happens where none is kept.
 */
void state_rename_id(struct state *s, const char *from, const char *to);
/*
 * Appends to the journal and syncs. ERR_LOCKED when the lock was lost (and whose it is now),
 * ERR_STALE for a foreign serial; from then on nothing is written any more.
 */
MUST_CHECK struct err *state_commit(struct state *s);
/* Writes the state whole and empties the journal. */
MUST_CHECK struct err *state_compact(struct state *s);

/* Where it is kept, for messages: the path, or the URL without what is secret in it. Borrowed. */
const char *state_name(const struct state *s);
/* Where the copy of a damaged one is that state_replace went over; NULL: there was none. Borrowed.
 */
const char *state_kept_copy(const struct state *s);
/* "root on ci-7, process 4711, since TIME" of a holder's JSON text, or that text itself. Owned. */
MUST_CHECK char *state_holder_words(const char *holder);
/*
 * Another document in place of this one (`state push`): takes it. Its lineage must be ours and its
 * serial not older, unless `is_forced` or nothing was there yet. Written at once.
 * Errors: ERR_CONFIG no state, another owner's; ERR_PROTECT lineage or serial.
 */
MUST_CHECK struct err *state_replace(struct state *s, json_t *document, bool is_forced);
/*
 * Who holds the lock, as JSON text {"user","host","pid","since","command"}; NULL when nobody does.
 * Breaks the lock if asked: its holder notices at its next commit and stops. Owned.
 */
MUST_CHECK struct err *state_lock_holder(const struct state_open *o, bool is_broken, char **ret);

static inline void auto_state(struct state **s)
{
    state_close(*s);
}

#endif
