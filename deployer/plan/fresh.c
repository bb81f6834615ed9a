/*
 * What a write takes along of others, and whether it has to look once more before it is sent: a
 * PUT or a list in a patch takes away what was added since the last look.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"

static bool is_patched(const struct kind *k)
{
    return k != NULL && k->update == KIND_UPDATE_PATCH;
}

/* Whether a change is at or below the path, or in the list that its last element stands in. */
static bool is_changed(const char *path, size_t len, const struct change_list *changes)
{
    for (size_t i = 0; len > 0 && i < changes->count; i++) {
        if (strncmp(changes->items[i].path, path, len) == 0)
            return true;
    }
    return false;
}

/* Without the last element's key: "a.list[x]" is in "a.list". 0: it is in no list. */
static size_t list_length(const char *path)
{
    const char *bracket = strrchr(path, '[');

    return bracket == NULL ? 0 : (size_t)(bracket - path);
}

struct change_list plan_kept(
        struct arena *arena, const struct diff_input *in, const struct change_list *changes)
{
    struct change_list kept = { 0 };
    size_t count = 0;

    json_decref(plan_body(arena, in, &kept)); /* the write makes it again */
    for (size_t i = 0; i < kept.count; i++) {
        const char *path = kept.items[i].path;

        if (!is_patched(in->kind) || is_changed(path, list_length(path), changes))
            kept.items[count++] = kept.items[i];
    }
    kept.count = count;
    return kept;
}

bool plan_wants_fresh(
        struct arena *arena, const struct diff_input *in, const struct change_list *changes)
{
    const struct kind *k = in->kind;

    if (k == NULL || in->last_applied == NULL)
        return false;
    for (size_t i = 0; i < k->property_count; i++) {
        const struct kind_property *p = &k->properties[i];

        if (p->is_shared && (!is_patched(k) || is_changed(p->path, strlen(p->path), changes)))
            return true;
    }
    return plan_kept(arena, in, changes).count > 0;
}

const struct kind_property *plan_untold(
        const struct kind *kind, const struct change_list *kept, const json_t *told)
{
    for (size_t i = 0; i < kept->count; i++) {
        AUTO(free)
        char *path = str_dup(
                str_slice(str_of(kept->items[i].path), 0, list_length(kept->items[i].path)));
        const struct kind_property *p = kind_property(kind, path);

        if (p != NULL && p->resend != NULL && kept->items[i].action == CHANGE_ADD
                && json_object_get(told, jsonx_text(p->resend, "action")) == NULL)
            return p;
    }
    return NULL;
}
