#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define CHUNK_BYTES 16384u
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

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2)
        die_oom();
    const size_t need = (size_bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;

    if (a->chunks == NULL || a->chunks->capacity - a->chunks->used < need) {
        const size_t capacity = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        struct chunk *c = xcalloc(1, sizeof(*c) + capacity);

        c->capacity = capacity;
        c->next = a->chunks;
        a->chunks = c;
    }
    void *p = a->chunks->bytes + a->chunks->used;

    a->chunks->used += need;
    return p;
}

char *arena_text(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_str(a, str_of(text));
}

char *arena_str(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.p, s.len);
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    const int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        die_oom();
    char *copy = arena_str(a, (struct str){ .p = text, .len = (size_t)n });

    free(text);
    return copy;
}

void arena_hook(struct arena *a, void (*release)(void *), void *object)
{
    struct hook *h = arena_alloc(a, sizeof(*h));

    *h = (struct hook){ .next = a->hooks, .release = release, .object = object };
    a->hooks = h;
}
