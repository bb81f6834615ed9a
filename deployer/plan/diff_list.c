/*
 * Lists: maps by a member of their elements, sets, and lists whose order counts. What only the
 * cloud has is left alone where we know what we sent last; where we don't, writing the list would
 * drop it, and it is shown.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "plan/list_key.h"
#include "plan/walk.h"

/* ---- elements that only the cloud has ---- */

bool walk_is_off(const json_t *element)
{
    const json_t *enabled = jsonx_get_ci(element, "enabled");
    const json_t *weight = jsonx_get_ci(element, "weight");

    return json_is_false(enabled) || (json_is_integer(weight) && json_integer_value(weight) == 0);
}

static void walk_extra(struct walk *w, const struct spot *s, const json_t *actual, bool was_ours)
{
    const struct docs extra = { .actual = actual };
    const bool counts = w->is_drift ? w->takes_extras : was_ours || !w->has_last;

    if (counts && !norm_is_empty(actual) && !walk_is_off(actual))
        walk_note(w, s, &extra, NULL);
}

/* ---- maps ---- */

static void walk_map_element(struct walk *w, const struct spot *s, const struct docs *d,
        const struct list_key *by, const json_t *element)
{
    AUTO(free) char *key = list_key_of(element, by->by);
    const struct spot m = spot_element(w, s, key);
    const struct docs v = { .desired = element,
        .stored = list_key_find(d->stored, by, key),
        .last = list_key_find(d->last, by, key),
        .actual = list_key_find(d->actual, by, key),
        .observed = list_key_find(d->observed, by, key) };

    if (v.actual == NULL)
        walk_note(w, &m, &v, NULL);
    else
        walk_value(w, &m, &v);
}

static void walk_map(
        struct walk *w, const struct spot *s, const struct docs *d, const struct list_key *by)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (d->desired, i, element)
        walk_map_element(w, s, d, by, element);
    json_array_foreach (d->actual, i, element) {
        AUTO(free) char *key = list_key_of(element, by->by);

        if (key == NULL || list_key_find(d->desired, by, key) != NULL)
            continue;
        const struct spot m = spot_element(w, s, key);
        const bool was_ours = list_key_find(d->last, by, key) != NULL;

        if (was_ours || !walk_is_added(s, key))
            walk_extra(w, &m, element, was_ours);
    }
}

/* ---- sets and plain lists ---- */

static struct docs element_docs(const struct docs *d, size_t at, const json_t *actual)
{
    /* Beside an element stand those at the same index: secrets and settled values are found so. */
    return (struct docs){ .desired = json_array_get(d->desired, at),
        .stored = json_array_get(d->stored, at),
        .last = json_array_get(d->last, at),
        .actual = actual };
}

static struct spot spot_index(const struct walk *w, const struct spot *s, size_t at)
{
    char index[24];

    snprintf(index, sizeof(index), "%zu", at);
    return spot_element(w, s, index);
}

/* Pairs each wanted element with one that is there and the same; -1: none. */
static void pair_same(const struct walk *w, const struct spot *s, const struct docs *d,
        ptrdiff_t *ret_pair, bool *ret_used)
{
    const size_t wanted = json_array_size(d->desired);
    const size_t there = json_array_size(d->actual);

    for (size_t i = 0; i < wanted; i++) {
        const struct spot m = spot_index(w, s, i);

        ret_pair[i] = -1;
        for (size_t k = 0; k < there && ret_pair[i] < 0; k++) {
            const size_t at = (i + k) % there; /* its own index first */
            const struct docs v = element_docs(d, i, json_array_get(d->actual, at));

            if (!ret_used[at] && walk_is_same(w, &m, &v)) {
                ret_pair[i] = (ptrdiff_t)at;
                ret_used[at] = true;
            }
        }
    }
}

static ptrdiff_t next_unused(const bool *used, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!used[i])
            return (ptrdiff_t)i;
    }
    return -1;
}

static bool is_in(const json_t *list, const json_t *element)
{
    size_t i = 0;
    json_t *e = NULL;

    json_array_foreach (list, i, e) {
        if (json_equal(e, element))
            return true;
    }
    return false;
}

/* Longer lists of elements without a key are compared by index: pairing them is quadratic. */
#define PAIR_MAX 512u

static void walk_set(struct walk *w, const struct spot *s, const struct docs *d)
{
    const size_t wanted = json_array_size(d->desired);
    const size_t there = json_array_size(d->actual);
    AUTO(free) ptrdiff_t *pair = xcalloc(wanted + 1, sizeof(*pair));
    AUTO(free) bool *used = xcalloc(there + 1, sizeof(*used));

    pair_same(w, s, d, pair, used);
    for (size_t i = 0; i < wanted; i++) {
        if (pair[i] >= 0)
            continue;
        const ptrdiff_t at = next_unused(used, there);
        const struct spot m = spot_index(w, s, i);
        const struct docs v =
                element_docs(d, i, at < 0 ? NULL : json_array_get(d->actual, (size_t)at));

        if (at >= 0)
            used[at] = true;
        if (v.actual == NULL)
            walk_note(w, &m, &v, NULL);
        else
            walk_value(w, &m, &v);
    }
    for (size_t at = 0; at < there; at++) {
        const json_t *element = json_array_get(d->actual, at);
        const struct spot m = spot_index(w, s, at);

        if (!used[at])
            walk_extra(w, &m, element, is_in(d->last, element));
    }
}

static void walk_ordered(struct walk *w, const struct spot *s, const struct docs *d)
{
    const size_t wanted = json_array_size(d->desired);

    if (wanted != json_array_size(d->actual)) {
        walk_note(w, s, d, NULL); /* which one came or went can't be told: the list is the value */
        return;
    }
    for (size_t i = 0; i < wanted; i++) {
        const struct spot m = spot_index(w, s, i);
        struct docs v = element_docs(d, i, json_array_get(d->actual, i));

        v.observed = json_array_get(d->observed, i);
        walk_value(w, &m, &v);
    }
}

/* Ids and networks with a length are sets by nature; of other scalars the order counts. */
static bool is_set_by_look(const json_t *list)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (list, i, element) {
        const char *text = json_string_value(element);

        if (json_is_object(element) && !walk_is_secret(element) && !walk_is_unknown(element))
            continue;
        if (text == NULL)
            return false;
        if (!norm_is_id(text)
                && (strchr(text, '/') == NULL
                        || text[strspn(text, "0123456789abcdefABCDEF.:/")] != '\0'))
            return false;
    }
    return json_array_size(list) > 0;
}

bool walk_is_set(const struct spot *s, const struct docs *d)
{
    if (json_array_size(d->actual) > PAIR_MAX || json_array_size(d->desired) > PAIR_MAX)
        return false;
    return (s->property != NULL && s->property->is_set) || is_set_by_look(d->desired)
           || (json_array_size(d->desired) == 0 && json_is_object(json_array_get(d->actual, 0)));
}

/* A list of scalars with secrets in it, compared by what was sent last. */
static bool has_secret_element(const json_t *list)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (list, i, element) {
        if (walk_is_secret(element))
            return true;
    }
    return false;
}

static void release_json(void *j)
{
    json_decref(j);
}

/* Older versions of some services answer a list as {"0": ..., "1": ...}. */
static const json_t *as_list(const struct walk *w, const json_t *actual)
{
    const size_t count = json_object_size(actual);
    json_auto_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < count; i++) {
        char index[24];

        snprintf(index, sizeof(index), "%zu", i);
        if (json_array_append(list, json_object_get(actual, index)) != 0)
            return actual;
    }
    if (count == 0)
        return actual;
    json_t *kept = TAKE(list);

    arena_hook(w->arena, release_json, kept);
    return kept;
}

void walk_list(struct walk *w, const struct spot *s, const struct docs *given)
{
    struct docs l = *given;
    const struct docs *d = &l;

    l.actual = as_list(w, given->actual);
    if (!json_is_array(d->actual)) {
        if (!norm_is_empty(d->desired) || !norm_is_blank(d->actual))
            walk_note(w, s, d, NULL);
        return;
    }
    if (has_secret_element(d->desired)) {
        if (d->stored != NULL && !json_equal(d->stored, d->last))
            walk_note(w, s, d, NULL);
        return;
    }
    l.stored = json_is_array(d->stored) ? d->stored : NULL;
    l.last = json_is_array(d->last) ? d->last : NULL;
    l.observed = json_is_array(d->observed) ? d->observed : NULL;
    struct list_key by = { 0 };

    if (list_key_choose(w, s, &l, &by))
        walk_map(w, s, &l, &by);
    else if (walk_is_set(s, &l))
        walk_set(w, s, &l);
    else
        walk_ordered(w, s, &l);
}
