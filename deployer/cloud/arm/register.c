/* Resource providers: a subscription can use a type only after its namespace was registered. */
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cloud/arm/internal.h"

#define API_VERSION "2021-04-01"
#define TIME_MS (5 * 60 * 1000)
#define LOOK_MIN_MS 1000
#define LOOK_MAX_MS 15000

struct registration {
    struct arm_job job; /* first */
    char *ns;
    bool was_asked;
    unsigned looks;
    unsigned timer;
    unsigned requests;
    int64_t started_ms;
    int64_t deadline_ms;
    cloud_done *done;
    void *arg;
};

static void destroy(struct arm_job *job)
{
    struct registration *g = (struct registration *)job;

    http_loop_drop_timer(job->arm->cloud.loop, g->timer);
    free(g->ns);
    free(g);
}

static void finish(struct registration *g, struct err *e)
{
    g->done(g->arg, &(struct cloud_result){ .e = e,
                            .requests = g->requests,
                            .elapsed_ms = clock_now_ms() - g->started_ms });
    arm_job_end(&g->job);
}

static void call(struct registration *g, const char *method, const char *tail, arm_call_done *done)
{
    struct arm *arm = g->job.arm;
    AUTO(free) char *id = xasprintf("/subscriptions/%s/providers/%s", arm->subscription, g->ns);
    AUTO(free) char *url = arm_url(arm, id, tail, API_VERSION);

    arm_call_start(arm, &(struct arm_call){ .method = method,
                                .url = url,
                                .deadline_ms = g->deadline_ms,
                                .done = done,
                                .arg = g });
}

static void look(void *arg);

static void later(struct registration *g, int64_t after_ms)
{
    int64_t wait = LOOK_MIN_MS << (g->looks < 4 ? g->looks : 4);

    if (wait > LOOK_MAX_MS)
        wait = LOOK_MAX_MS;
    if (wait < after_ms)
        wait = after_ms;
    g->looks++;
    g->timer = http_loop_after(g->job.arm->cloud.loop, wait, look, g);
}

static void on_asked(void *arg, struct arm_answer *a)
{
    struct registration *g = arg;

    g->requests += a->requests;
    if (a->e != NULL) {
        struct err *e = err_wrap(TAKE(a->e), "registering the resource provider %s", g->ns);

        err_set_hint(e, "somebody with %s/register/action must run: az provider register -n %s",
                g->ns, g->ns);
        finish(g, e);
        return;
    }
    later(g, a->after_ms);
}

static struct err *still(const struct registration *g, const char *state)
{
    struct err *e = err_new(ERR_TIMEOUT, 0, "resource provider %s is still %s", g->ns,
            state == NULL ? "not registered" : state);

    err_set_hint(
            e, "run the command again: az provider show -n %s tells when it is Registered", g->ns);
    return e;
}

static void on_look(void *arg, struct arm_answer *a)
{
    struct registration *g = arg;
    const char *state = jsonx_text(a->body, "registrationState");

    g->requests += a->requests;
    if (a->e != NULL) {
        finish(g, err_wrap(TAKE(a->e), "resource provider %s", g->ns));
    } else if (state != NULL && strcasecmp(state, "Registered") == 0) {
        finish(g, NULL);
    } else if (!g->was_asked) {
        g->was_asked = true;
        log_info("arm.register", "registering %s with the subscription", g->ns);
        call(g, "POST", "register", on_asked);
    } else if (clock_now_ms() > g->deadline_ms - LOOK_MAX_MS
               || clock_now_ms() - g->started_ms > TIME_MS) {
        finish(g, still(g, state));
    } else {
        later(g, a->after_ms);
    }
}

static void look(void *arg)
{
    struct registration *g = arg;

    g->timer = 0;
    call(g, "GET", NULL, on_look);
}

void arm_register(struct cloud *c, const char *ns, int64_t deadline_ms, cloud_done *done, void *arg)
{
    struct registration *g = xcalloc(1, sizeof(*g));

    arm_job_add(arm_of(c), &g->job, destroy);
    g->ns = xstrdup(ns);
    g->started_ms = clock_now_ms();
    g->deadline_ms = deadline_ms;
    g->done = done;
    g->arg = arg;
    g->timer = http_loop_after(c->loop, 0, look, g);
}
