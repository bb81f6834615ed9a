/*
 * One request to ARM until it is answered for good: token, pace, transient failures, a refused
 * token, a claims challenge, a missing resource provider, the kind's conflicts.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/fault.h"
#include "cloud/arm/id.h"
#include "cloud/arm/internal.h"
#include "http/retry.h"

#define WARN_WAITS 4u
#define WARN_EVERY_MS (60 * 1000)
#define TRIES_MAX 10u
#define REGISTER_ROUNDS 3u
#define TRY_MS 120000
/* A provider of which nothing remains is left alone so long; what it wants it says in its 429. */
#define EMPTY_HOLD_MS 2000

struct call {
    struct arm_job job; /* first */
    struct arm_call spec;
    char *method;
    char *url;
    char *ns; /* "Microsoft.App"; "" for what is ARM's own */
    char *if_match;
    struct buf body;
    struct secret *token; /* of the try under way */
    char *claims;         /* of a challenge, for the next token */
    enum arm_class class;
    unsigned ticket;
    int64_t started_ms;
    int64_t conflict_since_ms; /* -1: none yet */
    unsigned conflicts;
    unsigned tries; /* that count towards TRIES_MAX */
    unsigned waits; /* all that were transient */
    unsigned requests;
    unsigned registered;
    bool was_refused; /* 401 once */
    unsigned http;
    unsigned timer;
    bool waits_for_token;
};

static void destroy(struct arm_job *job)
{
    struct call *c = (struct call *)job;

    http_cancel(job->arm->cloud.loop, c->http);
    http_loop_drop_timer(job->arm->cloud.loop, c->timer);
    if (c->waits_for_token) {
        arm_ready_cancel(job->arm, c);
        auth_cancel(job->arm->auth, c);
    }
    secret_unref(c->token);
    buf_release(&c->body);
    free(c->method);
    free(c->url);
    free(c->ns);
    free(c->if_match);
    free(c->claims);
    free(c);
}

static void finish(struct call *c, struct arm_answer *a)
{
    a->requests = c->requests;
    c->spec.done(c->spec.arg, a);
    err_free(a->e);
    arm_job_end(&c->job);
}

static void fail(struct call *c, struct err *e)
{
    finish(c, &(struct arm_answer){ .e = e, .after_ms = -1 });
}

static void tell(const struct call *c, const char *what)
{
    if (c->spec.progress != NULL)
        c->spec.progress(c->spec.arg, what);
}

/* Trouble that lasts is said aloud, once for all calls that meet it. */
static void warn_lasting(const struct call *c, const char *text)
{
    struct arm *arm = c->job.arm;
    const int64_t now = clock_now_ms();

    if (c->waits < WARN_WAITS || (arm->warned_ms != 0 && now - arm->warned_ms < WARN_EVERY_MS))
        return;
    arm->warned_ms = now;
    log_warn("arm.retry", "%s: %s (%u times by now)", arm->endpoint, text, c->waits);
}

static void tell_wait(const struct call *c, const char *what, int64_t wait_ms)
{
    char duration[CLOCK_DURATION_SIZE];
    char text[256];

    clock_duration(wait_ms, duration);
    snprintf(text, sizeof(text), "%s, again in %s", what, duration);
    log_info("arm.retry", "%s %s: %s", c->method, c->url, text);
    tell(c, text);
    warn_lasting(c, text);
}

static void step_token(void *arg);

/* Sends again in wait_ms; false when the deadline comes first. */
static bool again_in(struct call *c, int64_t wait_ms, const char *why)
{
    if (wait_ms >= c->spec.deadline_ms - clock_now_ms())
        return false;
    if (why != NULL)
        tell_wait(c, why, wait_ms);
    c->timer = http_loop_after(c->job.arm->cloud.loop, wait_ms, step_token, c);
    return true;
}

/* --- what an answer means -------------------------------------------------------------------- */

static struct str header(const struct http_response *r, const char *name)
{
    struct str value = { 0 };

    http_response_header(r, name, &value);
    return value;
}

/* The remaining number that the service counts for this sort of request, or -1. */
static int64_t remaining(const struct http_response *r, enum arm_class class)
{
    static const char *const names[ARM_CLASSES] = { "x-ms-ratelimit-remaining-subscription-reads",
        "x-ms-ratelimit-remaining-subscription-writes",
        "x-ms-ratelimit-remaining-subscription-deletes" };
    static const char *const tenant[ARM_CLASSES] = { "x-ms-ratelimit-remaining-tenant-reads",
        "x-ms-ratelimit-remaining-tenant-writes", "x-ms-ratelimit-remaining-tenant-deletes" };
    struct str value = header(r, names[class]);
    int64_t n = -1;

    if (value.p == NULL)
        value = header(r, tenant[class]);
    for (size_t i = 0; i < value.len && i < 9; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return -1;
        n = (n < 0 ? 0 : n * 10) + (value.p[i] - '0');
    }
    return n;
}

static void learn_pace(struct call *c, const struct http_response *r)
{
    struct pace *p = &c->job.arm->pace[c->class];
    const int64_t now = clock_now_ms();

    pace_answer(p, c->ticket, r->e == NULL ? remaining(r, c->class) : -1, now);
    if (r->e == NULL && c->ns[0] != '\0'
            && arm_hold_remaining(header(r, "x-ms-ratelimit-remaining-resource")) == 0)
        arm_hold_set(&c->job.arm->holds, str_of(c->ns), c->class, now + EMPTY_HOLD_MS);
}

/* Where something remains in ARM's own bucket, it is the provider that has had enough. */
static void hold_back(struct call *c, const struct http_response *r, int64_t wait_ms)
{
    const int64_t now = clock_now_ms();

    if (c->ns[0] != '\0' && remaining(r, c->class) > 0)
        arm_hold_set(&c->job.arm->holds, str_of(c->ns), c->class, now + wait_ms);
    else
        pace_block(&c->job.arm->pace[c->class], wait_ms, now);
}

static bool on_refused_token(struct call *c, const struct http_response *r)
{
    if (r->status != 401 || c->was_refused)
        return false;
    c->was_refused = true;
    free(c->claims);
    c->claims = auth_answer_challenge(header(r, "www-authenticate"));
    AUTO(free) char *scope = arm_scope(c->job.arm);

    if (c->claims == NULL)
        auth_drop(c->job.arm->auth, scope);
    log_info("arm.token", "the token was refused%s: a new one is fetched",
            c->claims == NULL ? "" : " (claims challenge)");
    return again_in(c, 0, NULL);
}

static bool on_conflict(struct call *c, long status, const json_t *fault, int64_t after_ms)
{
    const json_t *rule = arm_fault_rule(c->spec.kind, status, fault);
    const int64_t now = clock_now_ms();

    if (rule == NULL || jsonx_bool(rule, "give_up", false))
        return false;
    if (c->conflict_since_ms < 0)
        c->conflict_since_ms = now;
    int64_t wait = arm_fault_rule_wait_ms(rule, c->conflicts++);

    if (wait < after_ms)
        wait = after_ms;
    const int64_t limit_ms = jsonx_int(rule, "for_s", 600) * 1000;

    if (now + wait - c->conflict_since_ms > limit_ms)
        return false;
    return again_in(c, wait, arm_fault_code(fault));
}

static bool gives_up(const struct call *c, long status, const json_t *fault)
{
    return jsonx_bool(arm_fault_rule(c->spec.kind, status, fault), "give_up", false);
}

static bool on_transient(struct call *c, const struct http_response *r, int64_t after_ms)
{
    const bool is_lost = r->e != NULL;
    uint32_t random = 0;
    char why[96];

    if (is_lost ? !err_is_retryable(r->e) : !retry_status_is_transient(r->status))
        return false;
    /* What can't be repeated goes again only where it was surely not begun. */
    if (c->spec.is_once && !(r->status == 429 || r->status == 503)
            && !(is_lost && err_kind(r->e) == ERR_NET && err_code(r->e) == CURLE_COULDNT_CONNECT))
        return false;
    if (!c->spec.is_poll && r->status != 429 && ++c->tries >= TRIES_MAX)
        return false;
    digest_random(&random, sizeof(random));
    const int64_t wait = retry_delay_ms(++c->waits, after_ms, random);

    if (r->status == 429)
        hold_back(c, r, wait);
    if (is_lost && err_kind(r->e) == ERR_NET)
        snprintf(why, sizeof(why), "no answer (%s)", curl_easy_strerror((CURLcode)err_code(r->e)));
    else if (is_lost)
        snprintf(why, sizeof(why), "no answer (%s)", err_kind_name(err_kind(r->e)));
    else
        snprintf(why, sizeof(why), r->status == 429 ? "throttled (HTTP %ld)" : "HTTP %ld",
                r->status);
    return again_in(c, wait, why);
}

static void on_registered(void *arg, const struct cloud_result *result)
{
    struct call *c = arg;

    if (result->e != NULL) {
        fail(c, result->e);
        return;
    }
    if (!again_in(c, 0, NULL))
        fail(c, err_new(ERR_TIMEOUT, 0, "no time left after a provider was registered"));
}

static bool on_unregistered(struct call *c, long status, const json_t *fault)
{
    if (!c->spec.may_register || c->registered >= REGISTER_ROUNDS
            || !arm_fault_is_unregistered(status, fault))
        return false;
    if (c->ns[0] == '\0')
        return false;
    AUTO(free) char *what = xasprintf("registering %s with the subscription", c->ns);

    c->registered++;
    tell(c, what);
    arm_register(&c->job.arm->cloud, c->ns, c->spec.deadline_ms, on_registered, c);
    return true;
}

static struct err *fault_err(const struct call *c, const struct http_response *r, const json_t *f)
{
    const struct str request = header(r, "x-ms-request-id");
    const struct str correlation = header(r, "x-ms-correlation-request-id");

    return arm_fault_err(
            f, &(struct arm_fault_context){ .status = r->status,
                       .what = c->method,
                       .request_id = request.p == NULL ? STR("") : request,
                       .correlation_id = correlation.p == NULL ? str_of(c->job.arm->correlation_id)
                                                               : correlation,
                       .elapsed_ms = clock_now_ms() - c->started_ms });
}

static void answer_failure(struct call *c, struct http_response *r, int64_t after_ms)
{
    json_auto_t *fault = arm_fault_read(buf_str(&r->body), header(r, "x-ms-error-code"));

    if (on_refused_token(c, r) || on_unregistered(c, r->status, fault)
            || on_conflict(c, r->status, fault, after_ms)
            || (!gives_up(c, r->status, fault) && on_transient(c, r, after_ms)))
        return;
    finish(c, &(struct arm_answer){ .e = fault_err(c, r, fault),
                      .status = r->status,
                      .fault = fault,
                      .reply = { .status = r->status },
                      .after_ms = after_ms });
}

static void answer_success(struct call *c, struct http_response *r, int64_t after_ms)
{
    json_auto_t *body = NULL;
    struct err *e = NULL;

    if (str_trim(buf_str(&r->body)).len > 0)
        e = jsonx_load(buf_str(&r->body), c->method, &body);
    else if (c->spec.wants_body && r->status == 200)
        e = err_new(ERR_PROTO, r->status, "%s: HTTP 200 without a body", c->method);
    if (e != NULL) {
        err_set_retryable(e, true);
        r->e = e;
        if (on_transient(c, r, -1))
            return;
        fail(c, TAKE(r->e));
        return;
    }
    finish(c, &(struct arm_answer){ .status = r->status,
                      .body = body,
                      .reply = { .status = r->status,
                              .async_operation = header(r, "azure-asyncoperation"),
                              .operation_location = header(r, "operation-location"),
                              .location = header(r, "location"),
                              .body = body },
                      .after_ms = after_ms });
}

static void on_response(void *arg, struct http_response *r)
{
    struct call *c = arg;
    const int64_t after_ms = r->e == NULL ? retry_after_ms(r, clock_wall_ms()) : -1;

    c->http = 0;
    learn_pace(c, r);
    log_debug("arm.answer", "%s %ld request %.*s correlation %.*s region %.*s", c->method,
            r->status, STR_ARG(header(r, "x-ms-request-id")),
            STR_ARG(header(r, "x-ms-correlation-request-id")),
            STR_ARG(header(r, "x-ms-routing-request-id")));
    if (r->e != NULL) {
        if (!on_transient(c, r, -1))
            fail(c, TAKE(r->e));
    } else if (r->status >= 200 && r->status < 300) {
        answer_success(c, r, after_ms);
    } else {
        answer_failure(c, r, after_ms);
    }
}

/* --- sending --------------------------------------------------------------------------------- */

static void send_now(struct call *c)
{
    struct arm *arm = c->job.arm;
    char id[DIGEST_UUID_SIZE];

    digest_uuid4(id);
    AUTO(free) char *request = xasprintf("x-ms-client-request-id: %s", id);
    AUTO(free)
    char *correlation = xasprintf("x-ms-correlation-request-id: %s", arm->correlation_id);
    AUTO(free) char *match = c->if_match == NULL ? NULL : xasprintf("If-Match: %s", c->if_match);
    const char *headers[8] = { "Accept: application/json", "x-ms-return-client-request-id: true",
        request, correlation };
    size_t n = 4;

    if (c->body.len > 0)
        headers[n++] = "Content-Type: application/json";
    if (match != NULL)
        headers[n++] = match;
    c->requests++;
    c->ticket = pace_take(&arm->pace[c->class], clock_now_ms());
    c->http = http_send(arm->cloud.loop,
            &(struct http_request){ .method = c->method,
                    .url = c->url,
                    .headers = headers,
                    .secrets = &(struct http_secret_header){ "Authorization", "Bearer ", c->token },
                    .secret_count = 1,
                    .body = buf_str(&c->body),
                    .deadline_ms = c->spec.deadline_ms,
                    .timeout_ms = TRY_MS,
                    .is_secret_response = true,
                    .is_once = c->spec.is_once,
                    .done = on_response,
                    .arg = c });
}

static struct err *throttled(const struct call *c, int64_t wait_ms)
{
    char wait[CLOCK_DURATION_SIZE];

    clock_duration(wait_ms, wait);
    struct err *e = err_new(ERR_TIMEOUT, 0,
            "%s: not sent: Azure's rate limit asks to wait %s, longer than there is time",
            c->method, wait);

    err_set_hint(e, "run the command again then, with a longer --timeout if one was given");
    return e;
}

static void step_pace(void *arg)
{
    struct call *c = arg;
    struct arm *arm = c->job.arm;
    const int64_t now = clock_now_ms();
    const int64_t held = arm_hold_wait_ms(arm->holds, str_of(c->ns), c->class, now);
    int64_t wait = pace_wait_ms(&arm->pace[c->class], now);

    c->timer = 0;
    wait = wait < held ? held : wait;
    if (wait == 0) {
        send_now(c);
        return;
    }
    if (wait >= c->spec.deadline_ms - now) {
        fail(c, throttled(c, wait));
        return;
    }
    c->timer = http_loop_after(arm->cloud.loop, wait, step_pace, c);
}

static void no_token_in_time(void *arg)
{
    struct call *c = arg;

    c->timer = 0;
    fail(c, err_new(ERR_TIMEOUT, 0, "%s: no login within the time given", c->method));
}

static void stop_waiting(struct call *c)
{
    c->waits_for_token = false;
    http_loop_drop_timer(c->job.arm->cloud.loop, c->timer);
    c->timer = 0;
}

static void on_token(void *arg, struct secret *token, struct err *e)
{
    struct call *c = arg;

    stop_waiting(c);
    if (e != NULL) {
        fail(c, e);
        return;
    }
    free(c->claims);
    c->claims = NULL;
    secret_unref(c->token);
    c->token = secret_ref(token);
    step_pace(c);
}

static void on_ready(void *arg, struct err *e)
{
    struct call *c = arg;

    if (e != NULL) {
        stop_waiting(c);
        fail(c, e);
        return;
    }
    AUTO(free) char *scope = arm_scope(c->job.arm);

    auth_get(c->job.arm->auth, scope, c->claims, c->spec.deadline_ms, on_token, c);
}

static void step_token(void *arg)
{
    struct call *c = arg;

    c->timer = 0;
    /* No token leaves for another host, whatever an answer said. */
    if (!arm_url_is_below(str_of(c->url), c->job.arm->endpoint)) {
        fail(c, err_new(ERR_PROTO, 0, "%s: %s is not at %s: no token is sent there", c->method,
                        c->url, c->job.arm->endpoint));
        return;
    }
    c->waits_for_token = true;
    c->timer = http_loop_after(
            c->job.arm->cloud.loop, c->spec.deadline_ms - clock_now_ms(), no_token_in_time, c);
    arm_ready(c->job.arm, c->spec.deadline_ms, on_ready, c);
}

/* Of the URL's path; a URL that is not below the endpoint is refused before it is sent. */
static char *namespace_of(const struct arm *arm, const char *url)
{
    const size_t len = strlen(arm->endpoint);
    AUTO(free) char *id = xstrdup(strlen(url) > len ? url + len : "");

    id[strcspn(id, "?")] = '\0';
    return str_dup(arm_id_namespace(id));
}

void arm_call_start(struct arm *arm, const struct arm_call *spec)
{
    struct call *c = xcalloc(1, sizeof(*c));

    arm_job_add(arm, &c->job, destroy);
    c->spec = *spec;
    c->method = xstrdup(spec->method);
    c->url = xstrdup(spec->url);
    c->ns = namespace_of(arm, spec->url);
    c->if_match = xstrdup(spec->if_match);
    if (spec->body != NULL) {
        c->body = *spec->body;
        *spec->body = (struct buf){ .max_bytes = c->body.max_bytes };
    }
    c->class = text_eq(spec->method, "DELETE")                                 ? ARM_DELETES
               : text_eq(spec->method, "GET") || text_eq(spec->method, "HEAD") ? ARM_READS
                                                                               : ARM_WRITES;
    c->started_ms = clock_now_ms();
    c->conflict_since_ms = -1;
    c->timer = http_loop_after(arm->cloud.loop, 0, step_token, c);
}
