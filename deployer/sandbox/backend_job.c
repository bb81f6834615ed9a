#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/backend_core.h"
#include "sandbox/backend_replica.h"

/* Ours: older executions are forgotten, as Container Apps does. */
#define EXECUTIONS_MAX 20u

struct execution {
    char *name;
    char started[CLOCK_RFC3339_SIZE];
    char ended[CLOCK_RFC3339_SIZE];
    const char *status;
    char *reason;
    char *detail;
    json_t *template;
    int exit_status;
    int64_t attempts_left;
    int64_t deadline_ms;
    struct replica *replica; /* NULL once it has ended */
};

struct job {
    struct execution executions[EXECUTIONS_MAX]; /* oldest first */
    size_t count;
};

static void execution_release(struct execution *x)
{
    replica_free(x->replica);
    free(x->name);
    free(x->reason);
    free(x->detail);
    json_decref(x->template);
}

static void put(struct backend *b, struct entry *e)
{
    (void)b;
    if (e->data == NULL)
        e->data = xcalloc(1, sizeof(struct job));
    backend_set_ready(e);
}

static void release(struct entry *e)
{
    struct job *job = e->data;

    if (job == NULL)
        return;
    for (size_t i = 0; i < job->count; i++)
        execution_release(&job->executions[i]);
    free(job);
}

static void start_replica(struct backend *b, const struct entry *e, struct execution *x)
{
    const json_t *p = json_object_get(e->doc, "properties");
    AUTO(free) char *tail = digest_random_text("bcdfghjklmnpqrstvwxz2456789", 5);
    AUTO(free) char *name = xasprintf("%s-%s", x->name, tail);
    const char *environment = jsonx_text(p, "environmentId");
    const struct replica_spec spec = {
        .owner_id = e->id,
        .name = name,
        .template = x->template,
        .secrets = jsonx_at(e->doc, "properties.configuration.secrets"),
        .environment_id = environment,
        .runs_once = true,
    };

    x->replica = replica_start(b, &spec);
}

static void finish(struct execution *x, const char *status)
{
    x->status = status;
    x->exit_status = replica_exit_status(x->replica);
    free(x->reason);
    free(x->detail);
    x->reason = xstrdup(replica_reason(x->replica));
    x->detail = replica_detail(x->replica);
    clock_rfc3339(clock_wall_ms(), x->ended);
    replica_free(x->replica);
    x->replica = NULL;
}

static void tick_one(struct backend *b, const struct entry *e, struct execution *x)
{
    if (x->replica == NULL)
        return;
    replica_tick(x->replica);
    switch (replica_phase(x->replica)) {
    case REPLICA_DONE:
        if (replica_exit_status(x->replica) == 0) {
            finish(x, "Succeeded");
        } else if (x->attempts_left > 0) {
            x->attempts_left--;
            replica_free(x->replica);
            start_replica(b, e, x);
        } else {
            finish(x, "Failed");
        }
        break;
    case REPLICA_FAILED:
        finish(x, "Failed");
        break;
    case REPLICA_GONE:
        finish(x, "Stopped");
        break;
    case REPLICA_STARTING:
    case REPLICA_READY:
    case REPLICA_UNREADY:
        if (b->now_ms >= x->deadline_ms && x->deadline_ms > 0)
            replica_stop(x->replica);
        break;
    }
}

static void tick(struct backend *b, struct entry *e)
{
    struct job *job = e->data;

    for (size_t i = 0; i < job->count; i++)
        tick_one(b, e, &job->executions[i]);
}

static json_t *execution_json(const struct entry *e, const struct execution *x)
{
    json_t *p = jsonx_must(json_pack("{s:s, s:s, s:O}", "status", x->status, "startTime",
            x->started, "template", x->template));

    if (x->ended[0] != '\0')
        json_object_set_new(p, "endTime", jsonx_textf("%s", x->ended));
    if (x->replica == NULL && text_eq(x->status, "Failed")) {
        json_object_set_new(p, "reason",
                jsonx_textf("%s", x->reason[0] != '\0' ? x->reason : "ContainerExited"));
        json_object_set_new(p, "detail", jsonx_textf("%s", x->detail));
        json_object_set_new(p, "exitCode", json_integer(x->exit_status));
    }
    return jsonx_must(
            json_pack("{s:o, s:s, s:s, s:o}", "id", jsonx_textf("%s/executions/%s", e->id, x->name),
                    "name", x->name, "type", "Microsoft.App/jobs/executions", "properties", p));
}

static void drop_oldest(struct job *job)
{
    execution_release(&job->executions[0]);
    memmove(&job->executions[0], &job->executions[1],
            (EXECUTIONS_MAX - 1) * sizeof(job->executions[0]));
    job->count--;
}

/* A start may carry a template of its own, which then replaces the job's for this run. */
static bool start(struct backend *b, struct entry *e, struct backend_call *call)
{
    struct job *job = e->data;
    const json_t *configuration = jsonx_at(e->doc, "properties.configuration");
    const json_t *own = json_object_get(call->body, "containers") != NULL ? call->body : NULL;
    const json_t *template = own != NULL ? own : jsonx_at(e->doc, "properties.template");
    const int64_t timeout_s = jsonx_int(configuration, "replicaTimeout", 0);
    AUTO(free) char *tail = digest_random_text("abcdefghijklmnopqrstuvwxyz0123456789", 7);

    if (job->count == EXECUTIONS_MAX)
        drop_oldest(job);
    struct execution *x = &job->executions[job->count++];

    *x = (struct execution){
        .name = xasprintf("%s-%s", backend_name(e->id), tail),
        .status = "Running",
        .template = template == NULL ? jsonx_must(json_object()) : jsonx_copy(template),
        .attempts_left = jsonx_int(configuration, "replicaRetryLimit", 0),
        .deadline_ms = timeout_s > 0 ? clock_now_ms() + timeout_s * 1000 : 0,
    };
    clock_rfc3339(clock_wall_ms(), x->started);
    start_replica(b, e, x);
    call->status = 200;
    call->answer = jsonx_must(json_pack(
            "{s:o, s:s}", "id", jsonx_textf("%s/executions/%s", e->id, x->name), "name", x->name));
    return true;
}

static bool answer_list(const struct entry *e, struct backend_call *call)
{
    const struct job *job = e->data;
    json_t *list = jsonx_must(json_array());

    for (size_t i = job->count; i-- > 0;)
        json_array_append_new(list, execution_json(e, &job->executions[i]));
    call->answer = jsonx_must(json_pack("{s:o}", "value", list));
    return true;
}

static void stop_all(struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->executions[i].replica != NULL)
            replica_stop(job->executions[i].replica);
}

static bool handle(struct backend *b, struct entry *e, struct backend_call *call)
{
    struct job *job = e->data;
    struct str rest = str_of(call->sub);
    const struct str what = str_cut(&rest, '/');
    const bool is_get = text_eq(call->method, "GET");
    const bool is_post = text_eq(call->method, "POST");

    if (is_post && str_eq_ci(what, STR("start")))
        return start(b, e, call);
    if (is_post && str_eq_ci(what, STR("stop"))) {
        stop_all(job);
        return true;
    }
    if (!str_eq_ci(what, STR("executions")))
        return false;
    if (rest.len == 0)
        return is_get && answer_list(e, call);
    const struct str name = str_cut(&rest, '/');

    for (size_t i = 0; i < job->count; i++) {
        struct execution *x = &job->executions[i];

        if (!str_eq_ci(str_of(x->name), name))
            continue;
        if (is_get && rest.len == 0) {
            call->answer = execution_json(e, x);
            return true;
        }
        if (is_post && str_eq_ci(rest, STR("stop")) && x->replica != NULL)
            replica_stop(x->replica);
        return is_post;
    }
    return backend_answer_error(call, 404, "JobExecutionNotFound",
            "Execution '%.*s' of job '%s' was not found.", STR_ARG(name), backend_name(e->id));
}

static json_t *view(struct backend *b, struct entry *e)
{
    (void)b;
    (void)e;
    return jsonx_must(json_pack("{s:{s:s}}", "properties", "runningState", "Ready"));
}

static void removed(struct backend *b, struct entry *e)
{
    AUTO(free) char *dir = backend_folder(b, e->id, NULL);

    stop_all(e->data);
    backend_bury(b, dir, NULL);
}

const struct driver driver_job = {
    .type = "microsoft.app/jobs",
    .put = put,
    .remove = removed,
    .release = release,
    .tick = tick,
    .view = view,
    .handle = handle,
};
