#include "stack/merge.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/text.h"

static struct doc_node *copy_map(struct arena *arena, const struct doc_node *map)
{
    struct doc_node *copy = doc_new_map(arena, map->place);

    for (size_t i = 0; map->kind == DOC_MAP && i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];

        doc_set(arena, copy, e->key, e->key_place, e->value);
    }
    return copy;
}

static void complain_nothing_there(const struct doc_node *base, const struct doc_entry *e,
        const char *path, struct diag_list *diags)
{
    AUTO(free) const char **keys = xcalloc(base->count, sizeof(*keys));

    for (size_t i = 0; i < base->count; i++)
        keys[i] = base->entries[i].key;
    const char *meant = text_suggest(str_of(e->key), keys, base->count);

    if (meant != NULL)
        diag_add(diags, DIAG_ERROR, "stack.removes-nothing", e->key_place, path,
                "null removes '%s', but the base has no such key (did you mean %s?)", e->key,
                meant);
    else
        diag_add(diags, DIAG_ERROR, "stack.removes-nothing", e->key_place, path,
                "null removes '%s', but the base has no such key", e->key);
}

static void merge_entry(struct arena *arena, struct doc_node *into, const struct doc_entry *e,
        const char *path, struct diag_list *diags)
{
    struct doc_node *old = doc_get(into, e->key);

    if (doc_is_null(e->value)) {
        if (old == NULL)
            complain_nothing_there(into, e, path, diags);
        doc_remove(into, e->key);
    } else if (e->value->kind == DOC_MAP) {
        AUTO(free) char *sub = xasprintf("%s.%s", path, e->key);
        const bool has_map = old != NULL && old->kind == DOC_MAP;
        struct doc_node *base = has_map ? old : doc_new_map(arena, e->value->place);

        doc_set(arena, into, e->key, e->key_place,
                merge_overlay(arena, base, e->value, sub, diags));
    } else {
        doc_set(arena, into, e->key, e->key_place, e->value);
    }
}

struct doc_node *merge_overlay(struct arena *arena, const struct doc_node *base,
        const struct doc_node *overlay, const char *path, struct diag_list *diags)
{
    struct doc_node *merged = copy_map(arena, base);

    for (size_t i = 0; overlay != NULL && overlay->kind == DOC_MAP && i < overlay->count; i++)
        merge_entry(arena, merged, &overlay->entries[i], path, diags);
    return merged;
}
