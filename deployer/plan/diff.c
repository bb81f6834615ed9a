#include "plan/plan.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "plan/walk.h"

/* Documents nested deeper than this are not ours; jsonx_load refuses them too. */
#define DEPTH_MAX JSONX_DEPTH_MAX

/* ---- places ---- */

static bool is_plain_key(const char *key)
{
    return key[0] != '\0' && strpbrk(key, ".[]\"/ ") == NULL;
}

/* Whether the kind describes the members of this object as values of a free map ("{}"). */
bool walk_is_map(const struct walk *w, const struct spot *s)
{
    const size_t len = strlen(s->knowledge);

    for (size_t i = 0; w->kind != NULL && i < w->kind->property_count; i++) {
        const char *path = w->kind->properties[i].path;

        if (strncmp(path, s->knowledge, len) == 0 && strncmp(path + len, "{}", 2) == 0)
            return true;
    }
    return false;
}

static void know(const struct walk *w, struct spot *s)
{
    s->property = w->kind == NULL ? NULL : kind_property(w->kind, s->knowledge);
    if (s->property != NULL && s->property->is_immutable)
        s->reason = "cannot be changed after creation";
}

bool walk_is_free_map(const char *key)
{
    return strcasecmp(key, "tags") == 0 || strcasecmp(key, "metadata") == 0
           || strcasecmp(key, "env") == 0;
}

struct spot spot_member(const struct walk *w, const struct spot *s, const char *key, bool is_map)
{
    const bool is_root = s->path[0] == '\0';
    struct spot m = { .key = key,
        .parent = s->key,
        .reason = s->reason,
        .is_free = s->is_free || walk_is_free_map(key),
        .is_id_key = norm_is_id(key) };

    m.path = is_plain_key(key) ? arena_printf(w->arena, "%s%s%s", s->path, is_root ? "" : ".", key)
                               : arena_printf(w->arena, "%s[\"%s\"]", s->path, key);
    m.knowledge = is_map ? arena_printf(w->arena, "%s{}", s->knowledge)
                         : arena_printf(w->arena, "%s%s%s", s->knowledge, is_root ? "" : ".", key);
    know(w, &m);
    if (is_root && strcasecmp(key, "location") == 0)
        m.reason = "a resource cannot be moved to another location";
    return m;
}

struct spot spot_element(const struct walk *w, const struct spot *s, const char *name)
{
    struct spot m = *s;

    m.path = arena_printf(w->arena, "%s[%s]", s->path, name);
    m.knowledge = arena_printf(w->arena, "%s[]", s->knowledge);
    m.is_element = true;
    m.is_id_key = false;
    know(w, &m);
    return m;
}

static struct norm_place place_of(const struct spot *s)
{
    return (struct norm_place){ .property = s->property,
        .key = s->key,
        .parent = s->parent,
        .is_free = s->is_free,
        .is_element = s->is_element };
}

/* ---- notes ---- */

bool walk_is_secret(const json_t *j)
{
    return json_is_object(j) && json_object_get(j, "$secret") != NULL;
}

bool walk_is_unknown(const json_t *j)
{
    return json_is_object(j) && json_object_get(j, "$unknown") != NULL;
}

static struct change *next_change(struct walk *w)
{
    struct change_list *out = w->out;

    if (out->count == w->capacity) {
        w->capacity = w->capacity == 0 ? 8 : w->capacity * 2;
        struct change *bigger = arena_alloc(w->arena, w->capacity * sizeof(*bigger));

        if (out->count > 0)
            memcpy(bigger, out->items, out->count * sizeof(*bigger));
        out->items = bigger;
    }
    return &out->items[out->count++];
}

void walk_note(struct walk *w, const struct spot *s, const struct docs *d, const char *reason)
{
    const json_t *before = w->is_drift ? d->desired : d->actual;
    const json_t *after = w->is_drift ? d->actual : d->desired;
    const bool is_secret = (s->property != NULL && s->property->is_secret)
                           || norm_is_secret_place(s->key, s->parent) || walk_is_secret(before)
                           || walk_is_secret(after);
    const char *why = w->is_drift || walk_may_change(s, before, after) ? NULL : s->reason;
    struct change *c = next_change(w);

    *c = (struct change){
        .path = s->path,
        .action = after == NULL || json_is_null(after) ? CHANGE_REMOVE
                  : norm_is_blank(before)              ? CHANGE_ADD
                                                       : CHANGE_UPDATE,
        .old_value = before,
        .new_value = after,
        .is_secret = is_secret,
        .forces_replacement = why != NULL,
        .reason = reason != NULL ? reason : why,
    };
}

bool walk_is_same(const struct walk *w, const struct spot *s, const struct docs *d)
{
    struct change_list found = { 0 };
    struct walk dry = *w;

    dry.out = &found;
    dry.capacity = 0;
    walk_value(&dry, s, d);
    return found.count == 0;
}

/* ---- one value ---- */

/* Nothing changed on either side since we last wrote: the server just spells it its own way. */
static bool is_settled(const struct docs *d)
{
    const json_t *wanted = d->stored != NULL ? d->stored : d->desired;

    return d->observed != NULL && d->last != NULL && d->actual != NULL
           && json_equal(wanted, d->last) && json_equal(d->actual, d->observed);
}

/* Our last write was not answered with this member either: it is never returned. */
static bool is_never_returned(const struct walk *w, const struct spot *s, const struct docs *d)
{
    const json_t *wanted = d->stored != NULL ? d->stored : d->desired;

    if (w->is_drift || !norm_is_blank(d->actual) || d->last == NULL || !json_equal(wanted, d->last))
        return false;
    /* A replacement must not hang on what the service keeps to itself. */
    return s->reason != NULL || (w->has_observed && norm_is_blank(d->observed));
}

/* By what was sent last: the cloud doesn't tell. */
static void walk_by_digest(struct walk *w, const struct spot *s, const struct docs *d)
{
    const json_t *wanted = d->stored != NULL ? d->stored : d->desired;

    if (w->is_drift || (walk_is_secret(wanted) && d->stored == NULL))
        return;
    if (d->last == NULL) {
        if (w->has_last || (d->stored != NULL && walk_is_secret(wanted)))
            walk_note(w, s, d, "what the service has can't be read");
        return;
    }
    if (walk_is_secret(wanted) && walk_is_secret(d->last)) {
        const char *now = jsonx_text(json_object_get(wanted, "$secret"), "digest");
        const char *then = jsonx_text(json_object_get(d->last, "$secret"), "digest");

        if (now != NULL && then != NULL && strcmp(now, then) != 0)
            walk_note(w, s, d, s->reason == NULL ? "the secret has changed" : NULL);
        return;
    }
    if (!json_equal(wanted, d->last))
        walk_note(w, s, d, NULL);
}

bool walk_is_left(
        const struct walk *w, const struct spot *s, const json_t *last, const json_t *actual)
{
    const char *key = NULL;
    json_t *value = NULL;

    if (s->property != NULL && (s->property->is_read_only || s->property->is_create_only))
        return false;
    if (s->is_id_key)
        return actual != NULL && !json_is_null(actual);
    if (norm_is_blank(last) || norm_is_blank(actual) || norm_is_masked(actual))
        return false;
    if (!json_is_object(last) || !json_is_object(actual) || walk_is_secret(last)) {
        const json_t *otherwise = s->property == NULL ? NULL : s->property->default_value;
        const struct norm_place p = place_of(s);

        return !norm_is_empty(actual) && (otherwise == NULL || !norm_equal(&p, otherwise, actual));
    }
    const bool is_map = walk_is_map(w, s);

    json_object_foreach ((json_t *)(uintptr_t)last, key, value) {
        const struct spot m = spot_member(w, s, key, is_map);

        if (walk_is_left(w, &m, value, jsonx_get_ci(actual, key)))
            return true;
    }
    return false;
}

/* The desired document has nothing here. */
static void walk_absent(struct walk *w, const struct spot *s, const struct docs *d)
{
    struct docs gone = *d;

    gone.desired = NULL;
    if (w->is_drift) {
        /* Portals add tags of their own: hidden-title, hidden-link:... */
        if (w->takes_extras && !norm_is_empty(d->actual) && !norm_is_masked(d->actual)
                && !str_starts_ci(str_of(s->key), STR("hidden-")))
            walk_note(w, s, &gone, NULL);
        return;
    }
    if (d->last != NULL && walk_is_left(w, s, d->last, d->actual))
        walk_note(w, s, &gone, NULL);
}

/* A container where the other side has nothing or something of another type. */
static const json_t *or_empty(const json_t *j, const json_t *like)
{
    return json_typeof(like) == json_typeof(j) ? j : NULL;
}

/* What an alias "a.b.prefixes[0]" names beside its twin: the member, and its first element if it
 * says so. */
static const json_t *at_alias(const json_t *siblings, const char *alias)
{
    const char *dot = strrchr(alias, '.');
    struct str name = str_of(dot == NULL ? alias : dot + 1);
    const bool is_first = str_ends(name, STR("[0]"));

    if (is_first)
        name = str_slice(name, 0, name.len - 3);
    AUTO(free) char *key = str_dup(name);
    const json_t *value = jsonx_get_ci(siblings, key);

    return is_first ? json_array_get(value, 0) : value;
}

/* "hostName" and "hostNames", "addressPrefix" and "addressPrefixes". */
static bool is_plural(const char *one, const char *many)
{
    const size_t len = strlen(one);

    return strncasecmp(one, many, len) == 0
           && (strcasecmp(many + len, "s") == 0 || strcasecmp(many + len, "es") == 0);
}

/* Whether `value` at `key` says the same as `wanted` does at the place: an id under a name that
 * ends the same way (environmentId, managedEnvironmentId), one value as a list of one. */
static bool says_the_same(
        const struct spot *s, const json_t *wanted, const char *key, const json_t *value)
{
    const struct norm_place p = place_of(s);
    const char *text = json_string_value(wanted);
    const char *there = json_string_value(value);
    const struct str a = str_of(key);
    const struct str b = str_of(s->key);

    if (is_plural(s->key, key) && json_array_size(value) == 1)
        return norm_equal(&p, wanted, json_array_get(value, 0));
    if (is_plural(key, s->key) && json_array_size(wanted) == 1)
        return norm_equal(&p, json_array_get(wanted, 0), value);
    return text != NULL && there != NULL && norm_is_id(text)
           && (str_ends_ci(a, b) || str_ends_ci(b, a)) && norm_same_id(text, there);
}

/* A member that the service answers under another name. Borrowed; NULL: it doesn't. */
static const json_t *under_another_name(
        const struct spot *s, const json_t *wanted, const json_t *actual)
{
    const char *key = NULL;
    json_t *value = NULL;

    if (s->property != NULL && s->property->alias != NULL) {
        const json_t *there = at_alias(actual, s->property->alias);

        if (there == NULL)
            there = at_alias(actual, s->property->path);
        if (there != NULL)
            return there;
    }
    json_object_foreach ((json_t *)(uintptr_t)actual, key, value) {
        if (says_the_same(s, wanted, key, value))
            return wanted;
    }
    return NULL;
}

static struct docs member_docs(const struct spot *m, const char *key, const struct docs *d)
{
    struct docs v = { .desired = jsonx_get_ci(d->desired, key),
        .stored = jsonx_get_ci(d->stored, key),
        .last = jsonx_get_ci(d->last, key),
        .actual = jsonx_get_ci(d->actual, key),
        .observed = jsonx_get_ci(d->observed, key) };

    if (v.actual == NULL && v.desired != NULL && d->actual != NULL)
        v.actual = under_another_name(m, v.desired, d->actual);
    return v;
}

static bool is_skipped(const struct spot *s, const char *key)
{
    return norm_is_server_name(key) || (s->path[0] == '\0' && norm_is_envelope_name(key));
}

static void walk_members_of(struct walk *w, const struct spot *s, const struct docs *d,
        const json_t *from, const json_t *but_not, const json_t *nor)
{
    const bool is_map = walk_is_map(w, s);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)from, key, value) {
        if (is_skipped(s, key) || jsonx_get_ci(but_not, key) != NULL
                || jsonx_get_ci(nor, key) != NULL)
            continue;
        const struct spot m = spot_member(w, s, key, is_map);
        const struct docs v = member_docs(&m, key, d);

        walk_value(w, &m, &v);
    }
}

/* Another resource, of which the service answers the id alone: what else was sent is not kept
 * here. */
static bool is_reference(const struct walk *w, const struct docs *o)
{
    const char *wanted = jsonx_text(o->desired, "id");
    const char *there = jsonx_text(o->actual, "id");
    const json_t *now = o->stored != NULL ? o->stored : o->desired;

    if (w->is_drift || wanted == NULL || there == NULL || json_object_size(o->actual) != 1)
        return false;
    return norm_is_id(wanted) && norm_same_id(wanted, there)
           && (o->last == NULL || json_equal(now, o->last));
}

static void walk_object(struct walk *w, const struct spot *s, const struct docs *d)
{
    struct docs o = *d;

    o.stored = d->stored == NULL ? NULL : or_empty(d->stored, d->desired);
    o.last = d->last == NULL ? NULL : or_empty(d->last, d->desired);
    o.actual = d->actual == NULL ? NULL : or_empty(d->actual, d->desired);
    o.observed = d->observed == NULL ? NULL : or_empty(d->observed, d->desired);
    if (d->actual != NULL && o.actual == NULL && !norm_is_blank(d->actual)
            && !norm_is_masked(d->actual)) {
        walk_note(w, s, d, NULL);
        return;
    }
    if (s->is_id_key && d->actual == NULL) {
        walk_note(w, s, d, NULL);
        return;
    }
    if (is_reference(w, &o))
        return;
    walk_members_of(w, s, &o, o.desired, NULL, NULL);
    walk_members_of(w, s, &o, o.last, o.desired, NULL);
    if (w->takes_extras)
        walk_members_of(w, s, &o, o.actual, o.desired, o.last);
}

/* What stands in place of a value that is not told; not so where the file itself has that text. */
static bool is_stand_in(bool (*is_kind)(const json_t *), const struct docs *d)
{
    const char *wanted = json_string_value(d->desired);
    const char *there = json_string_value(d->actual);

    return is_kind(d->actual)
           && (wanted == NULL || there == NULL || !str_starts(str_of(wanted), str_of(there)));
}

static bool is_by_digest(const struct walk *w, const struct spot *s, const struct docs *d)
{
    const struct kind_property *p = s->property;
    const bool is_blank = norm_is_blank(d->actual);
    const bool is_hidden = is_blank || is_stand_in(norm_is_placeholder, d);

    if (walk_is_secret(d->desired) || is_stand_in(norm_is_masked, d))
        return true;
    /* A write-only member that is answered after all tells more than nothing does. */
    if (p != NULL && p->is_write_only && (is_hidden || w->has_last || w->is_drift))
        return true;
    if (p != NULL && p->may_be_dropped && is_blank)
        return true;
    return is_hidden
           && ((p != NULL && p->is_secret)
                   || (!s->is_free && norm_is_secret_place(s->key, s->parent)));
}

static bool is_create_only(const struct spot *s, const struct docs *d)
{
    return norm_is_blank(d->actual)
           && ((s->property != NULL && s->property->is_create_only) || norm_is_create_name(s->key));
}

static void walk_scalar(struct walk *w, const struct spot *s, const struct docs *d)
{
    const struct norm_place p = place_of(s);

    if (!norm_equal(&p, d->desired, d->actual))
        walk_note(w, s, d, NULL);
}

/* What the service fills in where it answers nothing: an object or a list. */
static const json_t *or_default(const struct spot *s, const struct docs *d)
{
    const json_t *otherwise = s->property == NULL ? NULL : s->property->default_value;

    if ((d->actual == NULL || json_is_null(d->actual)) && otherwise != NULL
            && json_typeof(otherwise) == json_typeof(d->desired)
            && (json_is_object(otherwise) || json_is_array(otherwise)))
        return otherwise;
    return d->actual;
}

static void walk_by_type(struct walk *w, const struct spot *s, const struct docs *given)
{
    struct docs filled = *given;
    const struct docs *d = &filled;

    filled.actual = or_default(s, given);
    if (json_is_object(d->desired))
        walk_object(w, s, d);
    else if (json_is_array(d->desired))
        walk_list(w, s, d);
    else
        walk_scalar(w, s, d);
}

/* Some children take a location and have none. */
static bool is_nowhere(const struct walk *w, const struct spot *s, const struct docs *d)
{
    const char *id = jsonx_text(w->root_actual, "id");

    return strcmp(s->path, "location") == 0 && d->actual == NULL && id != NULL && norm_is_child(id);
}

/* Cases in which there is nothing to compare. */
static bool is_out_of_sight(const struct walk *w, const struct spot *s, const struct docs *d)
{
    /* Nobody sends what only the service sets; if the file does, what is answered must be that. */
    if (s->property != NULL && s->property->is_read_only)
        return w->is_drift || norm_is_blank(d->desired) || norm_is_blank(d->actual);
    if (w->is_drift)
        return s->property != NULL && (s->property->is_write_only || s->property->is_create_only);
    return is_settled(d) || is_create_only(s, d) || is_nowhere(w, s, d)
           || walk_is_tolerated(w, s, d);
}

void walk_value(struct walk *w, const struct spot *s, const struct docs *d)
{
    if (w->depth >= DEPTH_MAX || is_out_of_sight(w, s, d))
        return;
    w->depth++;
    if (d->desired == NULL || json_is_null(d->desired))
        walk_absent(w, s, d);
    else if (walk_is_unknown(d->desired))
        walk_note(w, s, d, "known only after apply");
    else if (is_by_digest(w, s, d))
        walk_by_digest(w, s, d);
    else if (!is_never_returned(w, s, d))
        walk_by_type(w, s, d);
    w->depth--;
}

/* ---- documents ---- */

static void walk_documents(struct walk *w, const struct docs *d)
{
    const struct spot root = { .path = "", .knowledge = "", .key = "", .parent = "" };

    if (json_is_object(d->desired) && json_is_object(d->actual))
        walk_value(w, &root, d);
}

static void release_json(void *j)
{
    json_decref(j);
}

/* What others changed: against our last GET if there is one, else on what we sent. */
static void find_drift(struct arena *arena, const struct diff_input *in, struct change_list *ret)
{
    struct walk w = { .arena = arena,
        .kind = in->kind,
        .out = ret,
        .root_actual = in->actual,
        .is_drift = true,
        .takes_extras = in->observed != NULL };
    json_t *now = plan_observed(in->kind, in->actual);
    const struct docs d = { .desired = in->observed != NULL ? in->observed : in->last_applied,
        .actual = now };

    arena_hook(arena, release_json, now);
    walk_documents(&w, &d);
}

static bool is_address_alone(const struct change_list *changes)
{
    const struct str path = changes->count == 1 ? str_of(changes->items[0].path) : STR("");

    return str_starts_ci(path, STR("tags")) && str_find(path, STR(MODEL_TAG)) > 0;
}

void plan_diff(struct arena *arena, const struct diff_input *in, struct change_list *ret,
        struct change_list *ret_drift)
{
    struct change_list found = { 0 };
    struct walk w = { .arena = arena,
        .kind = in->kind,
        .out = &found,
        .root_desired = in->desired,
        .root_actual = in->actual,
        .has_last = in->last_applied != NULL,
        .has_observed = in->observed != NULL };
    const struct docs d = { .desired = in->desired,
        .stored = in->desired_stored,
        .last = in->last_applied,
        .actual = in->actual,
        .observed = in->observed };

    walk_documents(&w, &d);
    if (in->has_moved && is_address_alone(&found))
        found.count = 0;
    *ret = found;
    if (ret_drift == NULL)
        return;
    *ret_drift = (struct change_list){ 0 };
    if (json_is_object(in->actual))
        find_drift(arena, in, ret_drift);
}
