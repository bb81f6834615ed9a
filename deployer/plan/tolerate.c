/*
 * What a kind says of differences that are none, or that do not mean what they would otherwise:
 * numbers that grow by themselves, values that change places, elements that the service adds, steps
 * of a property that can't be changed in other steps.
 */
#include <fnmatch.h>

#include "base/jsonx.h"
#include "plan/walk.h"

/* Whether the document has all of these: path -> value, compared without case. */
static bool has_all(const json_t *document, const json_t *wanted)
{
    const char *path = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)wanted, path, value) {
        const struct norm_place p = { .key = "", .parent = "" };

        if (!norm_equal(&p, value, jsonx_at_ci(document, path)))
            return false;
    }
    return true;
}

static bool has_grown(const struct walk *w, const struct spot *s, const struct docs *d)
{
    return s->property->at_least != NULL && json_is_number(d->desired) && json_is_number(d->actual)
           && json_number_value(d->actual) > json_number_value(d->desired)
           && has_all(w->root_actual, s->property->at_least);
}

/* What is wanted here stands there, and what is wanted there (if anything is) stands here. */
static bool has_swapped(const struct walk *w, const struct spot *s, const struct docs *d)
{
    const char *other = s->property->swaps_with;
    const struct norm_place p = { .key = s->key, .parent = s->parent };

    if (other == NULL || norm_is_blank(d->desired) || norm_is_blank(d->actual))
        return false;
    const json_t *wanted_there = jsonx_at_ci(w->root_desired, other);

    return norm_equal(&p, d->desired, jsonx_at_ci(w->root_actual, other))
           && (norm_is_blank(wanted_there) || norm_equal(&p, wanted_there, d->actual));
}

bool walk_is_tolerated(const struct walk *w, const struct spot *s, const struct docs *d)
{
    return s->property != NULL && !w->is_drift && (has_grown(w, s, d) || has_swapped(w, s, d));
}

bool walk_is_added(const struct spot *s, const char *key)
{
    size_t i = 0;
    json_t *glob = NULL;

    if (s->property == NULL)
        return false;
    json_array_foreach (s->property->added, i, glob) {
        const char *text = json_string_value(glob);

        if (text != NULL && fnmatch(text, key, FNM_CASEFOLD) == 0)
            return true;
    }
    return false;
}

/* Whether a value is one of a list; no list: any. */
static bool is_among(const struct spot *s, const json_t *list, const json_t *value)
{
    const struct norm_place p = { .property = s->property, .key = s->key, .parent = s->parent };
    size_t i = 0;
    json_t *one = NULL;

    if (list == NULL)
        return true;
    json_array_foreach (list, i, one) {
        if (norm_equal(&p, one, value))
            return true;
    }
    return false;
}

bool walk_may_change(const struct spot *s, const json_t *from, const json_t *to)
{
    const json_t *steps = s->property == NULL ? NULL : s->property->immutable_unless;

    return steps != NULL && is_among(s, json_object_get(steps, "from"), from)
           && is_among(s, json_object_get(steps, "to"), to);
}
