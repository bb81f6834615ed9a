/* Reads: one resource, a collection page by page, an action, any request. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "cloud/arm/fault.h"
#include "cloud/arm/id.h"
#include "cloud/arm/internal.h"

#define PAGES_MAX 10000u

struct read {
    struct arm_job job; /* first */
    char *method;
    json_t *all; /* of a list, so far */
    const struct kind *kind;
    char *id;
    bool is_list;
    bool is_flat; /* a single document is no member of the list */
    bool is_action;
    unsigned pages;
    unsigned requests;
    int64_t started_ms;
    int64_t deadline_ms;
    cloud_done *done;
    void *arg;
};

static void destroy(struct arm_job *job)
{
    struct read *r = (struct read *)job;

    json_decref(r->all);
    free(r->method);
    free(r->id);
    free(r);
}

static struct read *read_new(struct arm *arm, int64_t deadline_ms, cloud_done *done, void *arg)
{
    struct read *r = xcalloc(1, sizeof(*r));

    arm_job_add(arm, &r->job, destroy);
    r->deadline_ms = deadline_ms;
    r->started_ms = clock_now_ms();
    r->done = done;
    r->arg = arg;
    return r;
}

static void finish(struct read *r, struct cloud_result *result)
{
    result->requests = r->requests;
    result->elapsed_ms = clock_now_ms() - r->started_ms;
    r->done(r->arg, result);
    arm_job_end(&r->job);
}

bool arm_answer_is_absence(const struct arm_answer *a)
{
    static const char *const wrong[] = { "SubscriptionNotFound", "InvalidResourceType",
        "NoRegisteredProviderFound", "InvalidSubscriptionId", "InvalidResourceNamespace" };

    if (a->status != 404)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (arm_fault_has(a->fault, wrong[i]))
            return false;
    }
    return true;
}

static void get(struct read *r, const char *url, arm_call_done *done)
{
    arm_call_start(r->job.arm, &(struct arm_call){ .method = "GET",
                                       .url = url,
                                       .wants_body = true,
                                       .deadline_ms = r->deadline_ms,
                                       .done = done,
                                       .arg = r });
}

/* --- one resource ---------------------------------------------------------------------------- */

static void on_one(void *arg, struct arm_answer *a)
{
    struct read *r = arg;
    struct cloud_result result = { .status = a->status, .is_absent = arm_answer_is_absence(a) };

    r->requests += a->requests;
    if (a->e != NULL && !result.is_absent)
        result.e = TAKE(a->e);
    else if (!result.is_absent)
        result.document = a->body;
    finish(r, &result);
}

void arm_read(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
        cloud_done *done, void *arg)
{
    struct read *r = read_new(arm_of(c), deadline_ms, done, arg);
    AUTO(free) char *url = arm_url(arm_of(c), id, NULL, k->api_version);

    get(r, url, on_one);
}

/* --- lists ----------------------------------------------------------------------------------- */

static void take_page(struct read *r, json_t *body)
{
    json_t *values = jsonx_get_ci(body, "value");
    const json_t *members = json_is_array(values) ? values : json_is_array(body) ? body : NULL;
    size_t i = 0;
    json_t *v = NULL;

    if (members == NULL && json_is_object(body))
        json_array_append(r->all, body);
    json_array_foreach (members, i, v)
        json_array_append(r->all, v);
}

static void on_page(void *arg, struct arm_answer *a)
{
    struct read *r = arg;
    const char *next = json_string_value(jsonx_get_ci(a->body, "nextLink"));

    r->requests += a->requests;
    if (a->e != NULL) {
        struct cloud_result result = { .status = a->status, .is_absent = arm_answer_is_absence(a) };

        if (result.is_absent)
            result.document = r->all;
        else
            result.e = TAKE(a->e);
        finish(r, &result);
        return;
    }
    if (r->is_flat && r->pages == 0 && jsonx_get_ci(a->body, "value") == NULL) {
        finish(r, &(struct cloud_result){ .status = a->status, .document = a->body });
        return;
    }
    take_page(r, a->body);
    if (next != NULL && next[0] != '\0' && ++r->pages < PAGES_MAX) {
        AUTO(free) char *url = arm_url_at(str_of(next), r->job.arm->endpoint);

        get(r, url == NULL ? next : url, on_page); /* no token is sent to another host */
        return;
    }
    finish(r, &(struct cloud_result){ .status = a->status, .document = r->all });
}

static char *list_url(const struct arm *arm, const struct kind *k, const char *id)
{
    AUTO(free) char *path = arm_id_list_url(k, id);
    struct str query = str_of(path);
    const struct str before = str_cut(&query, '?');
    AUTO(free) char *plain = str_dup(before);
    AUTO(buf) struct buf url = BUF_INIT(16384);

    buf_add_text(&url, arm->endpoint);
    arm_id_add_url(&url, plain);
    buf_add_char(&url, '?');
    for (size_t i = 0; i < query.len; i++) /* $filter=x eq 'y' */
        buf_add_text(&url, query.p[i] == ' ' ? "%20" : (char[]){ query.p[i], '\0' });
    if (str_find(query, STR("api-version=")) < 0)
        buf_addf(&url, "%sapi-version=%s", query.len > 0 ? "&" : "", k->api_version);
    return buf_take(&url);
}

void arm_list(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
        cloud_done *done, void *arg)
{
    struct read *r = read_new(arm_of(c), deadline_ms, done, arg);
    AUTO(free) char *url = list_url(arm_of(c), k, id);

    r->all = jsonx_must(json_array());
    get(r, url, on_page);
}

/* --- actions and any request ----------------------------------------------------------------- */

static void on_followed(void *arg, struct arm_follow_result *f)
{
    struct read *r = arg;

    r->requests += f->requests;
    finish(r, &(struct cloud_result){
                      .e = TAKE(f->e), .document = f->document, .status = f->status });
}

static void on_acted(void *arg, struct arm_answer *a)
{
    struct read *r = arg;
    struct arm_operation op = { 0 };

    r->requests += a->requests;
    if (a->e != NULL) {
        finish(r, &(struct cloud_result){ .e = TAKE(a->e), .status = a->status });
        return;
    }
    arm_operation_begin(r->method, &a->reply, r->job.arm->endpoint, clock_wall_ms(), &op);
    if (text_eq(r->method, "POST") && a->status != 200 && op.follow != ARM_FOLLOW_NOTHING)
        arm_follow_start(r->job.arm, &(struct arm_follow_spec){ .operation = &op,
                                             .kind = r->kind,
                                             .id = r->id,
                                             .after_ms = a->after_ms,
                                             .deadline_ms = r->deadline_ms,
                                             .done = on_followed,
                                             .arg = r });
    else
        finish(r, &(struct cloud_result){ .document = a->body, .status = a->status });
    arm_operation_release(&op);
}

/* ARM's custom: POST list... only reads, though it answers with secrets. */
static bool is_once(const char *method, const char *path)
{
    const char *last = strrchr(path, '/');

    return text_eq(method, "POST")
           && !str_starts_ci(str_of(last == NULL ? path : last + 1), STR("list"));
}

static struct buf body_text(const json_t *body)
{
    struct buf text = { .max_bytes = HTTP_BODY_MAX, .is_secret = true };

    if (body != NULL) {
        char *dump = jsonx_dump(body);

        buf_add_text(&text, dump);
        explicit_bzero(dump, strlen(dump));
        free(dump);
    }
    return text;
}

void arm_act(struct cloud *c, const struct kind *k, const char *id, const char *method,
        const char *path, const json_t *body, int64_t deadline_ms, cloud_done *done, void *arg)
{
    struct read *r = read_new(arm_of(c), deadline_ms, done, arg);
    AUTO(free) char *url = arm_url(arm_of(c), id, path, k->api_version);
    struct buf text = body_text(body);

    r->method = xstrdup(method);
    r->kind = k;
    r->id = xstrdup(id);
    if (text_eq(method, "GET")) {
        r->all = jsonx_must(json_array());
        r->is_flat = true;
        get(r, url, on_page);
        buf_release(&text);
        return;
    }
    arm_call_start(arm_of(c), &(struct arm_call){ .method = method,
                                      .url = url,
                                      .body = &text,
                                      .kind = k,
                                      .is_once = is_once(method, path),
                                      .deadline_ms = deadline_ms,
                                      .done = on_acted,
                                      .arg = r });
}

void arm_send(struct cloud *c, const struct arm_request *q)
{
    struct arm *arm = arm_of(c);
    struct read *r = read_new(arm, q->deadline_ms, q->done, q->arg);
    AUTO(free) char *url = xasprintf("%s%s", arm->endpoint, q->path);
    struct buf text = body_text(q->body);

    r->all = jsonx_must(json_array());
    r->is_flat = true;
    arm_call_start(
            arm, &(struct arm_call){ .method = q->method,
                         .url = url,
                         .body = &text,
                         .deadline_ms = q->deadline_ms,
                         .done = text_eq(q->method, "GET") && !q->is_single ? on_page : on_one,
                         .arg = r });
}
