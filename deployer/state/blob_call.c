#include "state/blob_call.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/loop.h"
#include "http/shared_key.h"
#include "state/record.h"

#define API_VERSION "2021-12-02"
#define ATTEMPTS_MAX 4u
#define RETRY_MS 400
/* Of one attempt: a blob of some megabytes over a slow line. */
#define ATTEMPT_MS 30000

void blob_call_header(struct blob_call *c, const char *name, const char *value)
{
    if (c->header_count < BLOB_HEADERS_MAX)
        c->headers[c->header_count++] = (struct blob_header){ .name = name, .value = value };
}

void blob_answer_release(struct blob_answer *a)
{
    free(a->code);
    free(a->etag);
    free(a->lease_state);
    free(a->holder);
    free(a->snapshot);
    buf_release(&a->body);
    *a = (struct blob_answer){ 0 };
}

struct err *blob_answer_error(const struct blob_answer *a, const char *what)
{
    const bool is_denied = a->status == 401 || a->status == 403;
    struct err *e = err_new(is_denied ? ERR_DENIED : ERR_API, a->status, "%s: HTTP %ld%s%s", what,
            a->status, a->code[0] == '\0' ? "" : " ", a->code);

    err_set_api(e, a->code, "");
    if (text_eq(a->code, "ContainerNotFound"))
        err_set_hint(e, "make the container first; 'deployer bootstrap' does it");
    else if (is_denied)
        err_set_hint(e, "the login needs Storage Blob Data Contributor on the container, or set "
                        "AZURE_STORAGE_KEY");
    return e;
}

/* ---- headers ---- */

static void http_date(char ret[40])
{
    const time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm = { 0 };

    gmtime_r(&now, &tm);
    if (strftime(ret, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        ret[0] = '\0';
}

/* Headers as lines, and the signature over them where the account's key is used. */
struct headers {
    char *lines[BLOB_HEADERS_MAX + 4];
    size_t count;
    struct http_secret_header secret;
};

static void headers_release(struct headers *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->lines[i]);
    secret_unref(h->secret.value);
}

static struct err *sign(const struct blob_place *p, const struct blob_call *c, const char *date,
        struct secret **ret)
{
    AUTO(buf) struct buf text = { .max_bytes = 4096, .is_secret = true };
    char length[24];
    struct shared_key_request r = { .account = p->account,
        .key = p->key,
        .method = c->method,
        .path = p->path,
        .query = c->query };

    snprintf(length, sizeof(length), "%zu", c->body.len);
    r.headers[r.header_count++] =
            (struct shared_key_header){ "content-length", c->body.len == 0 ? "" : length };
    r.headers[r.header_count++] = (struct shared_key_header){ "x-ms-date", date };
    r.headers[r.header_count++] = (struct shared_key_header){ "x-ms-version", API_VERSION };
    for (size_t i = 0; i < c->header_count; i++)
        r.headers[r.header_count++] =
                (struct shared_key_header){ c->headers[i].name, c->headers[i].value };
    TRY(shared_key_sign(&r, &text));
    *ret = secret_new(buf_str(&text));
    return NULL;
}

/* Without a key `token` is the login. */
static struct err *make_headers(const struct blob_place *p, const struct blob_call *c,
        struct secret *token, struct headers *h)
{
    char date[40];

    http_date(date);
    h->lines[h->count++] = xasprintf("x-ms-date: %s", date);
    h->lines[h->count++] = xstrdup("x-ms-version: " API_VERSION);
    for (size_t i = 0; i < c->header_count; i++)
        h->lines[h->count++] = xasprintf("%s: %s", c->headers[i].name, c->headers[i].value);
    h->secret = (struct http_secret_header){ .name = "Authorization",
        .prefix = p->key != NULL ? "" : "Bearer " };
    if (p->key != NULL)
        return sign(p, c, date, &h->secret.value);
    h->secret.value = secret_ref(token);
    return NULL;
}

/* ---- one attempt ---- */

struct blob_pending {
    const struct blob_place *place;
    struct blob_call call;
    blob_call_done *done; /* NULL: given up while the token was asked for */
    void *arg;
    unsigned request; /* 0: not sent yet */
};

static char *header_text(const struct http_response *r, const char *name)
{
    struct str value = { 0 };

    return http_response_header(r, name, &value) ? str_dup(value) : xstrdup("");
}

static void finish(struct blob_pending *b, struct blob_answer *answer, struct err *e)
{
    blob_call_done *done = b->done;
    void *arg = b->arg;

    free(b);
    done(arg, answer, e);
}

static void on_response(void *arg, struct http_response *r)
{
    struct blob_answer a = { 0 };

    if (r->e != NULL) {
        finish(arg, &a, TAKE(r->e));
        return;
    }
    a = (struct blob_answer){ .status = r->status,
        .code = header_text(r, "x-ms-error-code"),
        .etag = header_text(r, "etag"),
        .lease_state = header_text(r, "x-ms-lease-status"),
        .holder = header_text(r, "x-ms-meta-holder"),
        .snapshot = header_text(r, "x-ms-snapshot"),
        .body = r->body };
    r->body = (struct buf){ 0 };
    finish(arg, &a, NULL);
}

static struct err *send_now(struct blob_pending *b, struct secret *token)
{
    const struct blob_place *p = b->place;
    const struct blob_call *c = &b->call;
    struct headers h = { 0 };
    AUTO(free)
    char *url = xasprintf("%s%s%s%s", p->origin, p->path, c->query[0] == '\0' ? "" : "?", c->query);
    struct err *e = make_headers(p, c, token, &h);

    if (e == NULL)
        b->request = http_send(p->loop, &(struct http_request){ .method = c->method,
                                                .url = url,
                                                .headers = (const char *const *)h.lines,
                                                .secrets = &h.secret,
                                                .secret_count = 1,
                                                .body = c->body,
                                                .deadline_ms = c->deadline_ms,
                                                .timeout_ms = ATTEMPT_MS,
                                                .max_response_bytes = STATE_BYTES_MAX,
                                                .done = on_response,
                                                .arg = b });
    headers_release(&h);
    return e;
}

static void on_token(void *arg, struct secret *token, struct err *e)
{
    struct blob_pending *b = arg;
    struct blob_answer none = { 0 };

    if (b->done == NULL) {
        err_ignore(e, "the call was given up");
        free(b);
        return;
    }
    if (e == NULL)
        e = send_now(b, token);
    if (e != NULL)
        finish(b, &none, e);
}

struct blob_pending *blob_call_send(
        const struct blob_place *p, const struct blob_call *c, blob_call_done *done, void *arg)
{
    struct blob_pending *b = xcalloc(1, sizeof(*b));
    struct blob_answer none = { 0 };
    struct err *e = NULL;

    *b = (struct blob_pending){ .place = p, .call = *c, .done = done, .arg = arg };
    if (p->key != NULL)
        e = send_now(b, NULL);
    else
        p->token(p->token_arg, c->deadline_ms, on_token, b);
    if (e == NULL)
        return b;
    finish(b, &none, e);
    return NULL;
}

void blob_call_cancel(struct blob_pending *b)
{
    if (b == NULL)
        return;
    if (b->request == 0) {
        b->done = NULL; /* the token's callback frees it */
        return;
    }
    http_cancel(b->place->loop, b->request);
    free(b);
}

/* ---- waiting ---- */

struct wait {
    bool is_done;
    struct err *e;
    struct blob_answer answer;
};

static bool is_done(void *arg)
{
    return ((struct wait *)arg)->is_done;
}

static void on_timer(void *arg)
{
    ((struct wait *)arg)->is_done = true;
}

static void on_answer(void *arg, struct blob_answer *answer, struct err *e)
{
    struct wait *w = arg;

    w->is_done = true;
    w->answer = *answer;
    w->e = e;
}

/* A signal does not end this: what is being written is what the next run starts from. */
static struct err *wait_for(const struct blob_place *p, struct wait *w)
{
    while (!w->is_done) {
        struct err *e = http_loop_run(p->loop, is_done, w, INT64_MAX);

        if (e != NULL && err_kind(e) != ERR_CANCELED)
            return e;
        err_ignore(e, "told once; the caller asks cancel_check itself");
    }
    return NULL;
}

static struct err *attempt(
        const struct blob_place *p, const struct blob_call *c, struct blob_answer *ret)
{
    struct wait w = { 0 };
    struct blob_pending *b = blob_call_send(p, c, on_answer, &w);
    struct err *e = w.is_done ? NULL : wait_for(p, &w);

    if (!w.is_done)
        blob_call_cancel(b);
    if (e != NULL)
        return e;
    *ret = w.answer;
    return w.e;
}

/* ---- attempts ---- */

static bool is_worth_another(const struct blob_answer *a)
{
    return a->status == 408 || a->status == 429 || a->status >= 500;
}

static struct err *pause_before_next(const struct blob_place *p, unsigned attempts)
{
    struct wait w = { 0 };

    http_loop_after(p->loop, (int64_t)RETRY_MS << (attempts - 1), on_timer, &w);
    return wait_for(p, &w);
}

struct err *blob_call_run(
        const struct blob_place *p, const struct blob_call *c, struct blob_answer *ret)
{
    assert(p->loop != NULL);
    for (unsigned n = 1;; n++) {
        struct blob_answer a = { 0 };
        struct err *e = attempt(p, c, &a);
        const bool is_last = c->is_once || n >= ATTEMPTS_MAX || clock_now_ms() >= c->deadline_ms;

        if (e == NULL && (is_last || !is_worth_another(&a))) {
            *ret = a;
            ret->attempts = n;
            return NULL;
        }
        blob_answer_release(&a);
        if (e != NULL && (is_last || !err_is_retryable(e)))
            return err_wrap(e, "%s%s", p->origin, p->path);
        err_ignore(e, "it is sent again");
        TRY(pause_before_next(p, n));
    }
}
