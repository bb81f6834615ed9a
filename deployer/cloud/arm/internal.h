/*
 * internal.h - what the files of cloud/arm share: the cloud's own data, jobs (whatever is under
 * way, so that it can be dropped), one call, one followed operation.
 */
#ifndef ARM_INTERNAL_H
#define ARM_INTERNAL_H

#include "cloud/arm/arm.h"
#include "cloud/arm/hold.h"
#include "cloud/arm/operation.h"
#include "http/pace.h"

/* --- jobs ------------------------------------------------------------------------------------ */

struct arm;

/* The head of everything asynchronous here; destroy frees the whole without calling back. */
struct arm_job {
    struct arm_job *next;
    struct arm_job *prev;
    struct arm *arm;
    void (*destroy)(struct arm_job *job);
};
void arm_job_add(struct arm *arm, struct arm_job *job, void (*destroy)(struct arm_job *job));
/* Takes it out and destroys it. */
void arm_job_end(struct arm_job *job);

/* --- the cloud ------------------------------------------------------------------------------- */

enum arm_class { ARM_READS, ARM_WRITES, ARM_DELETES, ARM_CLASSES };

struct arm {
    struct cloud cloud; /* first */
    char *endpoint;
    char *authority;
    char *audience;
    char *vault_suffix; /* "vault.azure.net"; NULL: not told */
    char *subscription;
    char *resource_group;
    double time_scale;
    struct auth *auth;
    struct pace pace[ARM_CLASSES];
    struct arm_hold *holds; /* providers that have had enough */
    struct arm_job *jobs;
    struct arm_turn *turns; /* serial writes: holders and waiters, in order */
    char correlation_id[37];
    struct exchange *discovery; /* metadata/endpoints, under way */
    struct arm_waiter *ready_waiters;
    int64_t warned_ms; /* when it was last said that there is trouble to be waited out */
};

static inline struct arm *arm_of(struct cloud *c)
{
    return (struct arm *)c;
}

/* Calls back once authority and audience are known (perhaps at once). `e` is owned by it. */
typedef void arm_ready_done(void *arg, struct err *e);
void arm_ready(struct arm *arm, int64_t deadline_ms, arm_ready_done *done, void *arg);
void arm_ready_cancel(struct arm *arm, const void *arg);
/* AUDIENCE/.default. Owned; after arm_ready. */
MUST_CHECK char *arm_scope(const struct arm *arm);
/* ENDPOINT + encoded id [+ "/" + tail] + "?api-version=V". Owned. */
MUST_CHECK char *arm_url(
        const struct arm *arm, const char *id, const char *tail, const char *api_version);

/* --- one call (call.c) ----------------------------------------------------------------------- */

struct arm_answer {
    struct err *e;       /* transport, login or a status that is no success; may be TAKEn */
    long status;         /* 0 without an answer */
    json_t *body;        /* or NULL; borrowed */
    const json_t *fault; /* of a failure; borrowed */
    struct arm_reply reply;
    int64_t after_ms; /* Retry-After, -1 */
    unsigned requests;
};
typedef void arm_call_done(void *arg, struct arm_answer *a);

struct arm_call {
    const char *method;
    const char *url;         /* absolute; it must be below the endpoint */
    struct buf *body;        /* taken (emptied), or NULL */
    const char *if_match;    /* or NULL */
    const struct kind *kind; /* whose conflicts are worth waiting for; or NULL */
    bool may_register;       /* a missing provider is registered */
    bool is_poll;            /* transient failures are retried until the deadline */
    bool is_once;            /* a lost answer is not asked for again */
    bool wants_body;         /* 200 without a body is no answer */
    int64_t deadline_ms;
    cloud_progress *progress; /* or NULL; called with arg */
    arm_call_done *done;
    void *arg;
};
/* Whether a 404 says that the thing is absent, not that the question was wrong. */
bool arm_answer_is_absence(const struct arm_answer *a);
/* Copies the texts. Calls back from the loop. */
void arm_call_start(struct arm *arm, const struct arm_call *call);

/* --- one operation (follow.c) ---------------------------------------------------------------- */

struct arm_follow_result {
    struct err *e;
    const json_t *fault; /* of an operation that ended badly; borrowed */
    json_t *document;    /* PUT, PATCH: the resource; POST: the answer; or NULL. Borrowed */
    long status;
    unsigned requests;
};
struct arm_follow_spec {
    struct arm_operation *operation; /* taken (emptied) */
    const struct kind *kind;
    const char *id;
    int64_t after_ms;      /* the first answer's Retry-After */
    bool is_probably_done; /* the first look is at once */
    int64_t usual_ms;
    int64_t deadline_ms;
    cloud_progress *progress;
    void (*done)(void *arg, struct arm_follow_result *r);
    void *arg;
};
/* Waits for the end and for what is left when it is reached: final GET, confirmed deletion. */
void arm_follow_start(struct arm *arm, const struct arm_follow_spec *spec);

/* --- turns (turn.c) -------------------------------------------------------------------------- */

struct arm_turn;
/*
 * Waits until no other write holds one of the kind's serial keys; fn is called from the loop.
 * `body` (or NULL) is what refs are read from.
 */
struct arm_turn *arm_turn_take(struct arm *arm, const struct kind *k, const char *id,
        const json_t *body, void (*fn)(void *arg), void *arg);
/* NULL is accepted. */
void arm_turn_give(struct arm *arm, struct arm_turn *turn);
bool arm_turn_is_waiting(const struct arm_turn *turn);

/* --- operations of cloud.h ------------------------------------------------------------------- */

void arm_read(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
        cloud_done *done, void *arg);
void arm_list(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
        cloud_done *done, void *arg);
void arm_write(struct cloud *c, const struct cloud_write *w);
void arm_remove(struct cloud *c, const struct kind *k, const char *id, const json_t *resume,
        int64_t deadline_ms, void (*accepted)(void *arg, const json_t *token), cloud_done *done,
        void *arg);
void arm_act(struct cloud *c, const struct kind *k, const char *id, const char *method,
        const char *path, const json_t *body, int64_t deadline_ms, cloud_done *done, void *arg);
/* The kind's usual minutes as milliseconds of this cloud. */
int64_t arm_usual_ms(const struct arm *arm, double minutes);

#endif
