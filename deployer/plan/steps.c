#include "plan/steps.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "plan/normalise.h"
#include "plan/spelling.h"

/* ---- order ---- */

/* "3.10.1" comes behind "3.9": by numbers where both have some, else by text. */
static int compare_versions(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            const size_t zeros_a = strspn(a, "0");
            const size_t zeros_b = strspn(b, "0");
            const size_t len_a = strspn(a + zeros_a, "0123456789");
            const size_t len_b = strspn(b + zeros_b, "0123456789");

            if (len_a != len_b)
                return len_a < len_b ? -1 : 1;
            const int order = strncmp(a + zeros_a, b + zeros_b, len_a);

            if (order != 0)
                return order;
            a += zeros_a + len_a;
            b += zeros_b + len_b;
        } else if (*a != *b) {
            return *a < *b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a == *b ? 0 : *a == '\0' ? -1 : 1;
}

/* Below, equal or above 0; false: they have no order. */
static bool compare_values(const json_t *from, const json_t *to, int *ret)
{
    if (json_is_number(from) && json_is_number(to)) {
        const double a = json_number_value(from);
        const double b = json_number_value(to);

        *ret = b > a ? 1 : b < a ? -1 : 0;
        return true;
    }
    if (!json_is_string(from) || !json_is_string(to))
        return false;
    *ret = compare_versions(json_string_value(to), json_string_value(from));
    return true;
}

static bool goes(const char *only, int order)
{
    return only == NULL || (text_eq(only, "up") ? order >= 0 : order <= 0);
}

/* ---- values ---- */

/* A number, a switch or a word as text. Owned. */
static char *text_of(const json_t *value)
{
    return json_is_string(value) ? xstrdup(json_string_value(value)) : jsonx_dump(value);
}

static bool is_like(const json_t *glob, const char *text)
{
    AUTO(free) char *pattern = text_of(glob);
    AUTO(free) char *whole = xasprintf("%s.", text);

    /* "3.*" is any version 3, "3" too. */
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0 || fnmatch(pattern, whole, FNM_CASEFOLD) == 0;
}

/* A glob or one of a list of them; none given: anything. */
static bool is_one_like(const json_t *globs, const json_t *value)
{
    AUTO(free) char *text = text_of(value);
    size_t i = 0;
    json_t *glob = NULL;

    if (globs == NULL)
        return true;
    if (!json_is_array(globs))
        return is_like(globs, text);
    json_array_foreach (globs, i, glob) {
        if (is_like(glob, text))
            return true;
    }
    return false;
}

/* ---- lists that must go on covering ---- */

static bool is_covered(const json_t *networks, const char *network)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (networks, i, one) {
        const char *text = json_string_value(one);

        if (text != NULL && spelling_is_within(network, text))
            return true;
    }
    return false;
}

/* The first network at the path ("a.list[].b") that the list does not cover; borrowed or NULL. */
static const char *first_uncovered(const json_t *networks, const json_t *at, struct str path)
{
    const ptrdiff_t brackets = str_find(path, STR("[]"));
    size_t i = 0;
    json_t *element = NULL;

    if (brackets < 0) {
        AUTO(free) char *rest = str_dup(path);
        const char *text = json_string_value(jsonx_at_ci(at, rest));

        return text != NULL && !is_covered(networks, text) ? text : NULL;
    }
    AUTO(free) char *head = str_dup(str_slice(path, 0, (size_t)brackets));
    const struct str tail = str_slice(path, (size_t)brackets + 3, path.len);
    const json_t *list = jsonx_at_ci(at, head);

    json_array_foreach ((json_t *)(uintptr_t)list, i, element) {
        const char *found = first_uncovered(networks, element, tail);

        if (found != NULL)
            return found;
    }
    return NULL;
}

/* ---- one rule ---- */

struct judging {
    const struct plan_item *item;
    const json_t *rule;
    json_t *findings;
};

static void refuse(const struct judging *j, const char *path, const json_t *from, const json_t *to,
        const char *because)
{
    AUTO(free) char *a = text_of(from);
    AUTO(free) char *b = text_of(to);
    AUTO(free)
    char *text = xasprintf("%s: %s %s -> %s: %s%s%s", j->item->address, path, a, b,
            jsonx_text(j->rule, "text"), because == NULL ? "" : ": ",
            because == NULL ? "" : because);

    json_array_append_new(
            j->findings, jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s?}", "check",
                                 "change", "severity", "error", "address", j->item->address, "path",
                                 path, "from", jsonx_copy(from), "to", jsonx_copy(to), "text", text,
                                 "hint", jsonx_text(j->rule, "fix"))));
}

static void judge_step(const struct judging *j, const struct change *c)
{
    const json_t *step = json_object_get(j->rule, "changes");
    const char *only = jsonx_text(step, "only");
    int order = 0;

    if (c->is_secret || norm_is_blank(c->old_value) || norm_is_blank(c->new_value)
            || json_is_object(c->new_value) || c->forces_replacement)
        return;
    const bool is_wrong_way = only != NULL && compare_values(c->old_value, c->new_value, &order)
                              && !goes(only, order);
    const bool is_named = only == NULL && is_one_like(json_object_get(step, "from"), c->old_value)
                          && is_one_like(json_object_get(step, "to"), c->new_value);

    if (is_wrong_way || is_named)
        refuse(j, c->path, c->old_value, c->new_value, NULL);
}

static void judge_cover(const struct judging *j, const char *path, const char *covers)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct plan_subject *s = j->item->subject;
    const json_t *wanted = s == NULL ? NULL : jsonx_at_ci(s->desired, path);

    if (!json_is_array(wanted))
        return;
    json_auto_t *body = plan_body(arena,
            &(struct diff_input){ .kind = j->item->kind,
                    .desired = s->desired,
                    .last_applied = json_object_get(j->item->entry, "last_applied"),
                    .actual = j->item->actual },
            NULL);
    const char *in_use = first_uncovered(wanted, body, str_of(covers));

    if (in_use != NULL)
        refuse(j, path, jsonx_at_ci(j->item->actual, path), wanted, in_use);
}

/* Whether the change is at the path, or in the list that is there. */
static bool is_at(const char *changed, const char *path)
{
    const size_t len = strlen(path);

    return strncasecmp(changed, path, len) == 0 && (changed[len] == '\0' || changed[len] == '[');
}

static void judge_rule(const struct judging *j)
{
    const json_t *step = json_object_get(j->rule, "changes");
    const char *path = jsonx_text(step, "path");
    const char *covers = jsonx_text(step, "covers");

    for (size_t i = 0; path != NULL && i < j->item->changes.count; i++) {
        const struct change *c = &j->item->changes.items[i];

        if (!is_at(c->path, path))
            continue;
        if (covers != NULL) {
            judge_cover(j, path, covers);
            return;
        }
        judge_step(j, c);
    }
}

json_t *steps_refused(const struct plan *p)
{
    json_t *findings = jsonx_must(json_array());

    for (size_t i = 0; i < p->count; i++) {
        struct judging j = { .item = &p->items[i], .findings = findings };
        size_t k = 0;
        json_t *rule = NULL;

        if ((j.item->action != PLAN_UPDATE && j.item->action != PLAN_ADOPT) || j.item->kind == NULL)
            continue;
        json_array_foreach ((json_t *)(uintptr_t)j.item->kind->rules, k, rule) {
            j.rule = rule;
            if (json_object_get(rule, "changes") != NULL)
                judge_rule(&j);
        }
    }
    return findings;
}

/* ---- versions of services ---- */

bool steps_allow(const json_t *steps, const char *from, const char *to)
{
    const int order = compare_versions(to, from);
    size_t i = 0;
    json_t *step = NULL;

    if (order == 0 || !isdigit((unsigned char)from[0]) || !isdigit((unsigned char)to[0]))
        return true;
    json_auto_t *was = jsonx_must(json_string(from));
    json_auto_t *now = jsonx_must(json_string(to));

    json_array_foreach (steps, i, step) {
        if (is_one_like(json_object_get(step, "from"), was)
                && is_one_like(json_object_get(step, "to"), now)
                && goes(jsonx_text(step, "only"), order))
            return true;
    }
    return false;
}
