/*
 * arena.h - memory for things that die together. Nothing in an arena is freed alone, and no pointer
 * goes from a longer-lived arena into a shorter-lived one. Handles (files, sockets, libraries'
 * objects) are not kept here unless a release hook frees them.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"

struct arena;

MUST_CHECK struct arena *arena_new(void);
/* Runs the hooks, last first, then frees everything. NULL is accepted. */
void arena_free(struct arena *a);
/* Zeroed and aligned for any type; lives until arena_free. */
MUST_CHECK void *arena_alloc(struct arena *a, size_t size_bytes);
MUST_CHECK char *arena_text(struct arena *a, const char *text);
MUST_CHECK char *arena_str(struct arena *a, struct str s);
MUST_CHECK char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Calls release(object) when the arena goes. */
void arena_hook(struct arena *a, void (*release)(void *), void *object);

static inline void auto_arena(struct arena **a)
{
    arena_free(*a);
}

#endif
