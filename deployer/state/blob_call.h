/*
 * blob_call.h - one request on one blob, signed and retried, run to its end on the http loop. Knows
 * the Blob service's protocol (version 2021-12-02) and nothing of states.
 */
#ifndef STATE_BLOB_CALL_H
#define STATE_BLOB_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "state/state.h"

struct http_loop;

/* Which blob, and who asks. */
struct blob_place {
    struct http_loop *loop;
    char *account;
    char *origin;       /* "https://ACCOUNT.blob.core.windows.net"; without a slash at the end */
    char *path;         /* "/container/blob", encoded; an emulator's begins with "/account" */
    struct secret *key; /* or NULL */
    void (*token)(void *arg, int64_t deadline_ms, state_token_done *done, void *done_arg);
    void *token_arg;
};

#define BLOB_HEADERS_MAX 12u

struct blob_header {
    const char *name; /* lower case */
    const char *value;
};

struct blob_call {
    const char *method;
    const char *query; /* "comp=lease", "" */
    struct blob_header headers[BLOB_HEADERS_MAX];
    size_t header_count;
    struct str body;
    int64_t deadline_ms;
    bool is_once; /* no second attempt */
};

struct blob_answer {
    long status;
    char *code; /* x-ms-error-code, "" */
    char *etag;
    char *lease_state; /* x-ms-lease-status: "locked", "unlocked", "" */
    char *holder;      /* x-ms-meta-holder, "" */
    char *snapshot;    /* x-ms-snapshot, "" */
    struct buf body;
    unsigned attempts;
};

void blob_call_header(struct blob_call *c, const char *name, const char *value);
/* Any status is an answer; only no answer is an error (ERR_NET, ERR_TIMEOUT, ERR_AUTH ...). */
MUST_CHECK struct err *blob_call_run(
        const struct blob_place *p, const struct blob_call *c, struct blob_answer *ret);
typedef void blob_call_done(void *arg, struct blob_answer *answer, struct err *e);
struct blob_pending;
/*
 * One attempt; `done` is called once, from http_loop_run or (no login) at once, and takes the
 * answer and the error. `p` and all that `c` points to are borrowed until then.
 */
MUST_CHECK struct blob_pending *blob_call_send(
        const struct blob_place *p, const struct blob_call *c, blob_call_done *done, void *arg);
/* Gives it up without calling back. Not after `done` was called. */
void blob_call_cancel(struct blob_pending *pending);
/* "HTTP 412 ConditionNotMet" as an error about `what`. */
MUST_CHECK struct err *blob_answer_error(const struct blob_answer *a, const char *what);
void blob_answer_release(struct blob_answer *a);

static inline void auto_blob_answer(struct blob_answer *a)
{
    blob_answer_release(a);
}

#endif
