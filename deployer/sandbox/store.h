/*
 * store.h - the cloud's memory: every resource, ordered by its lower-case id, and what was
 * soft-deleted. One JSON file keeps it across restarts; secrets stand in it (a cloud has to keep
 * them), so its mode is 0600.
 */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "sandbox/kinds.h"

struct resource {
    char *id;
    char *key;
    char *name;
    const struct kind *kind;
    json_t *doc;    /* what the caller set, cleaned, with defaults and secrets */
    json_t *made;   /* what the service made; laid over doc when shown */
    json_t *hidden; /* keys and the like; shown by actions only */
    char *location; /* as sent; NULL */
    json_t *tags;   /* NULL: none */
    char *etag;
    char *state; /* "Succeeded", "Failed"; while an operation runs, that one's word */
    char *op_id; /* the operation that runs; NULL */
    bool is_deleting;
    int64_t created_ms, changed_ms; /* wall clock */
    int64_t readable_ms, listed_ms; /* wall clock: seen by GET, by lists from then on; 0 at once */
};

struct store {
    struct resource **items; /* ordered by key */
    size_t count, capacity;
    json_t *deleted; /* [{"type", "name", "id", "location", "deleted_ms", "resource"}] */
    bool is_dirty;
};

void store_init(struct store *s);
void store_release(struct store *s);
struct resource *store_find(const struct store *s, const char *key);
/* An empty resource at `id`; it must not be there yet. Belongs to the store. */
struct resource *store_add(struct store *s, const char *id, const struct kind *kind);
void store_remove(struct store *s, struct resource *r);
/* The resources below `key` (their keys begin with "KEY/"): *ret_from up to before *ret_to. */
void store_below(const struct store *s, const char *key, size_t *ret_from, size_t *ret_to);
/* A new etag, changed_ms, and the file will be written. */
void store_touch(struct store *s, struct resource *r);
/* Keeps a copy among the deleted. */
void store_bury(struct store *s, const struct resource *r);
/* Lets go for good what was told to be purged by `now_ms` (wall clock). */
void store_end_purges(struct store *s, int64_t now_ms);
/* As JSON, and back; kinds that are gone are dropped. Owned. */
MUST_CHECK json_t *store_json(const struct store *s);
MUST_CHECK json_t *store_resource_json(const struct resource *r);
void store_load(struct store *s, const struct kinds *kinds, const json_t *j);
/* Makes a resource again from store_resource_json's form. NULL if its kind is gone. */
struct resource *store_restore(struct store *s, const struct kinds *kinds, const json_t *j);
/* doc with made over it; owned. Secrets are in it. */
MUST_CHECK json_t *store_full(const struct resource *r);

#endif
