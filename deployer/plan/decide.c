#include "plan/decide.h"

#include "base/jsonx.h"
#include "base/str.h"
#include "plan/normalise.h"

/* What the cloud says of an id. */
enum presence { PRESENT, ABSENT, DENIED, NOT_ASKED };

static enum presence presence_of(
        const struct plan_input *in, const char *key, const json_t **ret, const char **ret_why)
{
    const json_t *a = key == NULL ? NULL : json_object_get(in->actual, key);

    if (a == NULL)
        return NOT_ASKED;
    if (json_is_null(a))
        return ABSENT;
    *ret_why = jsonx_text(a, "$denied");
    if (*ret_why != NULL)
        return DENIED;
    *ret = a;
    return PRESENT;
}

/* Provisioning that ended badly is repaired by writing again. */
static const char *bad_end(struct arena *arena, const struct plan_item *i)
{
    const json_t *state = jsonx_at_ci(i->actual, "properties.provisioningState");
    const struct norm_place p = { .key = "provisioningState", .parent = "properties" };
    json_auto_t *failed = json_string("Failed");
    json_auto_t *canceled = json_string("Canceled");
    json_auto_t *cancelled = json_string("Cancelled");

    if (text_eq(jsonx_text(i->entry, "status"), "tainted"))
        return "its last write did not come to its end";
    if (state != NULL
            && (norm_equal(&p, state, failed) || norm_equal(&p, state, canceled)
                    || norm_equal(&p, state, cancelled)))
        return arena_printf(arena, "its last operation ended as %s", json_string_value(state));
    return NULL;
}

static const char *replace_reason(struct arena *arena, const struct change_list *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *c = &changes->items[i];

        if (c->forces_replacement)
            return arena_printf(arena, "%s: %s", c->path,
                    c->reason == NULL ? "cannot be changed after creation" : c->reason);
    }
    return NULL;
}

/* It is there and it is (or becomes) ours: compare. */
static void compare(struct arena *arena, const struct plan_subject *s, struct plan_item *i)
{
    const struct diff_input d = { .kind = i->kind,
        .desired = s->desired,
        .desired_stored = s->desired_stored,
        .last_applied = json_object_get(i->entry, "last_applied"),
        .actual = i->actual,
        .observed = json_object_get(i->entry, "observed"),
        .has_moved = i->moved_from != NULL };

    plan_diff(arena, &d, &i->changes, &i->drift);
    const char *replaced = replace_reason(arena, &i->changes);

    if (replaced != NULL) {
        i->action = PLAN_REPLACE;
        i->reason = replaced;
        return;
    }
    i->action = i->changes.count > 0 ? PLAN_UPDATE : PLAN_NONE;
    if (i->action == PLAN_UPDATE)
        i->kept = plan_kept(arena, &d, &i->changes);
    const char *bad = bad_end(arena, i);

    if (bad != NULL) {
        i->action = PLAN_UPDATE;
        i->reason = bad;
    }
}

static void decide_present(struct arena *arena, const struct plan_subject *s, struct plan_item *i)
{
    compare(arena, s, i);
    if (i->entry == NULL && i->intent != NULL) {
        i->action = i->action == PLAN_REPLACE ? PLAN_REPLACE : PLAN_UPDATE;
        i->reason = "an operation of ours was under way: it is taken up again";
    } else if (i->entry == NULL) {
        i->action = i->action == PLAN_REPLACE ? PLAN_REPLACE : PLAN_ADOPT;
        i->reason = i->action == PLAN_REPLACE
                            ? i->reason
                            : "is there already and not in the state: it is taken over";
    }
    if (i->moved_from != NULL && i->action == PLAN_NONE)
        i->action = PLAN_MOVE;
}

static void decide_existing(struct plan_item *i, enum presence there, const char *why)
{
    i->action = PLAN_READ;
    if (there == ABSENT)
        i->reason = "is not there, although the stack says that it exists";
    else if (there == DENIED)
        i->reason = why;
    else if (i->entry != NULL)
        i->reason = "was ours: it leaves the state and stays in the cloud";
}

void decide_subject(struct arena *arena, const struct plan_input *in, const struct plan_subject *s,
        const char *key, const json_t *entry, struct plan_item *ret)
{
    const char *why = NULL;
    struct plan_item i = { .address = s->resource->address,
        .id = s->id != NULL ? s->id : jsonx_text(entry, "id"),
        .kind = s->resource->kind,
        .subject = s,
        .entry = entry,
        .intent =
                key == NULL ? NULL : json_object_get(json_object_get(in->state, "intents"), key) };
    const enum presence there = presence_of(in, key, &i.actual, &why);
    const char *address = jsonx_text(entry, "address");

    if (address != NULL && !text_eq(address, i.address))
        i.moved_from = address;
    if (s->resource->existing != NULL) {
        decide_existing(&i, there, why);
    } else if (there == PRESENT) {
        decide_present(arena, s, &i);
    } else if (there == DENIED || (there == NOT_ASKED && key != NULL)) {
        i.action = PLAN_UNKNOWN;
        i.reason = there == DENIED ? why : "was not read";
    } else {
        i.action = PLAN_CREATE;
        i.reason = key == NULL        ? "its name is known only after apply"
                   : entry != NULL    ? "was deleted by others"
                   : i.intent != NULL ? "its creation was under way: it is taken up again"
                                      : NULL;
    }
    *ret = i;
}

/* What can't be deleted is set back, where the kind says how and it is not so already. */
static bool reset(struct arena *arena, struct plan_item *i)
{
    json_t *body = plan_reset_body(i->kind, i->actual);

    if (body == NULL)
        return false;
    arena_hook(arena, (void (*)(void *))json_decref, body);
    plan_diff(arena, &(struct diff_input){ .kind = i->kind, .desired = body, .actual = i->actual },
            &i->changes, NULL);
    if (i->changes.count == 0)
        return false;
    i->action = PLAN_RESET;
    i->reason = "is no longer in the file, and can't be deleted: it is set back";
    return true;
}

static void delete_or_forget(
        struct arena *arena, struct plan_item *i, bool is_address_in_file, bool is_destroy)
{
    if (i->kind != NULL && !i->kind->is_deletable) {
        if (reset(arena, i))
            return;
        i->action = PLAN_FORGET;
        i->reason = "cannot be deleted alone: it keeps what it has until its parent goes";
        return;
    }
    i->action = PLAN_DELETE;
    i->reason = is_destroy           ? NULL
                : is_address_in_file ? "has another name in the file now"
                                     : "is no longer in the file";
}

void decide_leftover(struct arena *arena, const struct plan_input *in, const char *key,
        const json_t *entry, bool is_address_in_file, struct plan_item *ret)
{
    const char *why = NULL;
    const char *kind = jsonx_text(entry, "kind");
    const char *id = jsonx_text(entry, "id");
    struct plan_item i = { .address = jsonx_text(entry, "address"),
        .id = id != NULL ? id : arena_text(arena, key),
        .kind = kind == NULL || in->kind == NULL ? NULL : in->kind(in->arg, kind),
        .entry = entry,
        .intent = json_object_get(json_object_get(in->state, "intents"), key) };
    const enum presence there = presence_of(in, key, &i.actual, &why);

    if (i.address == NULL)
        i.address = i.id;
    if (there == ABSENT) {
        i.action = PLAN_FORGET;
        i.reason = "is gone from the cloud";
    } else if (there == DENIED) {
        i.action = PLAN_UNKNOWN;
        i.reason = why;
    } else if (i.kind == NULL) {
        i.action = PLAN_UNKNOWN;
        i.reason = arena_printf(arena, "its kind '%s' is not in the catalog: it can't be deleted",
                kind == NULL ? "" : kind);
    } else {
        delete_or_forget(arena, &i, is_address_in_file, in->is_destroy);
    }
    *ret = i;
}

static double minutes_of(const struct plan_item *i)
{
    const struct kind *k = i->kind;

    switch (i->action) {
    case PLAN_CREATE:
        return k->create_min;
    case PLAN_RESET:
        return k->update_min;
    case PLAN_UPDATE:
    case PLAN_ADOPT:
        return i->action == PLAN_ADOPT && i->changes.count == 0 ? 0 : k->update_min;
    case PLAN_REPLACE:
        return k->create_min + (i->goes_with == NULL ? k->delete_min : 0);
    case PLAN_DELETE:
        return i->goes_with == NULL ? k->delete_min : 0;
    case PLAN_NONE:
    case PLAN_MOVE:
    case PLAN_READ:
    case PLAN_FORGET:
    case PLAN_UNKNOWN:
        break;
    }
    return 0;
}

bool plan_is_rollout_due(const struct kind *k, const struct change_list *changes)
{
    const json_t *paths = json_object_get(k->document, "rollout_when");
    size_t at = 0;
    json_t *path = NULL;

    json_array_foreach ((json_t *)(uintptr_t)paths, at, path) {
        for (size_t i = 0; i < changes->count; i++) {
            if (str_starts_ci(str_of(changes->items[i].path), str_of(json_string_value(path))))
                return true;
        }
    }
    return json_array_size(paths) == 0;
}

static bool is_stop_first(const struct plan_item *i)
{
    return i->subject != NULL && text_eq(i->subject->resource->rollout, "stop-first")
           && plan_is_rollout_due(i->kind, &i->changes);
}

void decide_consequences(struct arena *arena, struct plan_item *i)
{
    const bool goes = i->action == PLAN_DELETE || i->action == PLAN_REPLACE;

    i->minutes = i->kind == NULL ? 0 : minutes_of(i);
    i->needs_replace_consent = i->action == PLAN_REPLACE;
    i->loses_data = goes && i->kind != NULL && i->kind->holds_data;
    i->is_protected =
            i->loses_data
            || (goes
                    && (jsonx_bool(i->entry, "protected", false)
                            || (i->subject != NULL && i->subject->resource->is_protected)));
    if (i->action == PLAN_REPLACE)
        i->downtime = arena_printf(arena,
                "not available from its deletion until it is made anew (about %.0f min)",
                i->minutes < 1 ? 1 : i->minutes);
    else if (i->action == PLAN_UPDATE && i->changes.count > 0 && is_stop_first(i))
        i->downtime = "stopped before the new version starts";
}
