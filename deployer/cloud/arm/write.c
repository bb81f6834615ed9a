/*
 * Writes and deletions: the turn, the request, the operation it starts, once more where the kind
 * says that its failure passes.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cloud/arm/fault.h"
#include "cloud/arm/id.h"
#include "cloud/arm/internal.h"

#define BODY_MAX (4u << 20)

struct write {
    struct arm_job job; /* first */
    struct cloud_write spec;
    const char *method;
    char *id;
    char *if_match;
    struct arm_turn *turn;
    unsigned timer;
    unsigned requests;
    unsigned conflicts;
    int64_t started_ms;
    int64_t conflict_since_ms; /* -1: none yet */
};

static void destroy(struct arm_job *job)
{
    struct write *w = (struct write *)job;

    http_loop_drop_timer(job->arm->cloud.loop, w->timer);
    arm_turn_give(job->arm, w->turn);
    free(w->id);
    free(w->if_match);
    free(w);
}

static void finish(struct write *w, struct cloud_result *r)
{
    r->requests = w->requests;
    r->elapsed_ms = clock_now_ms() - w->started_ms;
    arm_turn_give(w->job.arm, w->turn);
    w->turn = NULL;
    w->spec.done(w->spec.arg, r);
    arm_job_end(&w->job);
}

static void tell(void *arg, const char *what)
{
    struct write *w = arg;

    if (w->spec.progress != NULL)
        w->spec.progress(w->spec.arg, what);
}

static int64_t usual_ms(const struct write *w)
{
    const struct kind *k = w->spec.kind;

    return arm_usual_ms(w->job.arm, text_eq(w->method, "DELETE") ? k->delete_min
                                    : w->spec.is_create          ? k->create_min
                                                                 : k->update_min);
}

static void send_request(void *arg);

/* An operation that ended badly for a reason that passes is started again. */
static bool goes_again(struct write *w, const json_t *fault)
{
    const json_t *rule = arm_fault_rule(w->spec.kind, 0, fault);
    const int64_t now = clock_now_ms();
    char text[192];
    char duration[CLOCK_DURATION_SIZE];

    if (rule == NULL || jsonx_bool(rule, "give_up", false))
        return false;
    if (w->conflict_since_ms < 0)
        w->conflict_since_ms = now;
    const int64_t wait = arm_fault_rule_wait_ms(rule, w->conflicts++);

    if (now + wait - w->conflict_since_ms > jsonx_int(rule, "for_s", 600) * 1000
            || wait >= w->spec.deadline_ms - now)
        return false;
    clock_duration(wait, duration);
    snprintf(text, sizeof(text), "%s, again in %s", arm_fault_code(fault), duration);
    log_info("arm.retry", "%s %s: %s", w->method, w->id, text);
    tell(w, text);
    w->timer = http_loop_after(w->job.arm->cloud.loop, wait, send_request, w);
    return true;
}

static void on_followed(void *arg, struct arm_follow_result *f)
{
    struct write *w = arg;

    w->requests += f->requests;
    if (f->e != NULL && f->fault != NULL && goes_again(w, f->fault))
        return;
    finish(w, &(struct cloud_result){ .e = TAKE(f->e),
                      .document = f->document,
                      .status = f->status,
                      .is_absent = text_eq(w->method, "DELETE") });
}

/*
 * after_ms: Retry-After, -1; is_probably_done: a 201 that tells no state, which by ARM's rules may
 * still be under way and mostly is not.
 */
static void follow(
        struct write *w, struct arm_operation *op, int64_t after_ms, bool is_probably_done)
{
    arm_follow_start(w->job.arm, &(struct arm_follow_spec){ .operation = op,
                                         .kind = w->spec.kind,
                                         .id = w->id,
                                         .after_ms = after_ms,
                                         .is_probably_done = is_probably_done,
                                         .usual_ms = usual_ms(w),
                                         .deadline_ms = w->spec.deadline_ms,
                                         .progress = tell,
                                         .done = on_followed,
                                         .arg = w });
}

/* The answer to a write that needs no waiting: the resource as it is now, or why it failed. */
static void end_at_once(struct write *w, struct arm_answer *a)
{
    const char *word = arm_provisioning_state(a->body);
    const char *id = jsonx_text(a->body, "id");

    if (word != NULL && arm_state_of(word) == ARM_FAILED) {
        json_auto_t *fault = arm_fault_of(a->body);
        json_auto_t *empty = jsonx_must(json_object());

        finish(w, &(struct cloud_result){
                          .e = arm_fault_err(fault == NULL ? empty : fault,
                                  &(struct arm_fault_context){ .what = w->method,
                                          .state = word,
                                          .request_id = STR(""),
                                          .correlation_id = str_of(w->job.arm->correlation_id),
                                          .elapsed_ms = clock_now_ms() - w->started_ms }),
                          .status = a->status });
        return;
    }
    if (id != NULL && arm_id_same(id, w->id)) {
        finish(w, &(struct cloud_result){ .document = a->body, .status = a->status });
        return;
    }
    /* It said no more than that it is done. */
    struct arm_operation op = { .method = w->method, .since_wall_ms = clock_wall_ms() };

    follow(w, &op, -1, false);
}

static void on_answer(void *arg, struct arm_answer *a)
{
    struct write *w = arg;
    struct arm_operation op = { 0 };
    const bool is_delete = text_eq(w->method, "DELETE");

    w->requests += a->requests;
    if (is_delete && arm_answer_is_absence(a)) {
        finish(w, &(struct cloud_result){ .status = 404, .is_absent = true });
        return;
    }
    if (a->e != NULL) {
        finish(w, &(struct cloud_result){ .e = TAKE(a->e), .status = a->status });
        return;
    }
    arm_operation_begin(w->method, &a->reply, w->job.arm->endpoint, clock_wall_ms(), &op);
    if (op.follow == ARM_FOLLOW_NOTHING && !is_delete) {
        end_at_once(w, a);
        arm_operation_release(&op);
        return;
    }
    const bool is_probably_done = op.follow == ARM_FOLLOW_RESOURCE && a->status == 201
                                  && a->after_ms < 0 && arm_provisioning_state(a->body) == NULL;

    if (op.follow != ARM_FOLLOW_NOTHING && !is_probably_done && w->spec.accepted != NULL) {
        json_auto_t *token = arm_operation_token(&op, w->id);

        w->spec.accepted(w->spec.arg, token);
    }
    if (!is_probably_done)
        tell(w, is_delete ? "accepted: Deleting" : "accepted");
    follow(w, &op, a->after_ms, is_probably_done);
    arm_operation_release(&op);
}

static void send_request(void *arg)
{
    struct write *w = arg;
    AUTO(free) char *url = arm_url(w->job.arm, w->id, NULL, w->spec.kind->api_version);
    struct buf body = { .max_bytes = BODY_MAX, .is_secret = true };
    struct err *e = NULL;

    w->timer = 0;
    if (w->spec.body != NULL)
        e = expr_write_wire(w->spec.body, w->spec.secrets, &body);
    if (e == NULL)
        e = buf_check(&body, "the document");
    if (e != NULL) {
        buf_release(&body);
        finish(w, &(struct cloud_result){ .e = e });
        return;
    }
    tell(w, text_eq(w->method, "DELETE") ? "DELETE sent"
            : w->spec.is_patch           ? "PATCH sent"
                                         : "PUT sent");
    arm_call_start(w->job.arm, &(struct arm_call){ .method = w->method,
                                       .url = url,
                                       .body = &body,
                                       .if_match = w->if_match,
                                       .kind = w->spec.kind,
                                       .may_register = !text_eq(w->method, "DELETE"),
                                       .deadline_ms = w->spec.deadline_ms,
                                       .progress = tell,
                                       .done = on_answer,
                                       .arg = w });
}

static void resume(void *arg)
{
    struct write *w = arg;
    struct arm_operation op = { 0 };
    struct err *e = arm_operation_resume(w->spec.resume, w->job.arm->endpoint, &op);

    w->timer = 0;
    if (e != NULL) {
        finish(w, &(struct cloud_result){ .e = e });
        return;
    }
    /* {} tells no method; who resumes knows it. */
    if (json_object_size(w->spec.resume) == 0 && text_eq(w->method, "DELETE"))
        op.method = "DELETE";
    if (op.since_wall_ms == 0) /* nor when it began */
        op.since_wall_ms = clock_wall_ms();
    w->method = op.method;
    tell(w, "going on with an operation under way");
    follow(w, &op, -1, false);
    arm_operation_release(&op);
}

static void start(struct write *w)
{
    struct arm *arm = w->job.arm;

    if (w->spec.resume != NULL) {
        w->timer = http_loop_after(arm->cloud.loop, 0, resume, w);
        return;
    }
    w->turn = arm_turn_take(arm, w->spec.kind, w->id, w->spec.body, send_request, w);
    if (arm_turn_is_waiting(w->turn))
        tell(w, "waiting for another write to the same parent");
}

static struct write *write_new(struct arm *arm, const struct cloud_write *spec)
{
    struct write *w = xcalloc(1, sizeof(*w));

    arm_job_add(arm, &w->job, destroy);
    w->spec = *spec;
    w->id = xstrdup(spec->id);
    w->if_match = xstrdup(spec->if_match);
    w->started_ms = clock_now_ms();
    w->conflict_since_ms = -1;
    return w;
}

void arm_write(struct cloud *c, const struct cloud_write *spec)
{
    struct write *w = write_new(arm_of(c), spec);

    w->method = spec->is_patch ? "PATCH" : "PUT";
    start(w);
}

void arm_remove(struct cloud *c, const struct kind *k, const char *id, const json_t *resume,
        int64_t deadline_ms, void (*accepted)(void *arg, const json_t *token), cloud_done *done,
        void *arg)
{
    struct write *w = write_new(arm_of(c), &(struct cloud_write){ .kind = k,
                                                   .id = id,
                                                   .resume = resume,
                                                   .deadline_ms = deadline_ms,
                                                   .accepted = accepted,
                                                   .done = done,
                                                   .arg = arg });

    w->method = "DELETE";
    start(w);
}
