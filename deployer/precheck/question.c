#include "precheck/question.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/text.h"
#include "precheck/terms.h"

#define OFFERS_MAX 200u

/* ---- values as texts ---- */

/* Owned; NULL for what is no plain value (objects, secrets, what is not known yet). */
static char *as_text(const json_t *value)
{
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    if (json_is_integer(value))
        return xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_real(value))
        return xasprintf("%.10g", json_real_value(value));
    if (json_is_boolean(value))
        return xstrdup(json_is_true(value) ? "true" : "false");
    return NULL;
}

/* ---- paths ---- */

static void each_element(
        const json_t *list, const char *step, void (*fn)(void *arg, const json_t *value), void *arg)
{
    const size_t len = strcspn(step, "]");
    const char *rest = step[len] == ']' ? step + len + 1 : step + len;
    const char *equals = memchr(step, '=', len);
    AUTO(free) char *key = equals == NULL ? NULL : xmemdup0(step + 1, (size_t)(equals - step - 1));
    AUTO(free)
    char *wanted = equals == NULL ? NULL : xmemdup0(equals + 1, (size_t)(step + len - equals - 1));
    size_t i = 0;
    const json_t *element = NULL;

    rest += *rest == '.';
    json_array_foreach (list, i, element) {
        AUTO(free) char *text = key == NULL ? NULL : as_text(jsonx_get_ci(element, key));

        if (key == NULL || (text != NULL && text_eq_loose(text, wanted)))
            question_each(element, rest, fn, arg);
    }
}

void question_each(
        const json_t *j, const char *path, void (*fn)(void *arg, const json_t *value), void *arg)
{
    if (j == NULL)
        return;
    if (*path == '\0') {
        fn(arg, j);
        return;
    }
    if (*path == '[') {
        each_element(j, path, fn, arg);
        return;
    }
    const size_t len = strcspn(path, ".[");
    AUTO(free) char *key = xmemdup0(path, len);

    question_each(jsonx_get_ci(j, key), path[len] == '.' ? path + len + 1 : path + len, fn, arg);
}

/* ---- filling in ---- */

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
    const json_t *own = json_object_get(s->values, name);

    if (own != NULL)
        return as_text(own);
    if (text_eq(name, "name"))
        return xstrdup(s->name);
    if (text_eq(name, "subscription"))
        return xstrdup(subscription);
    if (text_eq(name, "each"))
        return as_text(s->each);
    if (strncmp(name, "each.", 5) == 0)
        return as_text(jsonx_at_ci(s->each, name + 5));
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

static bool read_number(const char *text, double *ret)
{
    char *end = NULL;

    *ret = strtod(text, &end);
    return end != text && *end == '\0';
}

struct search {
    const char *wanted;
    bool is_found;
};

/* ">=12" and "<=12" compare numbers. */
static bool is_as_wanted(const char *text, const char *wanted)
{
    double is = 0;
    double bound = 0;

    if ((wanted[0] != '<' && wanted[0] != '>') || wanted[1] != '=')
        return text_eq_loose(text, wanted);
    return read_number(text, &is) && read_number(wanted + 2, &bound)
           && (wanted[0] == '<' ? is <= bound : is >= bound);
}

static void compare(void *arg, const json_t *value)
{
    struct search *s = arg;
    AUTO(free) char *text = as_text(value);

    s->is_found = s->is_found || (text != NULL && is_as_wanted(text, s->wanted));
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
    return (when == NULL || fits(s->desired, when)) && (unless == NULL || !fits(s->desired, unless))
           && terms_hold(question, s);
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
static char *explain(const struct judging *j, const struct question_case *c)
{
    const char *text = jsonx_text(c->question, "text");
    const char *reason = jsonx_text(c->question, "reason");
    const char *wanted = jsonx_text(c->question, "wanted");
    const bool is_of_all = j->first_fit == NULL || (reason != NULL && reason[0] == '^');
    AUTO(free) char *own = text == NULL ? NULL : question_fill(text, c->subject, c->subscription);
    AUTO(free) char *why = NULL;
    AUTO(free)
    char *word = wanted == NULL ? NULL : question_fill(wanted, c->subject, c->subscription);
    const char *meant = word == NULL ? NULL : text_suggest(str_of(word), j->offers, j->offer_count);

    if (reason != NULL)
        question_each(is_of_all ? c->answer : j->first_fit, reason + (reason[0] == '^'), first_text,
                &why);
    return xasprintf("%s%s%s%s%s%s", own == NULL ? "" : own, own != NULL && why != NULL ? ": " : "",
            why == NULL ? "" : why, meant == NULL ? "" : " (", meant == NULL ? "" : meant,
            meant == NULL ? "" : " is)");
}

/* Services differ in what they call it: "usage|currentValue" is the first that is there. */
static const json_t *first_at(const json_t *member, const char *paths)
{
    const json_t *found = NULL;

    for (struct str rest = str_of(paths == NULL ? "" : paths); found == NULL && rest.len > 0;) {
        AUTO(free) char *path = str_dup(str_cut(&rest, '|'));

        found = jsonx_at_ci(member, path);
    }
    return found;
}

static enum question_verdict judge_quota(
        const struct judging *j, const struct question_case *c, struct question_failure *ret)
{
    const json_t *used = first_at(j->first_fit, jsonx_text(c->question, "used"));
    const json_t *limit = first_at(j->first_fit, jsonx_text(c->question, "limit"));

    if (!json_is_number(used) || !json_is_number(limit) || json_number_value(limit) < 0)
        return QUESTION_OPEN;
    ret->has_numbers = true;
    ret->used = json_number_value(used);
    ret->limit = json_number_value(limit);
    return ret->used + c->amount <= ret->limit ? QUESTION_HOLDS : QUESTION_FAILS;
}

static enum question_verdict judge_members(
        struct judging *j, const struct question_case *c, struct question_failure *ret)
{
    static const char *const forms[] = { "some", "none", "quota" };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const char *raw = jsonx_text(c->question, forms[i]);

        if (raw == NULL)
            continue;
        AUTO(free) char *path = question_fill(raw, c->subject, c->subscription);

        if (path != NULL)
            question_each(c->answer, path, look, j);
        if (j->members == 0 || (i == 2 && j->first_fit == NULL))
            return QUESTION_OPEN;
        if (i == 2)
            return judge_quota(j, c, ret);
        return (j->first_fit != NULL) == (i == 0) ? QUESTION_HOLDS : QUESTION_FAILS;
    }
    return QUESTION_OPEN;
}

static enum question_verdict verdict_of(
        struct judging *j, const struct question_case *c, struct question_failure *ret)
{
    const json_t *expect = json_object_get(c->question, "expect");
    const int64_t taken = jsonx_int(c->question, "fails_with", 0);

    if (taken != 0)
        return c->status == taken ? QUESTION_FAILS : QUESTION_HOLDS;
    if (c->answer == NULL)
        return QUESTION_OPEN;
    if (expect != NULL)
        return fits(c->answer, expect) ? QUESTION_HOLDS : QUESTION_FAILS;
    return judge_members(j, c, ret);
}

enum question_verdict question_judge(const struct question_case *c, struct question_failure *ret)
{
    const json_t *where = json_object_get(c->question, "where");
    json_auto_t *filled = where == NULL ? jsonx_must(json_object())
                                        : question_fill_json(where, c->subject, c->subscription);
    struct judging j = { .question = c->question, .where = filled };
    struct question_failure failure = { 0 };

    if (filled == NULL)
        return QUESTION_OPEN;
    const enum question_verdict verdict = verdict_of(&j, c, &failure);

    if (verdict != QUESTION_FAILS)
        return verdict;
    AUTO(free) char *text = explain(&j, c);

    failure.text = failure.has_numbers
                           ? xasprintf("%s: %.10g of %.10g are in use, %.10g more are planned",
                                   text, failure.used, failure.limit, c->amount)
                           : xstrdup(text);
    *ret = failure;
    return verdict;
}
