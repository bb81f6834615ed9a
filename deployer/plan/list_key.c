#include "plan/list_key.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"

char *list_key_of(const json_t *element, const char *by)
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

static bool is_same_key(const struct list_key *k, const char *a, const char *b)
{
    if (strcasecmp(a, b) == 0)
        return true;
    if (k->place.property == NULL && !norm_is_id(a))
        return false;
    json_auto_t *x = jsonx_must(json_string(a));
    json_auto_t *y = jsonx_must(json_string(b));

    return norm_equal(&k->place, x, y);
}

const json_t *list_key_find(const json_t *list, const struct list_key *k, const char *key)
{
    const json_t *found = NULL;
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (list, i, element) {
        AUTO(free) char *there = list_key_of(element, k->by);

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
        AUTO(free) char *key = json_is_object(element) ? list_key_of(element, by) : NULL;

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

static struct list_key known_key(const struct walk *w, const struct spot *s, const char *by)
{
    const struct spot m = spot_member(w,
            &(struct spot){ .path = s->path,
                    .key = s->key,
                    .parent = "",
                    .knowledge = arena_printf(w->arena, "%s[]", s->knowledge) },
            by, false);

    return (struct list_key){ .by = by,
        .place = { .property = m.property, .key = by, .parent = s->key, .is_free = s->is_free } };
}

bool list_key_choose(
        const struct walk *w, const struct spot *s, const struct docs *d, struct list_key *ret)
{
    const char *by = map_key(s, d);

    if (by != NULL)
        *ret = known_key(w, s, by);
    return by != NULL;
}
