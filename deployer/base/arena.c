#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* An arena begins small, since many live for one expression, and grows by doubling. */
#define CHUNK_BYTES_MIN 512u
#define CHUNK_BYTES_MAX 32768u /* a larger free makes glibc consolidate its bins */
#define ALIGN_BYTES (_Alignof(max_align_t))

struct chunk {
    struct chunk *next;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct hook {
    struct hook *next;
    void (*release)(void *);
    void *object;
};

struct arena {
    struct chunk *chunks;
    struct hook *hooks;
};

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct hook *h = a->hooks; h != NULL; h = h->next)
        h->release(h->object);
    while (a->chunks != NULL) {
        struct chunk *next = a->chunks->next;

        free(a->chunks);
        a->chunks = next;
    }
    free(a);
}

static void add_chunk(struct arena *a, size_t need)
{
    const size_t before = a->chunks == NULL ? 0 : a->chunks->capacity;
    size_t capacity = before == 0 ? CHUNK_BYTES_MIN : before * 2;

    if (capacity > CHUNK_BYTES_MAX)
        capacity = CHUNK_BYTES_MAX;
    if (capacity < need)
        capacity = need;
    struct chunk *c = xrealloc(NULL, 1, sizeof(*c) + capacity);

    *c = (struct chunk){ .next = a->chunks, .capacity = capacity };
    a->chunks = c;
}

/* Not zeroed: a whole chunk at once would be memory touched for nothing. */
static void *take(struct arena *a, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2)
        die_oom();
    const size_t need = (size_bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;

    if (a->chunks == NULL || a->chunks->capacity - a->chunks->used < need)
        add_chunk(a, need);
    void *p = a->chunks->bytes + a->chunks->used;

    a->chunks->used += need;
    return p;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    return memset(take(a, size_bytes), 0, size_bytes);
}

char *arena_text(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_str(a, str_of(text));
}

char *arena_str(struct arena *a, struct str s)
{
    char *copy = take(a, s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);

    va_end(ap);
    char *copy = arena_text(a, text);

    free(text);
    return copy;
}

void arena_hook(struct arena *a, void (*release)(void *), void *object)
{
    struct hook *h = arena_alloc(a, sizeof(*h));

    *h = (struct hook){ .next = a->hooks, .release = release, .object = object };
    a->hooks = h;
}
