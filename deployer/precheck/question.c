#include "precheck/question.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/text.h"

#define OFFERS_MAX 200u

/* ---- paths ---- */

void question_each(
        const json_t *j, const char *path, void (*fn)(void *arg, const json_t *value), void *arg)
{
    if (j == NULL)
        return;
    if (*path == '\0') {
        fn(arg, j);
        return;
    }
    if (strncmp(path, "[]", 2) == 0) {
        const char *rest = path[2] == '.' ? path + 3 : path + 2;
        size_t i = 0;
        const json_t *element = NULL;

        json_array_foreach (j, i, element)
            question_each(element, rest, fn, arg);
        return;
    }
    const size_t len = strcspn(path, ".[");
    AUTO(free) char *key = xmemdup0(path, len);

    question_each(jsonx_get_ci(j, key), path[len] == '.' ? path + len + 1 : path + len, fn, arg);
}

/* ---- values as texts ---- */

/* Owned; NULL for what is no plain value (objects, secrets, what is not known yet). */
static char *as_text(const json_t *value)
{
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    if (json_is_integer(value))
        return xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_boolean(value))
        return xstrdup(json_is_true(value) ? "true" : "false");
    return NULL;
}

static char *plain_region(const char *location)
{
    char *plain = xstrdup(location);
    size_t n = 0;

    for (const char *p = location; *p != '\0'; p++) {
        if (*p != ' ')
            plain[n++] = (char)tolower((unsigned char)*p);
    }
    plain[n] = '\0';
    return plain;
}

/* Owned; NULL: not known. */
static char *placeholder(
        const char *name, const struct precheck_subject *s, const char *subscription)
{
    if (text_eq(name, "name"))
        return xstrdup(s->name);
    if (text_eq(name, "subscription"))
        return xstrdup(subscription);
    if (text_eq(name, "each"))
        return xstrdup(s->each);
    if (text_eq(name, "id"))
        return xstrdup(s->id);
    if (text_eq(name, "location"))
        return s->location == NULL ? NULL : plain_region(s->location);
    return as_text(jsonx_at_ci(s->desired, name));
}

char *question_fill(const char *text, const struct precheck_subject *s, const char *subscription)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (const char *p = text; *p != '\0';) {
        const size_t plain = strcspn(p, "{");

        buf_add(&out, p, plain);
        p += plain;
        const char *end = *p == '{' ? strchr(p, '}') : NULL;

        if (end == NULL) {
            buf_add_text(&out, p);
            break;
        }
        AUTO(free) char *name = xmemdup0(p + 1, (size_t)(end - p - 1));
        AUTO(free) char *value = placeholder(name, s, subscription);

        if (value == NULL)
            return NULL;
        buf_add_text(&out, value);
        p = end + 1;
    }
    return buf_take(&out);
}

json_t *question_fill_json(
        const json_t *j, const struct precheck_subject *s, const char *subscription)
{
    const char *key = NULL;
    json_t *value = NULL;

    if (json_is_string(j)) {
        AUTO(free) char *text = question_fill(json_string_value(j), s, subscription);

        return text == NULL ? NULL : jsonx_must(json_string(text));
    }
    if (!json_is_object(j))
        return jsonx_copy(j);
    json_auto_t *filled = jsonx_must(json_object());

    json_object_foreach ((json_t *)(uintptr_t)j, key, value) {
        json_t *one = question_fill_json(value, s, subscription);

        if (one == NULL)
            return NULL;
        json_object_set_new(filled, key, one);
    }
    return TAKE(filled);
}

/* ---- conditions ---- */

struct search {
    const char *wanted;
    bool is_found;
};

static void compare(void *arg, const json_t *value)
{
    struct search *s = arg;
    AUTO(free) char *text = as_text(value);

    s->is_found = s->is_found || (text != NULL && text_eq_loose(text, s->wanted));
}

/* Whether all of `where` (path -> value) hold on `j`; any value of several at a path does. */
static bool fits(const json_t *j, const json_t *where)
{
    const char *path = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)where, path, value) {
        AUTO(free) char *text = as_text(value);
        struct search s = { .wanted = text == NULL ? "" : text };

        question_each(j, path, compare, &s);
        if (!s.is_found)
            return false;
    }
    return true;
}

bool question_applies(const json_t *question, const struct precheck_subject *s)
{
    const json_t *when = json_object_get(question, "when");
    const json_t *unless = json_object_get(question, "unless");

    const bool is_for_updates = jsonx_bool(question, "updated", false);

    if (!s->is_written || (s->is_created && is_for_updates)
            || (!s->is_created && !is_for_updates && !jsonx_bool(question, "always", false)))
        return false;
    if (text_eq(jsonx_text(question, "check"), "name") && s->is_name_ours)
        return false;
    return (when == NULL || fits(s->desired, when))
           && (unless == NULL || !fits(s->desired, unless));
}

/* ---- the answer ---- */

struct judging {
    const json_t *question;
    json_t *where; /* filled */
    size_t members;
    const json_t *first_fit;
    const char *offers[OFFERS_MAX];
    size_t offer_count;
};

static void add_offer(void *arg, const json_t *value)
{
    struct judging *j = arg;

    if (json_is_string(value) && j->offer_count < OFFERS_MAX)
        j->offers[j->offer_count++] = json_string_value(value);
}

static void look(void *arg, const json_t *member)
{
    struct judging *j = arg;
    const char *offer = jsonx_text(j->question, "offer");

    j->members++;
    if (j->first_fit == NULL && fits(member, j->where))
        j->first_fit = member;
    if (offer != NULL)
        question_each(member, offer, add_offer, j);
}

static void first_text(void *arg, const json_t *value)
{
    char **ret = arg;

    if (*ret == NULL)
        *ret = as_text(value);
}

/* The question's text, then what the answer says at `reason`, and the nearest that is offered. */
static char *explain(const struct judging *j, const json_t *told, const struct precheck_subject *s,
        const char *subscription)
{
    const char *text = jsonx_text(j->question, "text");
    const char *reason = jsonx_text(j->question, "reason");
    const char *wanted = jsonx_text(j->question, "wanted");
    AUTO(free) char *own = text == NULL ? NULL : question_fill(text, s, subscription);
    AUTO(free) char *why = NULL;
    AUTO(free) char *word = wanted == NULL ? NULL : question_fill(wanted, s, subscription);
    const char *meant = word == NULL ? NULL : text_suggest(str_of(word), j->offers, j->offer_count);

    if (reason != NULL)
        question_each(told, reason, first_text, &why);
    return xasprintf("%s%s%s%s%s%s", own == NULL ? "" : own, own != NULL && why != NULL ? ": " : "",
            why == NULL ? "" : why, meant == NULL ? "" : " (", meant == NULL ? "" : meant,
            meant == NULL ? "" : " is)");
}

static enum question_verdict judge_quota(
        const struct judging *j, size_t count, struct buf *ret_numbers)
{
    const json_t *used = jsonx_at_ci(j->first_fit, jsonx_text(j->question, "used"));
    const json_t *limit = jsonx_at_ci(j->first_fit, jsonx_text(j->question, "limit"));

    if (!json_is_number(used) || !json_is_number(limit) || json_number_value(limit) < 0)
        return QUESTION_OPEN;
    if (json_number_value(used) + (double)count <= json_number_value(limit))
        return QUESTION_HOLDS;
    buf_addf(ret_numbers, ": %.0f of %.0f are in use, %zu more are planned",
            json_number_value(used), json_number_value(limit), count);
    return QUESTION_FAILS;
}

static enum question_verdict verdict_of(
        struct judging *j, const json_t *answer, size_t count, struct buf *ret_numbers)
{
    static const char *const forms[] = { "expect", "some", "none", "quota" };
    const json_t *expect = json_object_get(j->question, "expect");
    const char *path = NULL;

    if (expect != NULL)
        return fits(answer, expect) ? QUESTION_HOLDS : QUESTION_FAILS;
    for (size_t i = 1; i < ARRAY_LEN(forms); i++) {
        path = jsonx_text(j->question, forms[i]);
        if (path == NULL)
            continue;
        question_each(answer, path, look, j);
        if (j->members == 0)
            return QUESTION_OPEN;
        if (i == 3)
            return j->first_fit == NULL ? QUESTION_OPEN : judge_quota(j, count, ret_numbers);
        return (j->first_fit != NULL) == (i == 1) ? QUESTION_HOLDS : QUESTION_FAILS;
    }
    return QUESTION_OPEN;
}

enum question_verdict question_judge(const json_t *question, const struct precheck_subject *s,
        const char *subscription, const json_t *answer, long status, size_t count, char **ret_text)
{
    const json_t *where = json_object_get(question, "where");
    const int64_t taken = jsonx_int(question, "fails_with", 0);
    AUTO(buf) struct buf numbers = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *filled =
            where == NULL ? jsonx_must(json_object()) : question_fill_json(where, s, subscription);
    struct judging j = { .question = question, .where = filled };
    enum question_verdict verdict = QUESTION_OPEN;

    if (filled == NULL)
        return QUESTION_OPEN;
    if (taken != 0)
        verdict = status == taken ? QUESTION_FAILS : QUESTION_HOLDS;
    else if (answer != NULL)
        verdict = verdict_of(&j, answer, count, &numbers);
    if (verdict == QUESTION_FAILS) {
        AUTO(free)
        char *text = explain(&j, j.first_fit == NULL ? answer : j.first_fit, s, subscription);

        *ret_text = xasprintf("%s%s", text, buf_text(&numbers));
    }
    return verdict;
}
