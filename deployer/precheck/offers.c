/* What the services offer: registered providers, regions, versions; and what kinds ask (`before`).
 */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "precheck/internal.h"
#include "precheck/terms.h"

/* ---- providers ---- */

static bool is_told(const struct run *r, const char *provider)
{
    size_t i = 0;
    const json_t *f = NULL;

    json_array_foreach (r->findings, i, f) {
        if (text_eq(jsonx_text(f, "provider"), provider))
            return true;
    }
    return false;
}

static char *region_text(const char *location, const json_t *addresses)
{
    const size_t count = json_array_size(addresses);
    AUTO(free) const char **words = xcalloc(count, sizeof *words);
    AUTO(buf) struct buf text = { .max_bytes = BUF_TEXT_MAX };

    for (size_t i = 0; i < count; i++)
        words[i] = json_string_value(json_array_get(addresses, i));
    buf_addf(&text, "%zu resources are not offered in %s: ", count, location);
    text_add_list(&text, words, count, 3);
    return buf_take(&text);
}

/* One finding a location: a mistyped one is in the way of everything, and is one mistake. */
static void add_region(struct run *r, const struct precheck_subject *s)
{
    AUTO(free) char *text = NULL;
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (r->findings, i, f) {
        if (!text_eq(jsonx_text(f, "check"), "region")
                || !text_eq(jsonx_text(f, "location"), s->location))
            continue;
        json_array_append_new(json_object_get(f, "resources"), jsonx_must(json_string(s->address)));
        text = region_text(s->location, json_object_get(f, "resources"));
        json_object_set_new(f, "text", jsonx_must(json_string(text)));
        return;
    }
    text = xasprintf("%s: %s is not offered in %s", s->address, s->kind->title, s->location);
    f = run_add(r, "region", "error", s->address, text, "choose another location");
    json_object_set_new(f, "location", jsonx_must(json_string(s->location)));
    json_object_set_new(f, "resources", jsonx_must(json_pack("[s]", s->address)));
}

static void judge_provider(
        struct run *r, const struct precheck_subject *s, const char *provider, const json_t *answer)
{
    if (!r->p->cloud.is_registered(answer) && !is_told(r, provider)) {
        AUTO(free)
        char *text =
                xasprintf("apply registers %s with the subscription (1 to 5 minutes)", provider);
        json_t *f = run_add(r, "provider", "note", s->address, text, NULL);

        json_object_set_new(f, "provider", jsonx_must(json_string(provider)));
    }
    if (s->is_created && s->location != NULL && s->kind->fixed_location == NULL
            && !r->p->cloud.has_region(answer, s->kind, s->location))
        add_region(r, s);
    if (!r->p->cloud.has_version(answer, s->kind)) {
        AUTO(free)
        char *text = xasprintf("%s: %s is not served by api-version %s here", s->address,
                s->kind->type, s->kind->api_version);

        run_add(r, "version", "warning", s->address, text, NULL);
    }
}

static void provider_of(struct run *r, const struct precheck_subject *s, bool is_judging)
{
    AUTO(free) char *provider = r->p->cloud.provider_of(s->kind);
    AUTO(free) char *path = r->p->cloud.provider_path(r->p->cloud.subscription, provider);
    AUTO(free) char *what = xasprintf("whether %s is registered", provider);
    struct asked *a = run_ask(r, "GET", path, NULL);

    if (is_judging && run_has_answer(r, a, "provider", what))
        judge_provider(r, s, provider, a->document);
}

/* ---- what kinds ask ---- */

static struct asked *send_question(
        struct run *r, const struct precheck_subject *s, const json_t *question)
{
    const char *subscription = r->p->cloud.subscription;
    const char *get = jsonx_text(question, "get");
    const char *post = jsonx_text(question, "post");
    const json_t *raw = json_object_get(question, "body");

    if (get == NULL && post == NULL)
        return NULL;
    AUTO(free) char *path = question_fill(get == NULL ? post : get, s, subscription);
    json_auto_t *body = raw == NULL ? NULL : question_fill_json(raw, s, subscription);

    if (path == NULL || (raw != NULL && body == NULL))
        return NULL;
    return run_ask(r, get == NULL ? "POST" : "GET", path, body);
}

/* What this plan makes can't answer yet: that is no lack worth telling. */
static bool is_below_new(const struct run *r, const char *path)
{
    for (size_t i = 0; i < r->p->subject_count; i++) {
        const struct precheck_subject *s = &r->p->subjects[i];
        const size_t len = s->id == NULL ? 0 : strlen(s->id);

        if (s->is_created && len > 0 && strncasecmp(path, s->id, len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}

static void judge_one(struct run *r, struct asked *a, const json_t *question,
        const struct precheck_subject *s, double sign)
{
    const char *check = jsonx_text(question, "check");
    const int64_t taken = jsonx_int(question, "fails_with", 0);
    AUTO(free) char *what = xasprintf("%s of %s", check, s->address);
    const bool tells_by_status = taken != 0 && a->status >= 400 && a->status == taken;
    struct question_failure failure = { 0 };

    if (a->is_absent && is_below_new(r, a->path))
        return;
    if (!tells_by_status && !run_has_answer(r, a, check, what))
        return;
    if (json_object_get(question, "quota") != NULL) {
        quota_add(r, a, question, s, sign);
        return;
    }
    const struct question_case c = { .question = question,
        .subject = s,
        .subscription = r->p->cloud.subscription,
        .answer = a->document,
        .status = a->status };

    if (question_judge(&c, &failure) != QUESTION_FAILS)
        return;
    AUTO(free) char *text = xasprintf("%s: %s", s->address, failure.text);

    free(failure.text);
    run_add(r, check, "error", s->address, text, jsonx_text(question, "hint"));
}

/* A question that can't be read is asked by nobody: it has to be told. */
static void check_form(struct run *r, const struct precheck_subject *s, const json_t *question)
{
    AUTO(err) struct err *e = terms_check(question);

    if (e == NULL)
        return;
    AUTO(free)
    char *text = xasprintf("%s: the question about %s of a %s is wrong: %s", s->address,
            jsonx_text(question, "check"), s->kind->name, err_text(e));

    run_add(r, jsonx_text(question, "check"), "warning", s->address, text, NULL);
}

/* One question about one resource, or about one value in its document. */
struct one {
    struct run *run;
    const struct precheck_subject *subject;
    const json_t *question;
    bool is_judging;
    double sign; /* -1: the document is what is there */
};

static void ask_one(void *arg, const json_t *each)
{
    const struct one *o = arg;
    struct precheck_subject s = *o->subject;

    s.each = each;
    json_auto_t *values = terms_values(o->question, &s, s.desired);

    s.values = values;
    if (values == NULL || !question_applies(o->question, &s))
        return;
    struct asked *a = send_question(o->run, &s, o->question);

    if (o->is_judging && a != NULL)
        judge_one(o->run, a, o->question, &s, o->sign);
}

static void ask_of(struct one o, const struct precheck_subject *s)
{
    const char *each = jsonx_text(o.question, "each");

    o.subject = s;
    if (each == NULL)
        ask_one(&o, NULL);
    else
        question_each(s->desired, each, ask_one, &o);
}

static void ask_all(
        struct run *r, const struct precheck_subject *s, const json_t *question, bool is_judging)
{
    struct one o = { .run = r, .question = question, .is_judging = is_judging, .sign = 1 };
    struct precheck_subject was = *s;

    /* What is deleted still holds the name, and that is dealt with. */
    if (text_eq(jsonx_text(question, "check"), "name")
            && (run_is_named(r->p->recover, s) || run_is_named(r->p->purge, s)))
        return;
    if (is_judging)
        check_form(r, s, question);
    ask_of(o, s);
    if (json_object_get(question, "quota") == NULL || s->actual == NULL)
        return;
    was.desired = s->actual;
    o.sign = -1;
    ask_of(o, &was);
}

void offers_step(struct run *r, enum run_phase phase)
{
    const bool is_judging = phase == RUN_JUDGE;

    if (phase == RUN_ASK_CLOSER)
        return;
    for (size_t i = 0; i < r->p->subject_count; i++) {
        const struct precheck_subject *s = &r->p->subjects[i];
        size_t k = 0;
        const json_t *question = NULL;

        if (!s->is_written)
            continue;
        provider_of(r, s, is_judging);
        json_array_foreach (s->kind->before, k, question)
            ask_all(r, s, question, is_judging);
    }
    if (is_judging)
        quotas_judge(r);
}
