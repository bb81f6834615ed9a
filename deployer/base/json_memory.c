#include "base/json_memory.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#define UNIT_BYTES 16u
#define UNITS_MAX 17u           /* parts of up to 256 bytes with their head; the rest is malloc's */
#define CHUNK_BYTES (60u << 10) /* what is cut up into parts; below malloc's threshold for mmap */

/* In front of each part. What jansson keeps is aligned by 8 bytes at most. */
struct head {
    size_t units; /* of the part with its head; 0: one of malloc(3) */
};

/* A part while nothing is in it. */
struct part {
    struct part *next;
};

static _Thread_local struct {
    struct part *free[UNITS_MAX];
    unsigned char *at, *end; /* what is left of the chunk */
} memory;

/* A new part, cut off the chunk. What was left of the one before is given up. */
static void *cut(size_t units)
{
    const size_t bytes = units * UNIT_BYTES;

    if ((size_t)(memory.end - memory.at) < bytes) {
        memory.at = malloc(CHUNK_BYTES);
        memory.end = memory.at == NULL ? NULL : memory.at + CHUNK_BYTES;
        if (memory.at == NULL)
            return NULL;
    }
    struct head *h = (struct head *)(void *)memory.at;

    memory.at += bytes;
    h->units = units;
    return h + 1;
}

static void *take_large(size_t bytes)
{
    struct head *h = bytes > SIZE_MAX - sizeof(*h) ? NULL : malloc(sizeof(*h) + bytes);

    if (h == NULL)
        return NULL;
    h->units = 0;
    return h + 1;
}

static void *take(size_t bytes)
{
    if (bytes > (UNITS_MAX - 1) * UNIT_BYTES - sizeof(struct head))
        return take_large(bytes);
    const size_t units = (sizeof(struct head) + bytes + UNIT_BYTES - 1) / UNIT_BYTES;
    struct part *p = memory.free[units];

    if (p == NULL)
        return cut(units);
    memory.free[units] = p->next;
    return p;
}

static void give_back(void *at)
{
    if (at == NULL)
        return;
    struct head *h = (struct head *)at - 1;

    if (h->units == 0) {
        free(h);
        return;
    }
    struct part *p = at;

    p->next = memory.free[h->units];
    memory.free[h->units] = p;
}

/* A sanitizer's own malloc sees what these lists would hide. gcc and clang tell of it differently.
 */
#if defined(__has_feature)
#define HAS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

void json_memory_setup(void)
{
    if (!HAS_SANITIZER)
        json_set_alloc_funcs(take, give_back);
}
