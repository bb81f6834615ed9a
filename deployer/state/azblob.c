/*
 * The state as one blob: each commit writes it whole, with If-Match on the ETag that was read or
 * written last. The lock is a lease of a minute, renewed three times in its time while the loop
 * runs; a lease that somebody else took meanwhile ends the run. Who holds it stands in the blob's
 * metadata. An empty blob is a state that was never written: a lease needs something to hang on.
 */

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/num.h"
#include "base/uri.h"
#include "http/loop.h"
#include "state/backend.h"
#include "state/blob_call.h"
#include "state/record.h"

#define LEASE_S 60
/* The Blob service's own limits. */
#define LEASE_S_MIN 15
#define LEASE_S_MAX 60
#define CALL_MS 120000
#define LOCK_RETRY_MS 1000
#define HOLDER_MAX 4096u

struct azblob {
    struct state_backend head;
    struct blob_place place;
    char *etag;   /* of what we read or wrote last; "" for none */
    char *holder; /* our text, base64, or NULL */
    char lease[DIGEST_UUID_SIZE];
    int64_t lease_s;
    int64_t renewed_ms; /* when it was known to hold last, monotonic */
    bool is_leased;
    bool is_lost;
    unsigned renew_timer; /* 0: none */
    struct blob_pending *renewal;
};

static struct azblob *azblob_of(struct state_backend *b)
{
    return (struct azblob *)b;
}

static struct blob_call call_of(const char *method, const char *query)
{
    return (struct blob_call){
        .method = method, .query = query, .deadline_ms = clock_now_ms() + CALL_MS
    };
}

static void keep_etag(struct azblob *z, const struct blob_answer *a)
{
    free(z->etag);
    z->etag = xstrdup(a->etag);
}

/* ---- lease ---- */

static struct err *make_empty(struct azblob *z)
{
    AUTO(blob_answer) struct blob_answer a = { 0 };
    struct blob_call c = call_of("PUT", "");

    blob_call_header(&c, "x-ms-blob-type", "BlockBlob");
    blob_call_header(&c, "if-none-match", "*");
    TRY(blob_call_run(&z->place, &c, &a));
    if (a.status == 201 || a.status == 409 || a.status == 412)
        return NULL;
    return blob_answer_error(&a, z->head.name);
}

static struct err *send_lease(struct azblob *z, const char *action, struct blob_answer *ret)
{
    struct blob_call c = call_of("PUT", "comp=lease");
    AUTO(free) char *duration = xasprintf("%lld", (long long)z->lease_s);

    blob_call_header(&c, "x-ms-lease-action", action);
    if (text_eq(action, "acquire")) {
        /* Proposed, so that a second attempt of an acquire that came through is the same lease. */
        blob_call_header(&c, "x-ms-lease-duration", duration);
        blob_call_header(&c, "x-ms-proposed-lease-id", z->lease);
    } else if (text_eq(action, "break")) {
        blob_call_header(&c, "x-ms-lease-break-period", "0");
    } else {
        blob_call_header(&c, "x-ms-lease-id", z->lease);
    }
    return blob_call_run(&z->place, &c, ret);
}

static int64_t renew_ms(const struct azblob *z)
{
    return z->lease_s * 1000 / 3;
}

static void schedule_renewal(struct azblob *z, int64_t in_ms);

static void on_renewed(void *arg, struct blob_answer *answer, struct err *e)
{
    struct azblob *z = arg;

    z->renewal = NULL;
    if (e == NULL && (answer->status == 409 || answer->status == 412))
        z->is_lost = true; /* somebody else has it, or it was broken */
    if (e == NULL && answer->status == 200)
        z->renewed_ms = clock_now_ms();
    schedule_renewal(z, e == NULL && answer->status == 200 ? renew_ms(z) : renew_ms(z) / 4);
    err_ignore(e, "asked again soon; a save tells whether the lease still holds");
    blob_answer_release(answer);
}

/* From the loop, beside whatever else is under way. */
static void on_renew_time(void *arg)
{
    struct azblob *z = arg;
    struct blob_call c = call_of("PUT", "comp=lease");

    z->renew_timer = 0;
    if (z->is_lost)
        return;
    blob_call_header(&c, "x-ms-lease-action", "renew");
    blob_call_header(&c, "x-ms-lease-id", z->lease);
    z->renewal = blob_call_send(&z->place, &c, on_renewed, z);
}

static void schedule_renewal(struct azblob *z, int64_t in_ms)
{
    z->renew_timer = http_loop_after(z->place.loop, in_ms, on_renew_time, z);
}

/*
 * The loop may have stood still for longer than the lease holds: a question that was answered late,
 * a laptop that slept. A lease that ran out can be renewed as long as nobody took it meanwhile.
 */
static struct err *renew_overdue(struct azblob *z)
{
    AUTO(blob_answer) struct blob_answer a = { 0 };

    if (clock_now_ms() - z->renewed_ms < renew_ms(z) * 2)
        return NULL;
    TRY(send_lease(z, "renew", &a));
    if (a.status == 200) {
        z->renewed_ms = clock_now_ms();
        return NULL;
    }
    if (a.status != 409 && a.status != 412)
        return blob_answer_error(&a, z->head.name);
    z->is_lost = true;
    return NULL;
}

static void stop_renewal(struct azblob *z)
{
    blob_call_cancel(z->renewal);
    z->renewal = NULL;
    if (z->renew_timer != 0)
        http_loop_drop_timer(z->place.loop, z->renew_timer);
    z->renew_timer = 0;
}

/* ---- holder ---- */

static char *to_base64(const char *text)
{
    struct buf out = BUF_INIT(HOLDER_MAX * 2);

    encode_base64(&out, text, strlen(text));
    return buf_take(&out);
}

static struct err *read_head(struct azblob *z, bool *ret_is_held, struct buf *ret_holder)
{
    AUTO(blob_answer) struct blob_answer a = { 0 };
    const struct blob_call c = call_of("HEAD", "");

    *ret_is_held = false;
    TRY(blob_call_run(&z->place, &c, &a));
    if (a.status == 404)
        return NULL;
    if (a.status != 200)
        return blob_answer_error(&a, z->head.name);
    *ret_is_held = text_eq(a.lease_state, "locked");
    if (*ret_is_held && a.holder[0] != '\0')
        err_ignore(decode_base64(str_of(a.holder), ret_holder), "shown only");
    if (*ret_is_held && ret_holder->len == 0)
        buf_add_text(ret_holder, "{}");
    return NULL;
}

static struct err *write_holder(struct azblob *z)
{
    AUTO(blob_answer) struct blob_answer a = { 0 };
    struct blob_call c = call_of("PUT", "comp=metadata");

    blob_call_header(&c, "x-ms-lease-id", z->lease);
    blob_call_header(&c, "x-ms-meta-holder", z->holder);
    TRY(blob_call_run(&z->place, &c, &a));
    return a.status == 200 ? NULL : blob_answer_error(&a, z->head.name);
}

static struct err *locked_by_other(struct azblob *z)
{
    AUTO(buf) struct buf who = BUF_INIT(HOLDER_MAX);
    bool is_held = false;

    err_ignore(read_head(z, &is_held, &who), "without its text the lock is still a lock");
    AUTO(free) char *words = state_holder_words(who.len > 0 ? buf_text(&who) : "{}");

    return err_new(ERR_LOCKED, 0, "%s: is locked by %s", z->head.name, words);
}

/* ---- lock ---- */

static struct err *try_lease(struct azblob *z)
{
    AUTO(blob_answer) struct blob_answer a = { 0 };

    TRY(send_lease(z, "acquire", &a));
    if (a.status == 201) {
        z->is_leased = true;
        z->renewed_ms = clock_now_ms();
        return NULL;
    }
    return a.status == 409 ? NULL : blob_answer_error(&a, z->head.name);
}

static struct err *azblob_lock(struct state_backend *b, const char *who, int64_t deadline_ms)
{
    struct azblob *z = azblob_of(b);

    z->holder = to_base64(who);
    digest_uuid4(z->lease);
    TRY(make_empty(z));
    for (;;) {
        TRY(try_lease(z));
        if (z->is_leased)
            break;
        if (clock_left_ms(deadline_ms) == 0)
            return locked_by_other(z);
        TRY(cancel_check());
        clock_sleep_ms(LOCK_RETRY_MS);
    }
    schedule_renewal(z, renew_ms(z));
    return write_holder(z);
}

static void azblob_unlock(struct state_backend *b)
{
    struct azblob *z = azblob_of(b);
    AUTO(blob_answer) struct blob_answer a = { 0 };

    stop_renewal(z);
    if (z->is_leased && !z->is_lost)
        err_ignore(send_lease(z, "release", &a), "it ends by itself in a minute");
    z->is_leased = false;
}

static struct err *azblob_holder(struct state_backend *b, bool is_broken, struct buf *ret)
{
    struct azblob *z = azblob_of(b);
    AUTO(blob_answer) struct blob_answer a = { 0 };
    bool is_held = false;

    buf_clear(ret);
    TRY(read_head(z, &is_held, ret));
    if (!is_held || !is_broken)
        return NULL;
    TRY(send_lease(z, "break", &a));
    return a.status == 202 ? NULL : blob_answer_error(&a, b->name);
}

/* ---- bytes ---- */

static struct err *azblob_load(struct state_backend *b, struct state_image *ret)
{
    struct azblob *z = azblob_of(b);
    AUTO(blob_answer) struct blob_answer a = { 0 };
    const struct blob_call c = call_of("GET", "");

    TRY(blob_call_run(&z->place, &c, &a));
    if (a.status == 404 && !text_eq(a.code, "ContainerNotFound"))
        return NULL;
    if (a.status != 200)
        return blob_answer_error(&a, b->name);
    keep_etag(z, &a);
    buf_add_str(&ret->snapshot, buf_str(&a.body));
    return NULL;
}

static struct err *azblob_trim(struct state_backend *b, size_t good)
{
    (void)b;
    (void)good;
    return NULL; /* a blob is never torn */
}

/* A second attempt may find that the first came through: then the blob is what we wrote. */
static bool is_written_already(struct azblob *z, struct str text)
{
    AUTO(blob_answer) struct blob_answer a = { 0 };
    const struct blob_call c = call_of("GET", "");
    struct err *e = blob_call_run(&z->place, &c, &a);

    err_ignore(e, "then it counts as not written");
    if (e != NULL || a.status != 200 || !str_eq(buf_str(&a.body), text))
        return false;
    keep_etag(z, &a);
    return true;
}

static struct err *judge_save(struct azblob *z, const struct blob_answer *a, struct str text)
{
    if (a->status == 201) {
        keep_etag(z, a);
        return NULL;
    }
    /* However often it was sent: a connection that died is replaced below us, too. */
    if (a->status == 412 && is_written_already(z, text))
        return NULL;
    if (a->status == 412 && text_eq(a->code, "ConditionNotMet")) {
        /* Who takes the lease writes its name to the blob, which is no foreign write of a state. */
        z->renewed_ms = INT64_MIN / 2;
        TRY(renew_overdue(z));
        if (!z->is_lost)
            return err_new(ERR_STALE, 412, "%s: was changed by somebody else", z->head.name);
    }
    if (a->status == 412 || a->status == 409)
        return err_new(ERR_LOCKED, a->status, "%s: the lock was lost (%s)", z->head.name, a->code);
    return blob_answer_error(a, z->head.name);
}

/* A snapshot of the blob: the service keeps it until somebody deletes it. */
static struct err *azblob_keep_copy(
        struct state_backend *b, const struct state_image *image, char **ret_where)
{
    struct azblob *z = azblob_of(b);
    AUTO(blob_answer) struct blob_answer a = { 0 };
    struct blob_call c = call_of("PUT", "comp=snapshot");

    (void)image;
    blob_call_header(&c, "x-ms-lease-id", z->lease);
    TRY(blob_call_run(&z->place, &c, &a));
    if (a.status != 201)
        return blob_answer_error(&a, b->name);
    *ret_where = xasprintf("%s, snapshot %s", b->name, a.snapshot);
    return NULL;
}

static struct err *azblob_save(struct state_backend *b, const struct state_save *w)
{
    struct azblob *z = azblob_of(b);
    AUTO(blob_answer) struct blob_answer a = { 0 };
    AUTO(free) char *text = record_snapshot(w->whole);
    struct blob_call c = call_of("PUT", "");

    if (!z->is_lost)
        TRY(renew_overdue(z));
    if (z->is_lost)
        return err_new(ERR_LOCKED, 0, "%s: the lock was lost", b->name);
    c.body = str_of(text);
    blob_call_header(&c, "x-ms-blob-type", "BlockBlob");
    blob_call_header(&c, "content-type", "application/json");
    blob_call_header(&c, "x-ms-lease-id", z->lease);
    blob_call_header(&c, "x-ms-meta-holder", z->holder);
    blob_call_header(&c, "if-match", z->etag);
    TRY(blob_call_run(&z->place, &c, &a));
    return judge_save(z, &a, c.body);
}

static void azblob_free(struct state_backend *b)
{
    struct azblob *z = azblob_of(b);

    stop_renewal(z);
    free(z->etag);
    free(z->holder);
    free(z->place.account);
    free(z->place.origin);
    free(z->place.path);
    secret_unref(z->place.key);
    free(b->name);
    free(z);
}

static const struct state_backend_ops azblob_ops = {
    .name = "azblob",
    .lock = azblob_lock,
    .unlock = azblob_unlock,
    .holder = azblob_holder,
    .load = azblob_load,
    .trim = azblob_trim,
    .keep_copy = azblob_keep_copy,
    .save = azblob_save,
    .free = azblob_free,
};

/* ---- URL ---- */

/* "azblob://ACCOUNT/CONTAINER/BLOB": the account stands where a URL has its host. */
static struct err *check_url(const struct uri *u, const char *url)
{
    const char *path = u->path[0] == '/' ? u->path + 1 : u->path;
    const char *slash = strchr(path, '/');

    if (u->host_count == 1 && u->hosts[0].name[0] != '\0' && slash != NULL && slash > path
            && slash[1] != '\0' && u->user == NULL)
        return NULL;
    return err_new(ERR_USAGE, 0, "state '%s': want azblob://ACCOUNT/CONTAINER/BLOB", url);
}

/* An emulator: "http://127.0.0.1:10000/ACCOUNT"; what is behind the host becomes part of the path.
 */
static struct err *set_endpoint(struct azblob *z, const char *endpoint, const char *path)
{
    struct uri u = { 0 };
    struct err *e = uri_parse(str_of(endpoint), &u);

    if (e == NULL) {
        const char *end = strstr(endpoint, "://") + 3;

        end += strcspn(end, "/?#");
        z->place.origin = xmemdup0(endpoint, (size_t)(end - endpoint));
        const size_t len = strlen(u.path);
        const bool has_slash = len > 0 && u.path[len - 1] == '/';

        z->place.path = xasprintf("%.*s%s", (int)(has_slash ? len - 1 : len), u.path, path);
    }
    uri_release(&u);
    return err_wrap(e, "state endpoint '%s'", endpoint);
}

static struct err *set_lease(struct azblob *z, const struct uri *u)
{
    const char *lease = uri_param(u, "lease_s");

    z->lease_s = LEASE_S;
    if (lease == NULL)
        return NULL;
    struct err *e = num_parse_i64(str_of(lease), LEASE_S_MIN, LEASE_S_MAX, &z->lease_s);

    err_ignore(e, "told in other words");
    return e == NULL ? NULL
                     : err_new(ERR_USAGE, 0, "state: lease_s=%s: a lease lasts %d to %d seconds",
                             lease, LEASE_S_MIN, LEASE_S_MAX);
}

static struct err *set_place(struct azblob *z, const struct uri *u, const char *url)
{
    const char *endpoint = uri_param(u, "endpoint");

    TRY(check_url(u, url));
    TRY(set_lease(z, u));
    z->place.account = xstrdup(u->hosts[0].name);
    z->head.name = xasprintf("azblob://%s%s", z->place.account, u->path);
    if (endpoint != NULL)
        return set_endpoint(z, endpoint, u->path);
    z->place.origin = xasprintf("https://%s.blob.core.windows.net", z->place.account);
    z->place.path = xstrdup(u->path);
    return NULL;
}

struct err *state_azblob_new(const struct state_open *o, struct state_backend **ret)
{
    struct uri u = { 0 };
    struct azblob *z = xcalloc(1, sizeof(*z));

    z->head.ops = &azblob_ops;
    z->etag = xstrdup("");
    z->place.loop = o->loop;
    z->place.key = o->storage_key == NULL ? NULL : secret_ref(o->storage_key);
    z->place.token = o->token;
    z->place.token_arg = o->token_arg;
    struct err *e = uri_parse(str_of(o->url), &u);

    if (e == NULL)
        e = set_place(z, &u, o->url);
    uri_release(&u);
    if (e != NULL) {
        azblob_free(&z->head);
        return e;
    }
    *ret = &z->head;
    return NULL;
}
