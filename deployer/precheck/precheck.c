#include "precheck/precheck.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "precheck/internal.h"

/* ---- asking ---- */

static void on_answer(void *arg, const struct cloud_result *result)
{
    struct asked *a = arg;

    a->run->outstanding--;
    a->is_done = true;
    a->status = result->status;
    a->is_absent = result->is_absent;
    a->error = result->e;
    a->document = result->document == NULL ? NULL : json_incref(result->document);
}

struct asked *run_ask(struct run *r, const char *method, const char *path, const json_t *body)
{
    if (path == NULL)
        return NULL;
    AUTO(free) char *dump = body == NULL ? NULL : jsonx_dump(body);
    AUTO(free) char *key = xasprintf("%s %s %s", method, path, dump == NULL ? "" : dump);

    for (struct asked *a = r->asked; a != NULL; a = a->next) {
        if (text_eq(a->key, key))
            return a;
    }
    struct asked *a = xcalloc(1, sizeof(*a));

    *a = (struct asked){ .run = r,
        .key = TAKE(key),
        .method = method,
        .path = xstrdup(path),
        .body = body == NULL ? NULL : jsonx_copy(body),
        .next = r->asked };
    r->asked = a;
    r->outstanding++;
    r->p->cloud.ask(r->p->cloud.arg, method, a->path, a->body, r->p->deadline_ms, on_answer, a);
    return a;
}

static void free_asked(struct run *r)
{
    while (r->asked != NULL) {
        struct asked *next = r->asked->next;

        free(r->asked->key);
        free(r->asked->path);
        json_decref(r->asked->body);
        json_decref(r->asked->document);
        err_free(r->asked->error);
        free(r->asked);
        r->asked = next;
    }
}

/* ---- findings ---- */

json_t *run_add(struct run *r, const char *check, const char *severity, const char *address,
        const char *text, const char *hint)
{
    json_t *f = jsonx_must(
            json_pack("{s:s, s:s, s:s}", "check", check, "severity", severity, "text", text));

    if (address != NULL)
        json_object_set_new(f, "address", jsonx_must(json_string(address)));
    if (hint != NULL)
        json_object_set_new(f, "hint", jsonx_must(json_string(hint)));
    json_array_append_new(r->findings, f);
    return f;
}

bool run_has_answer(struct run *r, struct asked *a, const char *check, const char *what)
{
    if (a == NULL)
        return false;
    if (a->error == NULL && !a->is_absent)
        return true;
    if (!a->is_told) {
        const char *code = a->error == NULL ? "" : err_api_code(a->error);
        AUTO(free)
        char *text = a->error == NULL || code[0] != '\0'
                             ? xasprintf("%s: not known (HTTP %ld%s%s)", what, a->status,
                                     code[0] == '\0' ? "" : " ", code)
                             : xasprintf("%s: not known (%s)", what, err_text(a->error));

        a->is_told = true;
        run_add(r, check, "note", NULL, text, NULL);
    }
    return false;
}

bool run_is_named(const json_t *names, const struct precheck_subject *s)
{
    size_t i = 0;
    const json_t *name = NULL;

    json_array_foreach (names, i, name) {
        const char *text = json_string_value(name);

        if (text_eq(text, s->name) || text_eq(text, s->address))
            return true;
    }
    return false;
}

static int rank(const json_t *finding)
{
    const char *severity = jsonx_text(finding, "severity");

    return text_eq(severity, "error") ? 0 : text_eq(severity, "warning") ? 1 : 2;
}

/* Errors first, else in the order found. */
static json_t *sorted(const json_t *findings)
{
    json_t *all = jsonx_must(json_array());

    for (int wanted = 0; wanted < 3; wanted++) {
        size_t i = 0;
        json_t *f = NULL;

        json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
            if (rank(f) == wanted)
                json_array_append(all, f);
        }
    }
    return all;
}

/* Where the stack names what a finding is about. */
static void add_places(const struct run *r)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (r->findings, i, f) {
        const char *address = jsonx_text(f, "address");

        for (size_t k = 0; address != NULL && k < r->p->subject_count; k++) {
            const struct precheck_subject *s = &r->p->subjects[k];

            if (s->place.line == 0 || s->place.file == NULL || !text_eq(s->address, address))
                continue;
            json_object_set_new(f, "file", jsonx_must(json_string(s->place.file)));
            json_object_set_new(f, "line", json_integer(s->place.line));
            json_object_set_new(f, "column", json_integer(s->place.column));
        }
    }
}

/* ---- the whole ---- */

static bool is_all_answered(void *arg)
{
    return ((const struct run *)arg)->outstanding == 0;
}

static struct err *run_all(struct run *r)
{
    static void (*const steps[])(struct run *, enum run_phase) = { rights_step, locks_step,
        offers_step, buried_step, images_step };

    for (enum run_phase phase = RUN_ASK; phase < RUN_PHASE_COUNT; phase++) {
        for (size_t i = 0; i < ARRAY_LEN(steps); i++)
            steps[i](r, phase);
        /* Each request has the deadline itself: all of them end. */
        if (r->outstanding > 0)
            TRY(r->p->cloud.turn(r->p->cloud.arg, is_all_answered, r, INT64_MAX));
    }
    return NULL;
}

struct err *precheck_run(const struct precheck *p, json_t **ret)
{
    struct run r = { .p = p, .findings = jsonx_must(json_array()) };
    struct err *e = run_all(&r);

    /* After a signal answers may be due still: the cloud is let go of before its loop runs again.
     */

    if (e == NULL) {
        add_places(&r);
        *ret = sorted(r.findings);
    }
    images_free(&r);
    quotas_free(&r);
    free_asked(&r);
    json_decref(r.findings);
    return e;
}

size_t precheck_count(const json_t *findings, const char *severity)
{
    size_t count = 0;
    size_t i = 0;
    const json_t *f = NULL;

    json_array_foreach (findings, i, f)
        count += text_eq(jsonx_text(f, "severity"), severity);
    return count;
}

static bool has_error_of(const json_t *findings, const char *check)
{
    size_t i = 0;
    const json_t *f = NULL;

    json_array_foreach (findings, i, f) {
        if (rank(f) == 0 && text_eq(jsonx_text(f, "check"), check))
            return true;
    }
    return false;
}

struct err *precheck_refusal(const json_t *findings, const char *done)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    const json_t *f = NULL;

    json_array_foreach (findings, i, f) {
        const char *hint = jsonx_text(f, "hint");

        if (rank(f) != 0)
            continue;
        buf_addf(&text, "\n  %s: %s%s%s", jsonx_text(f, "check"), jsonx_text(f, "text"),
                hint == NULL ? "" : ": ", hint == NULL ? "" : hint);
        if (jsonx_text(f, "file") != NULL)
            buf_addf(&text, " (%s:%d)", jsonx_text(f, "file"), (int)jsonx_int(f, "line", 0));
    }
    if (text.len == 0)
        return NULL;
    const enum err_kind kind = has_error_of(findings, "permission")     ? ERR_DENIED
                               : has_error_of(findings, "lock")         ? ERR_PROTECT
                               : has_error_of(findings, "soft-deleted") ? ERR_PROTECT
                                                                        : ERR_CONFIG;
    struct err *e =
            err_new(kind, 0, "nothing was %s, because this would fail:%s", done, buf_text(&text));

    err_set_hint(e, "--skip-checks goes on without these checks");
    return e;
}
