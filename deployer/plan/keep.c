/*
 * What is sent for a write. A PUT sends the document whole, a patch its lists: what others added to
 * a list that is a map or a set, or to a map, would be dropped with it. It goes along instead,
 * unless the file or what was applied last has it: then it was ours, and is to go.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "plan/list_key.h"
#include "plan/walk.h"

/* ---- what of an answer can be sent again ---- */

static json_t *sendable(const struct walk *w, const struct spot *s, const json_t *value);

static bool is_sent(const struct spot *s, const json_t *value)
{
    return !json_is_null(value) && !norm_is_server_name(s->key) && !norm_is_masked(value)
           && (s->property == NULL || !s->property->is_read_only);
}

static json_t *sendable_object(const struct walk *w, const struct spot *s, const json_t *object)
{
    json_t *sent = jsonx_must(json_object());
    const bool is_map = walk_is_map(w, s);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        const struct spot m = spot_member(w, s, key, is_map);

        if (is_sent(&m, value))
            json_object_set_new(sent, key, sendable(w, &m, value));
    }
    return sent;
}

static json_t *sendable(const struct walk *w, const struct spot *s, const json_t *value)
{
    size_t i = 0;
    json_t *element = NULL;

    /* Behind an identity's id stands only what the service tells of it. */
    if (json_is_object(value) && s->is_id_key)
        return jsonx_must(json_object());
    if (json_is_object(value))
        return sendable_object(w, s, value);
    if (!json_is_array(value))
        return jsonx_copy(value);
    json_t *sent = jsonx_must(json_array());
    const struct spot m = spot_element(w, s, "");

    json_array_foreach (value, i, element)
        json_array_append_new(sent, sendable(w, &m, element));
    return sent;
}

/* ---- who added it ---- */

/* Notes it as kept (add) or, where it can't be sent again, as lost (remove). */
static bool note_kept(
        struct walk *w, const struct spot *list, const struct spot *s, const json_t *actual)
{
    const bool is_lost = list->property != NULL && list->property->is_not_resent;
    const struct docs d = { .desired = is_lost ? NULL : actual, .actual = is_lost ? actual : NULL };

    walk_note(w, s, &d,
            is_lost ? "added by others; it can't be sent again, for its secret is not told"
                    : "added by others");
    return !is_lost;
}

/*
 * An element of others as it is sent: with what GET hides, where the kind's action has told it.
 * NULL when that does not know it any more.
 */
static json_t *complete(const struct walk *w, const struct spot *list, const struct spot *s,
        const struct list_key *by, const json_t *element)
{
    const json_t *resend = list->property == NULL ? NULL : list->property->resend;
    const json_t *told = json_object_get(w->told, jsonx_text(resend, "action"));
    json_t *sent = sendable(w, s, element);
    AUTO(free) char *key = list_key_of(element, by->by);
    const char *name = NULL;
    json_t *value = NULL;

    if (resend == NULL || told == NULL)
        return sent;
    const json_t *whole = list_key_find(told, by, key);

    json_object_foreach ((json_t *)(uintptr_t)whole, name, value) {
        if (!json_is_null(value) && jsonx_get_ci(sent, name) == NULL)
            json_object_set(sent, name, value);
    }
    if (whole == NULL)
        json_decref(sent);
    return whole == NULL ? NULL : sent;
}

static void keep_keyed(struct walk *w, const struct spot *s, const struct docs *d,
        const struct list_key *by, json_t *list)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (d->actual, i, element) {
        AUTO(free) char *key = list_key_of(element, by->by);

        if (key == NULL || list_key_find(d->desired, by, key) != NULL
                || list_key_find(d->last, by, key) != NULL || walk_is_added(s, key)
                || walk_is_off(element))
            continue;
        const struct spot m = spot_element(w, s, key);

        json_t *sent = note_kept(w, s, &m, element) ? complete(w, s, &m, by, element) : NULL;

        if (sent != NULL)
            json_array_append_new(list, sent);
    }
}

static bool has_same(
        const struct walk *w, const struct spot *s, const json_t *list, const json_t *element)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (list, i, one) {
        const struct docs d = { .desired = one, .actual = element };

        if (walk_is_same(w, s, &d))
            return true;
    }
    return false;
}

static void keep_set(struct walk *w, const struct spot *s, const struct docs *d, json_t *list)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach (d->actual, i, element) {
        const struct spot m =
                spot_element(w, s, json_is_string(element) ? json_string_value(element) : "");

        if (!has_same(w, &m, d->desired, element) && !has_same(w, &m, d->last, element)
                && !walk_is_off(element) && note_kept(w, s, &m, element))
            json_array_append_new(list, sendable(w, &m, element));
    }
}

/* ---- the way down ---- */

static void keep_value(struct walk *w, const struct spot *s, const struct docs *d, json_t *body);

static void keep_in_elements(struct walk *w, const struct spot *s, const struct docs *d,
        const struct list_key *by, json_t *list)
{
    for (size_t i = 0; i < json_array_size(d->desired); i++) {
        const json_t *wanted = json_array_get(d->desired, i);
        AUTO(free) char *key = list_key_of(wanted, by->by);

        if (key == NULL)
            continue;
        const struct spot m = spot_element(w, s, key);
        const struct docs v = { .desired = wanted,
            .last = list_key_find(d->last, by, key),
            .actual = list_key_find(d->actual, by, key) };

        keep_value(w, &m, &v, json_array_get(list, i));
    }
}

/* Objects without a key are no set here: one that others changed would come twice. */
static bool is_true_set(const struct spot *s, const struct docs *d)
{
    if (s->property != NULL && s->property->is_set)
        return true;
    return json_is_string(json_array_get(d->desired, 0)) && walk_is_set(s, d);
}

static void keep_list(struct walk *w, const struct spot *s, const struct docs *d, json_t *list)
{
    struct list_key by = { 0 };

    if (list_key_choose(w, s, d, &by)) {
        keep_in_elements(w, s, d, &by, list);
        keep_keyed(w, s, d, &by, list);
    } else if (is_true_set(s, d)) {
        keep_set(w, s, d, list);
    }
}

static bool is_open_map(const struct walk *w, const struct spot *s, const char *key)
{
    return walk_is_map(w, s) || walk_is_free_map(s->key) || norm_is_id(key);
}

/* A list that the kind knows as a map or a set, and that neither the file nor we ever had. */
static bool is_others_list(const struct spot *s, const json_t *value)
{
    const struct kind_property *p = s->property;

    return json_array_size(value) > 0 && p != NULL && !p->is_read_only && !p->is_immutable
           && (p->map_by != NULL || p->is_set);
}

static void keep_members(struct walk *w, const struct spot *s, const struct docs *d, json_t *body)
{
    const bool is_map = walk_is_map(w, s);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)d->actual, key, value) {
        if (jsonx_get_ci(d->desired, key) != NULL || jsonx_get_ci(d->last, key) != NULL)
            continue;
        const struct spot m = spot_member(w, s, key, is_map);
        const struct docs v = { .actual = value };

        if (!is_sent(&m, value))
            continue;
        if (is_others_list(&m, value)) {
            json_t *list = jsonx_must(json_array());

            keep_list(w, &m, &v, list);
            if (json_array_size(list) > 0)
                json_object_set_new(body, key, list);
            else
                json_decref(list);
        } else if (is_open_map(w, s, key) && !norm_is_blank(value) && note_kept(w, s, &m, value)) {
            json_object_set_new(body, key, sendable(w, &m, value));
        } else if (is_open_map(w, s, key) && m.is_id_key && note_kept(w, s, &m, value)) {
            json_object_set_new(body, key, jsonx_must(json_object()));
        }
    }
}

static void keep_object(struct walk *w, const struct spot *s, const struct docs *d, json_t *body)
{
    const bool is_map = walk_is_map(w, s);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)d->desired, key, value) {
        const struct spot m = spot_member(w, s, key, is_map);
        const struct docs v = { .desired = value,
            .last = jsonx_get_ci(d->last, key),
            .actual = jsonx_get_ci(d->actual, key) };

        keep_value(w, &m, &v, json_object_get(body, key));
    }
    keep_members(w, s, d, body);
}

static void keep_value(struct walk *w, const struct spot *s, const struct docs *d, json_t *body)
{
    if (d->actual == NULL || walk_is_secret(d->desired) || walk_is_unknown(d->desired)
            || json_typeof(d->actual) != json_typeof(d->desired)
            || (s->property != NULL && s->property->is_read_only))
        return;
    if (json_is_object(d->desired))
        keep_object(w, s, d, body);
    else if (json_is_array(d->desired))
        keep_list(w, s, d, body);
}

json_t *plan_body(struct arena *arena, const struct diff_input *in, struct change_list *ret_kept)
{
    struct change_list kept = { 0 };
    struct walk w = { .arena = arena,
        .kind = in->kind,
        .out = &kept,
        .told = in->told,
        .root_desired = in->desired,
        .root_actual = in->actual };
    const struct spot root = { .path = "", .knowledge = "", .key = "", .parent = "" };
    const struct docs d = {
        .desired = in->desired, .last = in->last_applied, .actual = in->actual
    };
    json_t *body = jsonx_must(json_deep_copy(in->desired));

    /* What was never ours is shown whole before it is taken over: nothing is hidden there. */
    if (json_is_object(in->actual) && in->last_applied != NULL)
        keep_value(&w, &root, &d, body);
    if (ret_kept != NULL)
        *ret_kept = kept;
    return body;
}
