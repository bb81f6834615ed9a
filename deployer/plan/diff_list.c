/*
 * Lists: maps by a member of their elements, sets, and lists whose order counts. What only the
 * cloud has is left alone where we know what we sent last; where we don't, writing the list would
 * drop it, and it is shown.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "plan/walk.h"

/* ---- keys ---- */

/* The value of the key member as text: "name" or, where one of several is set, "a|b". Owned or
 * NULL. */
static char *key_of(const json_t *element, const char *by)
{
    struct str rest = str_of(by);

    while (rest.p != NULL) {
        AUTO(free) char *member = str_dup(str_cut(&rest, '|'));
        const json_t *value = jsonx_get_ci(element, member);

        if (json_is_string(value) && json_string_length(value) > 0)
            return xstrdup(json_string_value(value));
        if (json_is_integer(value))
            return xasprintf("%lld", (long long)json_integer_value(value));
    }
    return NULL;
}

/* By which member, and what is known of it. */
struct map_key {
    const char *by;
    struct norm_place place;
};

static bool is_same_key(const struct map_key *k, const char *a, const char *b)
{
    if (strcasecmp(a, b) == 0)
        return true;
    if (k->place.property == NULL && !norm_is_id(a))
        return false;
    json_auto_t *x = jsonx_must(json_string(a));
    json_auto_t *y = jsonx_must(json_string(b));

    return norm_equal(&k->place, x, y);
}

/* The element with that key; one spelled exactly so comes first. Borrowed or NULL. */
static const json_t *find_by_key(const json_t *list, const struct map_key *k, const char *key)
{
    const json_t *found = NULL;
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (list, i, element) {
        AUTO(free) char *there = key_of(element, k->by);

        if (there == NULL)
            continue;
        if (strcmp(there, key) == 0)
            return element;
        if (found == NULL && is_same_key(k, there, key))
            found = element;
    }
    return found;
}

/* Whether every element has that member, each another one. */
static bool is_keyed_by(const json_t *list, const char *by)
{
    json_auto_t *seen = jsonx_must(json_object());
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (list, i, element) {
        AUTO(free) char *key = json_is_object(element) ? key_of(element, by) : NULL;

        if (key == NULL || json_object_get(seen, key) != NULL)
            return false;
        json_object_set_new(seen, key, json_true());
    }
    return json_array_size(list) > 0;
}

/* By what the list is a map: what the kind says, else "name", else "id"; NULL: it is none. */
static const char *map_key(const struct spot *s, const struct docs *d)
{
    static const char *const common[] = { "name", "id" };
    const json_t *list = json_array_size(d->desired) > 0 ? d->desired : d->actual;

    if (s->property != NULL && s->property->map_by != NULL)
        return is_keyed_by(list, s->property->map_by) ? s->property->map_by : NULL;
    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        if (is_keyed_by(list, common[i]))
            return common[i];
    }
    return NULL;
}

static struct map_key known_key(const struct walk *w, const struct spot *s, const char *by)
{
    const struct spot m = spot_member(w,
            &(struct spot){ .path = s->path,
                    .key = s->key,
                    .parent = "",
                    .knowledge = arena_printf(w->arena, "%s[]", s->knowledge) },
            by, false);

    return (struct map_key){ .by = by,
        .place = { .property = m.property, .key = by, .parent = s->key, .is_free = s->is_free } };
}

/* ---- elements that only the cloud has ---- */

/* Services list what could be switched on: {"category": ..., "enabled": false}, weight 0. */
static bool is_off(const json_t *element)
{
    const json_t *enabled = jsonx_get_ci(element, "enabled");
    const json_t *weight = jsonx_get_ci(element, "weight");

    return json_is_false(enabled) || (json_is_integer(weight) && json_integer_value(weight) == 0);
}

static void walk_extra(struct walk *w, const struct spot *s, const json_t *actual, bool was_ours)
{
    const struct docs extra = { .actual = actual };
    const bool counts = w->is_drift ? w->takes_extras : was_ours || !w->has_last;

    if (counts && !norm_is_empty(actual) && !is_off(actual))
        walk_note(w, s, &extra, NULL);
}

/* ---- maps ---- */

static void walk_map_element(struct walk *w, const struct spot *s, const struct docs *d,
        const struct map_key *by, const json_t *element)
{
    AUTO(free) char *key = key_of(element, by->by);
    const struct spot m = spot_element(w, s, key);
    const struct docs v = { .desired = element,
        .stored = find_by_key(d->stored, by, key),
        .last = find_by_key(d->last, by, key),
        .actual = find_by_key(d->actual, by, key),
        .observed = find_by_key(d->observed, by, key) };

    if (v.actual == NULL)
        walk_note(w, &m, &v, NULL);
    else
        walk_value(w, &m, &v);
}

static void walk_map(
        struct walk *w, const struct spot *s, const struct docs *d, const struct map_key *by)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (d->desired, i, element)
        walk_map_element(w, s, d, by, element);
    json_array_foreach (d->actual, i, element) {
        AUTO(free) char *key = key_of(element, by->by);

        if (key == NULL || find_by_key(d->desired, by, key) != NULL || walk_is_added(s, key))
            continue;
        const struct spot m = spot_element(w, s, key);

        walk_extra(w, &m, element, find_by_key(d->last, by, key) != NULL);
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

static bool is_set_like(const struct spot *s, const struct docs *d)
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
    const char *by = map_key(s, &l);

    if (by != NULL) {
        const struct map_key k = known_key(w, s, by);

        walk_map(w, s, &l, &k);
    } else if (is_set_like(s, &l)) {
        walk_set(w, s, &l);
    } else {
        walk_ordered(w, s, &l);
    }
}
