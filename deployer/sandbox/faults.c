#include "sandbox/faults.h"

#include <fnmatch.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/num.h"

#define BUCKETS 3u

struct entry {
    const char *method, *path, *type, *api_version; /* NULL: any */
    int64_t nth;                                    /* 0: any */
    int64_t count;                                  /* how many hits from nth on; 0: every */
    int64_t seen;
    struct fault fault;
};

struct bucket {
    double capacity, refill_per_s, level;
};

struct faults {
    char *path;
    struct arena *arena; /* of the script as last read */
    struct timespec changed;
    json_t *script;
    struct entry *entries;
    size_t count;
    bool has_buckets;
    struct bucket buckets[BUCKETS]; /* reads, writes, deletes */
    int64_t filled_ms;
};

static const char *const bucket_names[BUCKETS] = { "reads", "writes", "deletes" };

static struct err *read_ms(const json_t *j, const char *key, int64_t otherwise, int64_t *ret)
{
    const json_t *value = json_object_get(j, key);

    *ret = otherwise;
    if (value == NULL)
        return NULL;
    if (json_is_number(value)) {
        *ret = (int64_t)(json_number_value(value) * 1000);
        return NULL;
    }
    if (!json_is_string(value))
        return err_new(ERR_CONFIG, 0, "%s: a duration is expected", key);
    return err_wrap(num_parse_duration_ms(str_of(json_string_value(value)), ret), "%s", key);
}

static struct err *read_lro(const json_t *action, struct fault *f)
{
    const json_t *lro = json_object_get(action, "lro");

    f->lro_ms = -1;
    if (lro == NULL)
        return NULL;
    TRY(read_ms(lro, "duration", -1, &f->lro_ms));
    const char *code = jsonx_text(lro, "code");

    if (code != NULL)
        f->lro_error = json_object_get(action, "lro");
    return NULL;
}

static struct err *read_action(const json_t *action, struct fault *f)
{
    const json_t *lag = json_object_get(action, "lag");

    f->status = (int)jsonx_int(action, "status", 0);
    f->code = jsonx_text(action, "code");
    f->message = jsonx_text(action, "message");
    f->text = jsonx_text(action, "body");
    f->headers = json_object_get(action, "headers");
    f->is_reset = jsonx_bool(action, "reset", false);
    f->is_cut = jsonx_bool(action, "cut", false);
    f->is_after = text_eq(jsonx_text(action, "when"), "after");
    TRY(read_ms(action, "delay", 0, &f->delay_ms));
    TRY(read_ms(lag, "get", 0, &f->get_lag_ms));
    TRY(read_ms(lag, "list", 0, &f->list_lag_ms));
    return read_lro(action, f);
}

static struct err *read_entry(const json_t *j, struct entry *e)
{
    const json_t *match = json_object_get(j, "match");
    const json_t *action = json_object_get(j, "do");

    if (!json_is_object(match) || !json_is_object(action))
        return err_new(ERR_CONFIG, 0, "match and do are needed");
    e->method = jsonx_text(match, "method");
    e->path = jsonx_text(match, "path");
    e->type = jsonx_text(match, "type");
    e->api_version = jsonx_text(match, "api_version");
    e->nth = jsonx_int(match, "nth", 0);
    e->count = jsonx_int(match, "count", e->nth > 0 ? 1 : 0);
    return read_action(action, &e->fault);
}

static void read_buckets(struct faults *f)
{
    const json_t *buckets = faults_setting(f, "buckets");

    f->has_buckets = json_is_object(buckets);
    for (size_t i = 0; i < BUCKETS; i++) {
        const json_t *pair = json_object_get(buckets, bucket_names[i]);

        f->buckets[i].capacity = json_number_value(json_array_get(pair, 0));
        f->buckets[i].refill_per_s = json_number_value(json_array_get(pair, 1));
        f->buckets[i].level = f->buckets[i].capacity;
    }
    f->filled_ms = clock_now_ms();
}

static void release_json(void *j)
{
    json_decref(j);
}

static struct err *read_script(struct faults *f, struct arena *arena)
{
    AUTO(diag) struct diag_list diags;
    struct doc_node *root = NULL;

    diag_init(&diags, arena);
    TRY(doc_load(arena, f->path, &diags, &root));
    json_t *script = root == NULL ? json_object() : doc_json(root, "", &diags);

    arena_hook(arena, release_json, script);
    if (diags.count > 0)
        return err_new(ERR_CONFIG, 0, "%s:%d:%d: %s", f->path, diags.items[0].place.line,
                diags.items[0].place.column, diags.items[0].text);
    const json_t *list = json_object_get(script, "faults");
    const size_t count = json_array_size(list);
    struct entry *entries = arena_alloc(arena, (count + 1) * sizeof(*entries));

    for (size_t i = 0; i < count; i++)
        TRY(err_wrap(
                read_entry(json_array_get(list, i), &entries[i]), "%s: fault %zu", f->path, i + 1));
    f->script = script;
    f->entries = entries;
    f->count = count;
    return NULL;
}

static struct err *load(struct faults *f)
{
    struct arena *arena = arena_new();
    struct err *e = read_script(f, arena);

    if (e != NULL) {
        arena_free(arena);
        return e;
    }
    arena_free(f->arena);
    f->arena = arena;
    read_buckets(f);
    return NULL;
}

static bool has_changed(struct faults *f)
{
    struct stat st;

    if (f->path == NULL || stat(f->path, &st) != 0)
        return false;
    const bool is_same =
            st.st_mtim.tv_sec == f->changed.tv_sec && st.st_mtim.tv_nsec == f->changed.tv_nsec;

    f->changed = st.st_mtim;
    return !is_same;
}

struct err *faults_open(const char *path, struct faults **ret)
{
    struct faults *f = xcalloc(1, sizeof(*f));

    f->path = xstrdup(path);
    has_changed(f);
    struct err *e = path == NULL ? NULL : load(f);

    if (e != NULL) {
        faults_free(f);
        return e;
    }
    *ret = f;
    return NULL;
}

void faults_free(struct faults *f)
{
    if (f == NULL)
        return;
    arena_free(f->arena);
    free(f->path);
    free(f);
}

void faults_refresh(struct faults *f)
{
    if (!has_changed(f))
        return;
    AUTO(err) struct err *e = load(f);

    if (e != NULL)
        log_warn("sandbox.faults", "%s", err_text(e));
}

static bool fits(const char *pattern, const char *text)
{
    return pattern == NULL || (text != NULL && fnmatch(pattern, text, FNM_CASEFOLD) == 0);
}

const struct fault *faults_match(struct faults *f, const struct request *q, const char *type)
{
    const struct fault *hit = NULL;

    for (size_t i = 0; i < f->count; i++) {
        struct entry *e = &f->entries[i];

        if (!fits(e->method, q->method) || !fits(e->path, q->path) || !fits(e->type, type)
                || !fits(e->api_version, request_query(q, "api-version")))
            continue;
        e->seen++;
        const int64_t first = e->nth > 0 ? e->nth : 1;
        const bool is_due = e->seen >= first && (e->count == 0 || e->seen < first + e->count);

        if (is_due && hit == NULL)
            hit = &e->fault;
    }
    return hit;
}

void fault_apply(const struct fault *fault, struct reply *r)
{
    const char *name = NULL;
    json_t *value = NULL;

    r->delay_ms = fault->delay_ms;
    if (fault->is_reset)
        r->ending = REPLY_RESET;
    if (fault->is_cut)
        r->ending = REPLY_CUT;
    if (fault->text != NULL) {
        reply_json(r, fault->status == 0 ? 200 : fault->status, NULL);
        free(r->text);
        r->text = xstrdup(fault->text);
    } else if (fault->status != 0) {
        AUTO(err)
        struct err *e = refuse(fault->status, fault->code == NULL ? "Fault" : fault->code, "%s",
                fault->message == NULL ? "The sandbox was told to answer so." : fault->message);

        reply_error(r, e);
    }
    json_object_foreach ((json_t *)(uintptr_t)fault->headers, name, value) {
        if (json_is_string(value))
            reply_header(r, name, "%s", json_string_value(value));
        else if (json_is_integer(value))
            reply_header(r, name, "%lld", (long long)json_integer_value(value));
    }
}

static size_t bucket_of(const struct request *q)
{
    if (request_is(q, "DELETE"))
        return 2;
    return request_is(q, "GET") || request_is(q, "HEAD") ? 0 : 1;
}

static void refill(struct faults *f)
{
    const int64_t now_ms = clock_now_ms();
    const double seconds = (double)(now_ms - f->filled_ms) / 1000.0;

    for (size_t i = 0; i < BUCKETS; i++) {
        struct bucket *b = &f->buckets[i];

        b->level += seconds * b->refill_per_s;
        if (b->level > b->capacity)
            b->level = b->capacity;
    }
    f->filled_ms = now_ms;
}

struct err *faults_throttle(struct faults *f, const struct request *q, struct reply *r)
{
    const size_t which = bucket_of(q);
    struct bucket *b = &f->buckets[which];

    if (!f->has_buckets || b->capacity < 1) {
        reply_header(r,
                which == 0   ? "x-ms-ratelimit-remaining-subscription-reads"
                : which == 1 ? "x-ms-ratelimit-remaining-subscription-writes"
                             : "x-ms-ratelimit-remaining-subscription-deletes",
                "%s", which == 0 ? "249" : "199");
        return NULL;
    }
    refill(f);
    if (b->level < 1) {
        const double wait_s = b->refill_per_s > 0 ? (1 - b->level) / b->refill_per_s : 60;

        reply_header(r, "Retry-After", "%d", wait_s < 1 ? 1 : (int)(wait_s + 0.999));
        return refuse(429, "TooManyRequests",
                "Number of requests for subscription has exceeded the limit of %s. Please try "
                "again after some time.",
                bucket_names[which]);
    }
    b->level -= 1;
    AUTO(free)
    char *name = xasprintf("x-ms-ratelimit-remaining-subscription-%s", bucket_names[which]);

    reply_header(r, name, "%d", (int)b->level);
    return NULL;
}

void faults_retry_after(const struct faults *f, struct reply *r, int seconds, int64_t left_ms)
{
    const char *form = json_string_value(faults_setting(f, "retry_after"));
    const json_t *fixed = faults_setting(f, "retry_after_s");

    if (json_is_integer(fixed))
        seconds = (int)json_integer_value(fixed);
    if (text_eq(form, "ms")) {
        reply_header(r, "retry-after-ms", "%d", seconds * 1000);
    } else if (text_eq(form, "date")) {
        const time_t then = (time_t)(clock_wall_ms() / 1000 + seconds);
        struct tm parts;
        char text[64];

        gmtime_r(&then, &parts);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        reply_header(r, "Retry-After", "%s", text);
    } else if (!text_eq(form, "none")) {
        reply_header(r, "Retry-After", "%d", seconds);
        /* Clients that know the finer header lose no second; the others need a whole one. */
        if (fixed == NULL && left_ms > 0 && left_ms < 1000)
            reply_header(r, "retry-after-ms", "%d", (int)left_ms);
    }
}

const json_t *faults_setting(const struct faults *f, const char *name)
{
    return json_object_get(json_object_get(f->script, "settings"), name);
}
