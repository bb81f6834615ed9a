/* What the services offer: registered providers, regions, versions; and what kinds ask (`before`).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "precheck/internal.h"

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

/* How many of the plan ask for a part of the same quota; 0 for all but the first of them. */
static size_t sharers(const struct run *r, const struct precheck_subject *s, const json_t *question)
{
    size_t count = 0;

    for (size_t i = 0; i < r->p->subject_count; i++) {
        const struct precheck_subject *other = &r->p->subjects[i];

        if (other->kind != s->kind || !question_applies(question, other)
                || !text_eq(other->location, s->location))
            continue;
        if (count == 0 && other != s)
            return 0;
        count++;
    }
    return count;
}

static void ask_one(
        struct run *r, const struct precheck_subject *s, const json_t *question, bool is_judging)
{
    const char *subscription = r->p->cloud.subscription;
    const char *get = jsonx_text(question, "get");
    const char *post = jsonx_text(question, "post");
    const json_t *raw = json_object_get(question, "body");
    const char *check = jsonx_text(question, "check");

    if (!question_applies(question, s) || (get == NULL && post == NULL))
        return;
    /* What is deleted still holds the name, and that is dealt with. */
    if (text_eq(check, "name") && (run_is_named(r->p->recover, s) || run_is_named(r->p->purge, s)))
        return;
    AUTO(free) char *path = question_fill(get == NULL ? post : get, s, subscription);
    json_auto_t *body = raw == NULL ? NULL : question_fill_json(raw, s, subscription);

    if (path == NULL || (raw != NULL && body == NULL))
        return;
    struct asked *a = run_ask(r, get == NULL ? "POST" : "GET", path, body);

    if (!is_judging)
        return;
    AUTO(free) char *what = xasprintf("%s of %s", check, s->address);
    const bool tells_by_status = jsonx_int(question, "fails_with", 0) != 0 && a->status >= 400
                                 && a->status == jsonx_int(question, "fails_with", 0);

    if (!tells_by_status && !run_has_answer(r, a, check, what))
        return;
    AUTO(free) char *why = NULL;

    const size_t count = sharers(r, s, question);

    if (json_object_get(question, "quota") != NULL && count == 0)
        return;
    if (question_judge(question, s, subscription, a->document, a->status, count, &why)
            != QUESTION_FAILS)
        return;
    AUTO(free) char *text = xasprintf("%s: %s", s->address, why);

    run_add(r, check, "error", s->address, text, jsonx_text(question, "hint"));
}

struct each {
    struct run *run;
    const struct precheck_subject *subject;
    const json_t *question;
    bool is_judging;
};

static void ask_each(void *arg, const json_t *value)
{
    const struct each *e = arg;
    struct precheck_subject one = *e->subject;

    one.each = json_string_value(value);
    if (one.each != NULL)
        ask_one(e->run, &one, e->question, e->is_judging);
}

static void ask_all(
        struct run *r, const struct precheck_subject *s, const json_t *question, bool is_judging)
{
    const char *each = jsonx_text(question, "each");
    struct each e = { .run = r, .subject = s, .question = question, .is_judging = is_judging };

    if (each == NULL)
        ask_one(r, s, question, is_judging);
    else
        question_each(s->desired, each, ask_each, &e);
}

void offers_step(struct run *r, bool is_judging)
{
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
}
