/*
 * index.h - finds things by a text: a hash table in an arena. Keys are borrowed and must live as
 * long.
 */
#ifndef CATALOG_INDEX_H
#define CATALOG_INDEX_H

#include <stddef.h>

#include "base/arena.h"

struct index_slot {
    const char *key;
    void *value;
};

struct index {
    struct arena *arena;
    struct index_slot *slots;
    size_t capacity;
    size_t count;
};

/* Returns what the key had before, or NULL. */
void *index_put(struct index *ix, const char *key, void *value);
void *index_get(const struct index *ix, const char *key);

#endif
