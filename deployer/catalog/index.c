#include "catalog/index.h"

#include <stdint.h>
#include <string.h>

/* FNV-1a. */
static size_t hash(const char *key)
{
    uint64_t h = 14695981039346656037u;

    for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++)
        h = (h ^ *p) * 1099511628211u;
    return (size_t)(h ^ (h >> 29));
}

/* The slot of the key, or the free one where it belongs. */
static struct index_slot *slot_of(struct index_slot *slots, size_t capacity, const char *key)
{
    size_t at = hash(key) & (capacity - 1);

    while (slots[at].key != NULL && strcmp(slots[at].key, key) != 0)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static void grow(struct index *ix)
{
    const size_t capacity = ix->capacity == 0 ? 64 : ix->capacity * 2;
    struct index_slot *slots = arena_alloc(ix->arena, capacity * sizeof(*slots));

    for (size_t i = 0; i < ix->capacity; i++) {
        if (ix->slots[i].key != NULL)
            *slot_of(slots, capacity, ix->slots[i].key) = ix->slots[i];
    }
    ix->slots = slots;
    ix->capacity = capacity;
}

void *index_put(struct index *ix, const char *key, void *value)
{
    if (ix->count * 2 >= ix->capacity)
        grow(ix);
    struct index_slot *slot = slot_of(ix->slots, ix->capacity, key);
    void *before = slot->value;

    if (slot->key == NULL)
        ix->count++;
    *slot = (struct index_slot){ .key = key, .value = value };
    return before;
}

void *index_get(const struct index *ix, const char *key)
{
    return ix->capacity == 0 ? NULL : slot_of(ix->slots, ix->capacity, key)->value;
}
