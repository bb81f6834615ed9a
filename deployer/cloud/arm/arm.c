#include "cloud/arm/arm.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cloud/arm/discovery.h"
#include "cloud/arm/exchange.h"
#include "cloud/arm/id.h"
#include "cloud/arm/internal.h"

/* ARM's buckets: size and refill a second, by class. */
static const struct {
    double size;
    double per_second;
} buckets[ARM_CLASSES] = {
    [ARM_READS] = { 250, 25 },
    [ARM_WRITES] = { 200, 10 },
    [ARM_DELETES] = { 200, 10 },
};

#define DISCOVERY_TIME_MS 60000
#define DISCOVERY_TRY_MS 15000

/* --- jobs ------------------------------------------------------------------------------------ */

void arm_job_add(struct arm *arm, struct arm_job *job, void (*destroy)(struct arm_job *job))
{
    *job = (struct arm_job){ .next = arm->jobs, .arm = arm, .destroy = destroy };
    if (arm->jobs != NULL)
        arm->jobs->prev = job;
    arm->jobs = job;
}

void arm_job_end(struct arm_job *job)
{
    if (job->prev != NULL)
        job->prev->next = job->next;
    else
        job->arm->jobs = job->next;
    if (job->next != NULL)
        job->next->prev = job->prev;
    job->destroy(job);
}

/* --- names ----------------------------------------------------------------------------------- */

char *arm_url(const struct arm *arm, const char *id, const char *tail, const char *api_version)
{
    struct buf url = BUF_INIT(16384);

    buf_add_text(&url, arm->endpoint);
    arm_id_add_url(&url, id);
    if (tail != NULL)
        arm_id_add_url(&url, tail);
    buf_addf(&url, "?api-version=%s", api_version);
    return buf_take(&url);
}

char *arm_scope(const struct arm *arm)
{
    return xasprintf("%s/.default", arm->audience);
}

int64_t arm_usual_ms(const struct arm *arm, double minutes)
{
    return (int64_t)(minutes * 60000 * arm->time_scale);
}

static char *make_id(
        struct cloud *c, const struct kind *k, const char *parent_or_scope_id, const char *name)
{
    const struct arm *arm = arm_of(c);

    return arm_id_make(k,
            &(struct arm_id_parts){ .subscription = arm->subscription,
                    .resource_group = arm->resource_group,
                    .parent = parent_or_scope_id },
            name);
}

static char *collection(struct cloud *c, const struct kind *k, const char *id)
{
    (void)c;
    AUTO(free) char *url = arm_id_list_url(k, id);

    return arm_id_normal(url);
}

static const char *state(const json_t *document)
{
    return json_string_value(jsonx_at_ci(document, "properties.provisioningState"));
}

static const struct cloud_ops ops = {
    .name = "arm",
    .make_id = make_id,
    .same_id = arm_id_same,
    .read = arm_read,
    .list = arm_list,
    .write = arm_write,
    .remove = arm_remove,
    .act = arm_act,
    .collection = collection,
    .state = state,
};

/* --- where and for whom ---------------------------------------------------------------------- */

struct arm_waiter {
    struct arm_waiter *next;
    arm_ready_done *done;
    void *arg;
};

static void tell_ready(struct arm *arm, struct err *e)
{
    struct arm_waiter *w = arm->ready_waiters;

    arm->ready_waiters = NULL;
    while (w != NULL) {
        struct arm_waiter *next = w->next;

        w->done(w->arg, e == NULL ? NULL : err_copy(e));
        free(w);
        w = next;
    }
    err_free(e);
}

static void adopt(struct arm *arm, const char *authority, const char *audience)
{
    if (arm->authority == NULL)
        arm->authority = xstrdup(authority);
    if (arm->audience == NULL)
        arm->audience = xstrdup(audience);
    auth_set_authority(arm->auth, arm->authority);
}

static void discover(struct arm *arm, const char *api_version, exchange_done *done)
{
    AUTO(free)
    char *url = xasprintf("%s/metadata/endpoints?api-version=%s", arm->endpoint, api_version);

    arm->discovery = exchange_start(
            arm->cloud.loop, &(struct exchange_spec){ .method = "GET",
                                     .url = url,
                                     .headers = { "Accept: application/json" },
                                     .deadline_ms = clock_now_ms() + DISCOVERY_TIME_MS,
                                     .timeout_ms = DISCOVERY_TRY_MS,
                                     .done = done,
                                     .arg = arm });
}

static struct err *read_metadata(struct arm *arm, struct http_response *r)
{
    json_auto_t *body = NULL;
    struct discovery d = { 0 };

    if (r->e != NULL)
        return TAKE(r->e);
    if (r->status != 200)
        return err_new(ERR_PROTO, r->status, "HTTP %ld", r->status);
    TRY(jsonx_load(buf_str(&r->body), "metadata/endpoints", &body));
    TRY(discovery_read(body, arm->endpoint, &d));
    adopt(arm, d.authority, d.audience);
    if (arm->vault_suffix == NULL)
        arm->vault_suffix = TAKE(d.vault_suffix);
    discovery_release(&d);
    return NULL;
}

static void on_old_metadata(void *arg, struct http_response *r)
{
    struct arm *arm = arg;

    arm->discovery = NULL;
    tell_ready(arm, err_wrap(read_metadata(arm, r), "asking %s where to log in", arm->endpoint));
}

static void on_metadata(void *arg, struct http_response *r)
{
    struct arm *arm = arg;
    const bool has_answer = r->e == NULL;

    arm->discovery = NULL;
    struct err *e = read_metadata(arm, r);

    if (e != NULL && has_answer) { /* older clouds know only the older form */
        err_ignore(e, "the next one tells");
        discover(arm, "2015-01-01", on_old_metadata);
        return;
    }
    tell_ready(arm, err_wrap(e, "asking %s where to log in", arm->endpoint));
}

void arm_ready(struct arm *arm, int64_t deadline_ms, arm_ready_done *done, void *arg)
{
    (void)deadline_ms; /* it serves all who wait: it has its own time */
    if (arm->authority != NULL && arm->audience != NULL) {
        done(arg, NULL);
        return;
    }
    struct arm_waiter *w = xcalloc(1, sizeof(*w));

    *w = (struct arm_waiter){ .next = arm->ready_waiters, .done = done, .arg = arg };
    arm->ready_waiters = w;
    if (arm->discovery == NULL)
        discover(arm, "2022-09-01", on_metadata);
}

void arm_ready_cancel(struct arm *arm, const void *arg)
{
    for (struct arm_waiter **at = &arm->ready_waiters; *at != NULL;) {
        struct arm_waiter *w = *at;

        if (w->arg == arg) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static const char *process_env(void *arg, const char *name)
{
    (void)arg;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing sets variables after start */
}

static const char *or_env(const struct arm_options *o, const char *given, const char *name)
{
    const char *value = given != NULL ? given : o->env(o->env_arg, name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* Endpoint, authority and audience as far as they are known without asking. */
static struct err *settle(struct arm *arm, const struct arm_options *o)
{
    const char *endpoint = or_env(o, o->endpoint, "AZURE_RESOURCE_MANAGER_ENDPOINT");
    const char *authority = or_env(o, o->authority, "AZURE_AUTHORITY_HOST");

    if (authority != NULL)
        TRY(discovery_base(authority, "authority", &arm->authority));
    if (endpoint != NULL)
        TRY(discovery_base(endpoint, "endpoint", &arm->endpoint));
    const struct discovery_known *known = arm->endpoint != NULL
                                                  ? discovery_by_endpoint(arm->endpoint)
                                                  : discovery_by_authority(arm->authority);

    if (known == NULL && arm->endpoint == NULL)
        known = discovery_by_endpoint("https://management.azure.com");
    if (arm->endpoint == NULL)
        arm->endpoint = xstrdup(known->endpoint);
    arm->audience = xstrdup(o->audience != NULL ? o->audience
                            : known == NULL     ? NULL
                                                : known->audience);
    arm->vault_suffix = xstrdup(known == NULL ? NULL : known->vault_suffix);
    if (arm->authority == NULL && known != NULL)
        arm->authority = xstrdup(known->authority);
    return NULL;
}

static struct err *setup(struct arm *arm, const struct arm_options *o)
{
    TRY(settle(arm, o));
    TRY(auth_new(&(struct auth_options){ .loop = arm->cloud.loop,
                         .method = o->auth,
                         .tenant = o->tenant != NULL && o->tenant[0] != '\0' ? o->tenant : NULL,
                         .subscription = o->subscription,
                         .client_id = o->client_id,
                         .client_secret = o->client_secret,
                         .env = o->env,
                         .env_arg = o->env_arg },
            &arm->auth));
    if (arm->authority != NULL)
        auth_set_authority(arm->auth, arm->authority);
    return NULL;
}

struct err *arm_new(struct http_loop *loop, const struct arm_options *options, struct cloud **ret)
{
    struct arm *arm = xcalloc(1, sizeof(*arm));
    struct arm_options o = *options;

    if (o.env == NULL)
        o.env = process_env;
    arm->cloud = (struct cloud){ .ops = &ops, .loop = loop };
    arm->subscription = xstrdup(o.subscription);
    arm->resource_group = xstrdup(o.resource_group);
    arm->time_scale = o.time_scale > 0 ? o.time_scale : 1;
    digest_uuid4(arm->correlation_id);
    for (size_t i = 0; i < ARM_CLASSES; i++)
        pace_init(&arm->pace[i], buckets[i].size,
                buckets[i].per_second * (o.pace_scale > 0 ? o.pace_scale : 1), clock_now_ms());
    struct err *e = setup(arm, &o);

    if (e != NULL) {
        arm_free(&arm->cloud);
        return e;
    }
    log_debug("arm.new", "correlation id %s", arm->correlation_id);
    *ret = &arm->cloud;
    return NULL;
}

void arm_free(struct cloud *c)
{
    if (c == NULL)
        return;
    struct arm *arm = arm_of(c);

    while (arm->jobs != NULL)
        arm_job_end(arm->jobs);
    exchange_cancel(arm->discovery);
    while (arm->ready_waiters != NULL) {
        struct arm_waiter *w = arm->ready_waiters;

        arm->ready_waiters = w->next;
        free(w);
    }
    auth_free(arm->auth);
    arm_hold_free(arm->holds);
    free(arm->endpoint);
    free(arm->authority);
    free(arm->audience);
    free(arm->vault_suffix);
    free(arm->subscription);
    free(arm->resource_group);
    free(arm);
}

const char *arm_endpoint(const struct cloud *c)
{
    return ((const struct arm *)c)->endpoint;
}

const struct auth_identity *arm_identity(const struct cloud *c)
{
    return auth_identity(((const struct arm *)c)->auth);
}

/* --- tokens for others ----------------------------------------------------------------------- */

struct token {
    struct arm_job job; /* first */
    char *scope;
    unsigned timer;
    int64_t deadline_ms;
    void (*done)(void *arg, struct secret *token, struct err *e);
    void *arg;
};

static void destroy_token(struct arm_job *job)
{
    struct token *t = (struct token *)job;

    http_loop_drop_timer(job->arm->cloud.loop, t->timer);
    arm_ready_cancel(job->arm, t);
    auth_cancel(job->arm->auth, t);
    free(t->scope);
    free(t);
}

static void on_token(void *arg, struct secret *token, struct err *e)
{
    struct token *t = arg;

    t->done(t->arg, token, e);
    arm_job_end(&t->job);
}

static void on_token_ready(void *arg, struct err *e)
{
    struct token *t = arg;

    if (e != NULL) {
        on_token(t, NULL, e);
        return;
    }
    if (t->scope == NULL)
        t->scope = arm_scope(t->job.arm);
    auth_get(t->job.arm->auth, t->scope, NULL, t->deadline_ms, on_token, t);
}

static void start_token(void *arg)
{
    struct token *t = arg;

    t->timer = 0;
    arm_ready(t->job.arm, t->deadline_ms, on_token_ready, t);
}

void arm_token(struct cloud *c, const char *scope, int64_t deadline_ms,
        void (*done)(void *arg, struct secret *token, struct err *e), void *arg)
{
    struct token *t = xcalloc(1, sizeof(*t));

    arm_job_add(arm_of(c), &t->job, destroy_token);
    t->scope = xstrdup(scope);
    t->deadline_ms = deadline_ms;
    t->done = done;
    t->arg = arg;
    t->timer = http_loop_after(c->loop, 0, start_token, t);
}
