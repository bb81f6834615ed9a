#include "sandbox/service_core.h"

#include <stdarg.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/endpoints.h"
#include "sandbox/netmap.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"
#include "sandbox/task.h"

#define STEPS_TIME_MS 60000
/* A first start on a busy machine. */
#define READY_TIME_MS 90000
#define READY_PERIOD_MS 150

PRINTF_LIKE(3, 4)
static void fail(struct entry *e, struct service *s, const char *fmt, ...)
{
    char what[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    AUTO(free) char *log = file_join(s->dir, "server.log");
    AUTO(free) char *tail = task_log_tail(log);

    process_free(s->process);
    s->process = NULL;
    task_free(s->task);
    s->task = NULL;
    s->phase = PHASE_DEAD;
    backend_set_failed(e, "SandboxServiceFailed", "%s: %s%s%s (%s)",
            jsonx_text(s->recipe, "service"), what, tail[0] == '\0' ? "" : ": ", tail, log);
}

static void fail_err(struct entry *e, struct service *s, struct err *err)
{
    fail(e, s, "%s", err_text(err));
    err_free(err);
}

/* ---- phases ---- */

static struct task *new_task(struct backend *b, const struct service *s, const json_t *steps)
{
    const struct task_spec spec = {
        .steps = steps,
        .commands = json_object_get(s->recipe, "commands"),
        .scope = s->scope,
        .dir = s->dir,
        .user = service_user(s),
        .time_ms = STEPS_TIME_MS,
    };

    return task_new(b, &spec);
}

/* Runs the task of a phase, made from `steps` at first; true when it is done. */
static bool run_steps(struct backend *b, struct entry *e, struct service *s, const json_t *steps)
{
    if (s->task == NULL)
        s->task = new_task(b, s, steps);
    const enum task_state state = task_tick(s->task);

    if (state == TASK_RUNNING)
        return false;
    if (state == TASK_FAILED) {
        AUTO(free) char *problem = xstrdup(task_problem(s->task));

        fail(e, s, "%s", problem);
        return false;
    }
    return true;
}

static void end_task(struct service *s, enum service_phase next)
{
    task_free(s->task);
    s->task = NULL;
    s->phase = next;
}

static void prepare(struct backend *b, struct entry *e, struct service *s)
{
    AUTO(free) char *mark = file_join(s->dir, "prepared");

    if (s->task == NULL) {
        struct err *err = service_make_folders(s);

        if (err != NULL) {
            fail_err(e, s, err);
            return;
        }
    }
    if (!file_exists(mark)) {
        if (!run_steps(b, e, s, json_object_get(s->recipe, "prepare")))
            return;
        err_ignore(file_write(mark, STR("1\n"), 0600), "then it is prepared again");
    }
    end_task(s, PHASE_VERSION);
}

static void find_version(struct backend *b, struct entry *e, struct service *s)
{
    const json_t *step = json_object_get(s->recipe, "version");
    json_auto_t *steps = jsonx_must(json_array());

    if (s->version == NULL && step != NULL) {
        json_array_append(steps, (json_t *)(uintptr_t)step);
        if (!run_steps(b, e, s, steps))
            return;
        s->version = task_first_version(task_output(s->task));
    }
    end_task(s, PHASE_START);
}

static void start(struct backend *b, struct entry *e, struct service *s)
{
    struct err *err = service_start(b, s);

    if (err != NULL) {
        fail_err(e, s, err);
        return;
    }
    s->phase = PHASE_WAIT;
    s->deadline_ms = clock_now_ms() + READY_TIME_MS;
    s->next_ms = 0;
}

static bool has_died(struct entry *e, struct service *s)
{
    if (process_is_running(s->process))
        return false;
    AUTO(free) char *status = xasprintf("%d", process_exit_status(s->process));

    fail(e, s, "the server ended with status %s", status);
    return true;
}

/* Until it answers a failed attempt is no failure. */
static void wait_ready(struct backend *b, struct entry *e, struct service *s)
{
    if (has_died(e, s))
        return;
    if (s->task == NULL) {
        if (clock_now_ms() < s->next_ms)
            return;
        s->task = new_task(b, s, json_object_get(s->recipe, "ready"));
    }
    const enum task_state state = task_tick(s->task);

    if (state == TASK_RUNNING)
        return;
    if (state == TASK_DONE) {
        end_task(s, PHASE_APPLY);
        return;
    }
    free(s->problem);
    s->problem = xstrdup(task_problem(s->task));
    end_task(s, PHASE_WAIT);
    s->next_ms = clock_now_ms() + READY_PERIOD_MS;
    if (clock_now_ms() >= s->deadline_ms)
        fail(e, s, "does not answer: %s", s->problem);
}

static void apply(struct backend *b, struct entry *e, struct service *s)
{
    if (s->task == NULL)
        s->is_dirty = false;
    if (has_died(e, s) || !run_steps(b, e, s, json_object_get(s->recipe, "apply")))
        return;
    end_task(s, PHASE_RUN);
    if (!s->is_dirty)
        backend_set_ready(e);
}

static void run(struct backend *b, struct entry *e, struct service *s)
{
    if (has_died(e, s))
        return;
    service_build_scope(b, e, s);
    AUTO(free) char *wanted = service_rendering(s);

    if (!text_eq(wanted, s->started_with)) {
        process_stop(s->process);
        s->phase = PHASE_STOP;
        backend_set_pending(e);
    } else if (s->is_dirty) {
        s->phase = PHASE_APPLY;
    }
}

static void tick(struct backend *b, struct entry *e)
{
    struct service *s = e->data;

    if (s == NULL)
        return;
    switch (s->phase) {
    case PHASE_PREPARE:
        prepare(b, e, s);
        break;
    case PHASE_VERSION:
        find_version(b, e, s);
        break;
    case PHASE_START:
        service_build_scope(b, e, s);
        start(b, e, s);
        break;
    case PHASE_WAIT:
        wait_ready(b, e, s);
        break;
    case PHASE_APPLY:
        apply(b, e, s);
        break;
    case PHASE_RUN:
        if (s->is_dirty || b->generation != s->seen_generation)
            run(b, e, s);
        else
            has_died(e, s);
        s->seen_generation = b->generation;
        break;
    case PHASE_STOP:
        if (process_is_running(s->process))
            break;
        process_free(s->process);
        s->process = NULL;
        s->phase = PHASE_START;
        break;
    case PHASE_NONE:
    case PHASE_DEAD:
        break;
    }
}

/* ---- driver ---- */

static struct err *service_new(struct backend *b, const struct entry *e, struct service *s)
{
    s->recipe = recipes_for(b->recipes, e->type);
    s->dir = backend_folder(b, e->id, NULL);
    s->port = (int)jsonx_int(s->recipe, "port", 0);
    TRY(netmap_take(b->netmap, s->port, &s->address));
    TRY(file_make_dir(s->dir, 0700));
    return service_load_secrets(s);
}

static void put(struct backend *b, struct entry *e)
{
    struct service *s = e->data;
    struct err *err = NULL;

    backend_set_ready(e);
    if (!b->has_services)
        return;
    if (s == NULL) {
        json_auto_t *scope = jsonx_must(json_pack("{s:O}", "doc", e->doc));
        const json_t *unless = json_object_get(recipes_for(b->recipes, e->type), "unless");

        if (unless != NULL && scope_holds(scope, unless))
            return;
        e->data = s = xcalloc(1, sizeof(*s));
        err = service_new(b, e, s);
    }
    backend_set_pending(e);
    s->is_dirty = true;
    if (err != NULL) {
        fail_err(e, s, err);
        return;
    }
    if (s->phase == PHASE_NONE || s->phase == PHASE_DEAD) {
        s->phase = PHASE_PREPARE;
        service_build_scope(b, e, s);
    }
}

static void removed(struct backend *b, struct entry *e)
{
    struct service *s = e->data;

    if (s == NULL)
        return;
    backend_bury(b, s->dir, TAKE(s->process));
    netmap_give_back(b->netmap, s->address);
}

static void release(struct entry *e)
{
    struct service *s = e->data;

    if (s == NULL)
        return;
    task_free(s->task);
    process_free(s->process);
    json_decref(s->scope);
    json_decref(s->own_secrets);
    free(s->dir);
    free(s->address);
    free(s->host);
    free(s->started_with);
    free(s->version);
    free(s->problem);
    free(s);
}

static void report(struct backend *b, struct entry *e, json_t *list)
{
    const struct service *s = e->data;
    static const char *const words[] = { "", "preparing", "preparing", "starting", "starting",
        "starting", "running", "stopping", "failed" };

    if (s == NULL)
        return;
    json_t *row = jsonx_must(json_pack("{s:s, s:s, s:s, s:o, s:s}", "resource", e->id, "service",
            jsonx_text(s->recipe, "service"), "state", words[s->phase], "listens",
            jsonx_textf("%s:%d", s->address, s->port), "folder", s->dir));

    if (process_is_running(s->process))
        json_object_set_new(row, "pid", json_integer(process_pid(s->process)));
    if (s->version != NULL)
        json_object_set_new(row, "served_version", jsonx_textf("%s", s->version));
    endpoints_describe(b, e->id, row);
    json_array_append_new(list, row);
}

const struct driver driver_service = {
    .put = put,
    .remove = removed,
    .release = release,
    .tick = tick,
    .report = report,
};

bool service_own_endpoint(const struct entry *e, struct service_endpoint *ret)
{
    if (e->driver != &driver_service || e->data == NULL)
        return false;
    const struct service *s = e->data;
    const json_t *ports = json_object_get(s->recipe, "endpoints");
    const char *group = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)ports));

    if (s->address == NULL || s->phase == PHASE_DEAD || group == NULL)
        return false;
    *ret = (struct service_endpoint){ .address = s->address,
        .port = s->port,
        .public_port = (int)jsonx_int(ports, group, s->port),
        .host = s->host };
    return true;
}

bool service_find_endpoint(
        struct backend *b, const char *id, const char *group, struct service_endpoint *ret)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        if (!backend_is_below(e->id, id) || !service_own_endpoint(e, ret))
            continue;
        const struct service *s = e->data;

        if (jsonx_get_ci(json_object_get(s->recipe, "endpoints"), group) != NULL)
            return true;
    }
    return false;
}
