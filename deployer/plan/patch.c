/*
 * What is sent for an update by merge patch, and what is kept of a GET.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "plan/normalise.h"
#include "plan/walk.h"

/* ---- merge patch ---- */

/* Cuts the next member off a change's path; an index or an element's key ends it: lists go whole.
 */
static bool next_member(struct str *path, struct str *ret)
{
    if (path->len == 0)
        return false;
    if (path->p[0] == '.')
        *path = str_slice(*path, 1, path->len);
    if (str_starts(*path, STR("[\""))) {
        const ptrdiff_t end = str_find(*path, STR("\"]"));

        if (end < 0)
            return false;
        *ret = str_slice(*path, 2, (size_t)end);
        *path = str_slice(*path, (size_t)end + 2, path->len);
        return true;
    }
    size_t n = 0;

    while (n < path->len && path->p[n] != '.' && path->p[n] != '[')
        n++;
    *ret = str_slice(*path, 0, n);
    *path = str_slice(*path, n, path->len);
    return n > 0;
}

/* The member of `object` without regard to case, and how it is spelled there. */
static json_t *member_of(const json_t *object, const char *key, const char **ret_spelling)
{
    const char *k = NULL;
    json_t *v = NULL;

    json_object_foreach ((json_t *)(uintptr_t)object, k, v) {
        if (strcasecmp(k, key) == 0) {
            *ret_spelling = k;
            return v;
        }
    }
    return NULL;
}

static bool goes_on(const struct str *path, const json_t *value)
{
    return path->len > 0 && json_is_object(value) && (path->p[0] == '.' || path->p[1] == '"');
}

/* Puts into `patch` what `desired` has at the path: the member itself, the list around an element,
 * or null. */
static void patch_path(json_t *patch, const json_t *desired, const json_t *actual, struct str path)
{
    struct str member = { 0 };

    while (next_member(&path, &member)) {
        AUTO(free) char *key = str_dup(member);
        const char *spelling = key;
        const json_t *there = member_of(actual, key, &spelling);
        json_t *value = member_of(desired, key, &spelling);

        if (!goes_on(&path, value)) {
            json_object_set_new(patch, spelling, value == NULL ? json_null() : jsonx_copy(value));
            return;
        }
        json_t *below = json_object_get(patch, spelling);

        if (below == NULL) {
            below = jsonx_must(json_object());
            json_object_set_new(patch, spelling, below);
        } else if (!json_is_object(below)) {
            return; /* null was set above it: it goes as a whole */
        }
        patch = below;
        desired = value;
        actual = there;
    }
}

/* Adds what the service wants with every write although it never tells it: required, write-only. */
static void add_wanted(json_t *patch, const struct diff_input *in)
{
    for (size_t i = 0; in->kind != NULL && i < in->kind->property_count; i++) {
        const struct kind_property *p = &in->kind->properties[i];

        if (p->is_required && p->is_write_only && strpbrk(p->path, "[{") == NULL
                && jsonx_at_ci(in->desired, p->path) != NULL)
            patch_path(patch, in->desired, in->actual, str_of(p->path));
    }
}

json_t *plan_merge_patch(const struct diff_input *in, const struct change_list *changes)
{
    json_t *patch = jsonx_must(json_object());

    for (size_t i = 0; i < changes->count; i++)
        patch_path(patch, in->desired, in->actual, str_of(changes->items[i].path));
    if (changes->count > 0)
        add_wanted(patch, in);
    return patch;
}

/* ---- reset ---- */

/* "{PATH}" as a whole text: what the cloud has there. Owned; NULL if it has nothing. */
static json_t *filled(const json_t *value, const json_t *actual)
{
    const char *text = json_string_value(value);
    const size_t len = text == NULL ? 0 : strlen(text);

    if (len < 3 || text[0] != '{' || text[len - 1] != '}')
        return jsonx_copy(value);
    AUTO(free) char *path = str_dup((struct str){ text + 1, len - 2 });
    const json_t *there = jsonx_at_ci(actual, path);

    return there == NULL ? NULL : jsonx_copy(there);
}

static json_t *filled_object(const json_t *object, const json_t *actual)
{
    json_auto_t *ret = jsonx_must(json_object());
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        json_t *v = json_is_object(value) ? filled_object(value, actual) : filled(value, actual);

        if (v == NULL)
            return NULL;
        json_object_set_new(ret, key, v);
    }
    return TAKE(ret);
}

json_t *plan_reset_body(const struct kind *kind, const json_t *actual)
{
    if (kind == NULL || kind->reset == NULL || !json_is_object(actual))
        return NULL;
    return filled_object(kind->reset, actual);
}

/* ---- observed ---- */

static json_t *observed_value(const struct walk *w, const struct spot *s, const json_t *value);

static bool is_kept(const struct spot *s, const json_t *value)
{
    if (norm_is_server_name(s->key) || norm_is_secret_place(s->key, s->parent)
            || norm_is_masked(value))
        return false;
    return s->property == NULL
           || (!s->property->is_read_only && !s->property->is_secret
                   && !s->property->is_write_only);
}

static json_t *observed_object(const struct walk *w, const struct spot *s, const json_t *object)
{
    json_t *kept = jsonx_must(json_object());
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        const struct spot m = spot_member(w, s, key, walk_is_map(w, s));

        if ((s->path[0] == '\0' && norm_is_envelope_name(key)) || !is_kept(&m, value))
            continue;
        json_object_set_new(kept, key, observed_value(w, &m, value));
    }
    return kept;
}

static json_t *observed_value(const struct walk *w, const struct spot *s, const json_t *value)
{
    size_t i = 0;
    json_t *element = NULL;

    if (json_is_object(value))
        return observed_object(w, s, value);
    if (!json_is_array(value))
        return jsonx_copy(value);
    json_t *kept = jsonx_must(json_array());
    const struct spot m = spot_element(w, s, "");

    json_array_foreach (value, i, element)
        json_array_append_new(kept, observed_value(w, &m, element));
    return kept;
}

json_t *plan_observed(const struct kind *kind, const json_t *actual)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct walk w = { .arena = arena, .kind = kind };
    const struct spot root = { .path = "", .knowledge = "", .key = "", .parent = "" };

    return observed_value(&w, &root, actual);
}
