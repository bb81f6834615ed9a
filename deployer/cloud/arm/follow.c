/*
 * Waits for the end of a long-running operation by the decisions of operation.h, and for what is
 * left then: the resource as it became, or that it is gone everywhere.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "cloud/arm/fault.h"
#include "cloud/arm/internal.h"

/* A new resource may be unknown (404, 403) to another of ARM's regions for a while. */
#define UNKNOWN_FOR_MS (5 * 60 * 1000)
/* So may the URL of an operation that has just begun (404). Minutes, of the cloud's own pace. */
#define URL_UNKNOWN_FOR_MIN 0.25

struct follow {
    struct arm_job job; /* first */
    struct arm_follow_spec spec;
    struct arm_operation op;
    char *id;
    int64_t after_ms;
    int64_t ended_ms; /* when the operation was over; -1 before */
    unsigned looks;
    unsigned requests;
    unsigned timer;
    char word[64]; /* told last */
};

static void destroy(struct arm_job *job)
{
    struct follow *f = (struct follow *)job;

    http_loop_drop_timer(job->arm->cloud.loop, f->timer);
    arm_operation_release(&f->op);
    free(f->id);
    free(f);
}

static void finish(struct follow *f, struct arm_follow_result *r)
{
    r->requests = f->requests;
    f->spec.done(f->spec.arg, r);
    err_free(r->e);
    arm_job_end(&f->job);
}

static void fail(struct follow *f, struct err *e)
{
    finish(f, &(struct arm_follow_result){ .e = e, .status = err_code(e) });
}

static int64_t elapsed_ms(const struct follow *f)
{
    const int64_t ms = clock_wall_ms() - f->op.since_wall_ms;

    return ms < 0 ? 0 : ms;
}

static void tell(struct follow *f, const char *word)
{
    if (f->spec.progress == NULL || text_eq(f->word, word))
        return;
    snprintf(f->word, sizeof(f->word), "%s", word);
    f->spec.progress(f->spec.arg, f->word);
}

static bool is_delete(const struct follow *f)
{
    return text_eq(f->op.method, "DELETE");
}

static void look(void *arg);
static void look_at_resource(void *arg);

static void later(struct follow *f, int64_t wait_ms, http_timer_fn *fn)
{
    if (wait_ms >= f->spec.deadline_ms - clock_now_ms()) {
        char spent[CLOCK_DURATION_SIZE];

        clock_duration(elapsed_ms(f), spent);
        struct err *e =
                err_new(ERR_TIMEOUT, 0, "%s: still %s after %s: the operation goes on in the cloud",
                        f->op.method, f->word[0] == '\0' ? "running" : f->word, spent);

        err_set_hint(e, "run the command again: it goes on from here");
        fail(f, e);
        return;
    }
    f->timer = http_loop_after(f->job.arm->cloud.loop, wait_ms, fn, f);
}

/* Bad ends tell why in the operation's body or in the resource's. */
static void end_badly(struct follow *f, const json_t *body, const char *word)
{
    json_auto_t *told = body == NULL ? NULL : arm_fault_of(body);
    json_auto_t *fault = told != NULL ? json_incref(told) : jsonx_must(json_object());
    const struct arm_fault_context c = { .what = f->op.method,
        .state = word,
        .request_id = STR(""),
        .correlation_id = str_of(f->job.arm->correlation_id),
        .elapsed_ms = elapsed_ms(f) };

    finish(f, &(struct arm_follow_result){ .e = arm_fault_err(fault, &c), .fault = fault });
}

/* --- after the end --------------------------------------------------------------------------- */

static void on_final(void *arg, struct arm_answer *a)
{
    struct follow *f = arg;
    const int64_t since = clock_now_ms() - f->ended_ms;
    const bool is_unknown = a->status == 404 || a->status == 403;

    f->requests += a->requests;
    if (is_delete(f) && (a->status == 404 || a->status == 410)) {
        finish(f, &(struct arm_follow_result){ .status = a->status });
        return;
    }
    /* The rights on what is gone go with it, and the operation has said that it is gone. */
    if (is_delete(f) && a->status == 403) {
        finish(f, &(struct arm_follow_result){ .status = a->status });
        return;
    }
    if (a->e != NULL && (is_delete(f) || !is_unknown || since > UNKNOWN_FOR_MS)) {
        fail(f, TAKE(a->e));
        return;
    }
    if (is_delete(f) || is_unknown) {
        tell(f, is_delete(f) ? "Deleting" : "waiting until it can be read");
        later(f, arm_poll_wait_ms(since, 0, a->after_ms), look_at_resource);
        return;
    }
    const char *word = arm_provisioning_state(a->body);

    if (word != NULL && arm_state_of(word) == ARM_FAILED) {
        end_badly(f, a->body, word);
    } else if (word != NULL && arm_state_of(word) == ARM_RUNNING) {
        tell(f, word);
        later(f, arm_poll_wait_ms(elapsed_ms(f), f->spec.usual_ms, a->after_ms), look_at_resource);
    } else {
        finish(f, &(struct arm_follow_result){ .document = a->body, .status = a->status });
    }
}

static void look_at_resource(void *arg)
{
    struct follow *f = arg;
    AUTO(free) char *url = arm_url(f->job.arm, f->id, NULL, f->spec.kind->api_version);

    f->timer = 0;
    arm_call_start(f->job.arm, &(struct arm_call){ .method = "GET",
                                       .url = url,
                                       .is_poll = true,
                                       .wants_body = true,
                                       .deadline_ms = f->spec.deadline_ms,
                                       .done = on_final,
                                       .arg = f });
}

/* What a POST was about: the operation's own result, or what its Location shows. */
static void on_post_result(void *arg, struct arm_answer *a)
{
    struct follow *f = arg;

    f->requests += a->requests;
    if (a->e != NULL)
        fail(f, TAKE(a->e));
    else
        finish(f, &(struct arm_follow_result){ .document = a->body, .status = a->status });
}

static void end_post(struct follow *f, const struct arm_answer *a)
{
    json_t *properties = jsonx_get_ci(a->body, "properties");

    if (f->op.follow == ARM_FOLLOW_STATUS && f->op.location != NULL) {
        arm_call_start(f->job.arm, &(struct arm_call){ .method = "GET",
                                           .url = f->op.location,
                                           .is_poll = true,
                                           .deadline_ms = f->spec.deadline_ms,
                                           .done = on_post_result,
                                           .arg = f });
        return;
    }
    finish(f, &(struct arm_follow_result){
                      .document = f->op.follow == ARM_FOLLOW_STATUS && json_is_object(properties)
                                          ? properties
                                          : a->body,
                      .status = a->status });
}

static void end_well(struct follow *f, const struct arm_answer *a)
{
    f->ended_ms = clock_now_ms();
    if (text_eq(f->op.method, "POST")) {
        end_post(f, a);
    } else if (f->op.follow == ARM_FOLLOW_RESOURCE && !is_delete(f)) {
        finish(f, &(struct arm_follow_result){ .document = a->body, .status = a->status });
    } else if (f->op.follow == ARM_FOLLOW_RESOURCE) {
        finish(f, &(struct arm_follow_result){ .status = a->status });
    } else {
        look_at_resource(f);
    }
}

/* --- until the end --------------------------------------------------------------------------- */

/* A deletion is judged by what is there: its URL may go with the resource. */
static bool is_url_still_unknown(const struct follow *f, const struct arm_answer *a)
{
    return a->status == 404 && f->op.follow != ARM_FOLLOW_RESOURCE && !is_delete(f)
           && elapsed_ms(f) < arm_usual_ms(f->job.arm, URL_UNKNOWN_FOR_MIN);
}

static void on_look(void *arg, struct arm_answer *a)
{
    struct follow *f = arg;
    const char *word = NULL;
    /* These have a meaning for the operation; every other failure ends the wait. */
    const bool is_judged = a->e == NULL || a->status == 404 || a->status == 405 || a->status == 410;

    f->requests += a->requests;
    if (!is_judged) {
        if (a->fault != NULL && f->op.follow == ARM_FOLLOW_LOCATION)
            finish(f, &(struct arm_follow_result){
                              .e = TAKE(a->e), .fault = a->fault, .status = a->status });
        else
            fail(f, TAKE(a->e));
        return;
    }
    if (is_url_still_unknown(f, a)) {
        later(f, arm_poll_wait_ms(elapsed_ms(f), 0, a->after_ms), look);
        return;
    }
    const enum arm_follow before = f->op.follow;
    const enum arm_state state =
            arm_operation_judge(&f->op, &a->reply, f->job.arm->endpoint, &word);

    if (state == ARM_RUNNING) {
        tell(f, word);
        f->after_ms = a->after_ms;
        later(f,
                before != f->op.follow
                        ? 0
                        : arm_poll_wait_ms(elapsed_ms(f), f->spec.usual_ms, f->after_ms),
                look);
    } else if (state == ARM_FAILED && a->e != NULL) {
        fail(f, TAKE(a->e));
    } else if (state == ARM_FAILED) {
        end_badly(f, a->body, word);
    } else {
        end_well(f, a);
    }
}

static void look(void *arg)
{
    struct follow *f = arg;
    AUTO(free)
    char *resource = f->op.follow == ARM_FOLLOW_RESOURCE
                             ? arm_url(f->job.arm, f->id, NULL, f->spec.kind->api_version)
                             : NULL;

    f->timer = 0;
    f->looks++;
    arm_call_start(f->job.arm, &(struct arm_call){ .method = "GET",
                                       .url = resource != NULL ? resource : f->op.url,
                                       .is_poll = true,
                                       .wants_body = resource != NULL,
                                       .deadline_ms = f->spec.deadline_ms,
                                       .done = on_look,
                                       .arg = f });
}

void arm_follow_start(struct arm *arm, const struct arm_follow_spec *spec)
{
    struct follow *f = xcalloc(1, sizeof(*f));

    arm_job_add(arm, &f->job, destroy);
    f->spec = *spec;
    f->op = *spec->operation;
    *spec->operation = (struct arm_operation){ .method = f->op.method };
    f->id = xstrdup(spec->id);
    f->after_ms = spec->after_ms;
    f->ended_ms = -1;
    if (f->op.follow == ARM_FOLLOW_NOTHING) { /* only a deletion still to be confirmed comes so */
        f->ended_ms = clock_now_ms();
        later(f, 0, look_at_resource);
    } else {
        later(f,
                spec->is_probably_done
                        ? 0
                        : arm_poll_wait_ms(elapsed_ms(f), spec->usual_ms, spec->after_ms),
                look);
    }
}
