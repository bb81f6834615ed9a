/*
 * alloc.h - allocation that never returns NULL: without memory the process aborts. That is safe
 * because state writes what it is about to do before it does it.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/compiler.h"

/*
 * Tells the system that some `bytes` are going to be allocated: it may give them as huge pages, in
 * a few faults instead of one for each 4 KiB. A hint: where it can't be taken nothing happens.
 */
void alloc_expect(size_t bytes);
/* Zeroed memory for `count` things of `size_bytes`; free() it. Aborts on overflow too. */
MUST_CHECK void *xcalloc(size_t count, size_t size_bytes);
/* As realloc(3) for `count` things; the new part is not zeroed. */
MUST_CHECK void *xrealloc(void *p, size_t count, size_t size_bytes);
/* A copy of a NUL-terminated text; free() it. NULL gives NULL. */
MUST_CHECK char *xstrdup(const char *text);
/* A copy of `len` bytes with a NUL behind them; free() it. */
MUST_CHECK char *xmemdup0(const void *p, size_t len);
/* A formatted text; free() it. */
MUST_CHECK char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
MUST_CHECK char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* Aborts the process: a library ran out of memory or an invariant is broken. */
NORETURN void die_oom(void);

/* Grows `array` (an owned pointer) so that it can hold one more than `count` entries. */
#define GROW(array, count, capacity)                                                               \
    do {                                                                                           \
        if ((count) == (capacity)) {                                                               \
            (capacity) = (capacity) == 0 ? 8 : (capacity)*2;                                       \
            (array) = xrealloc((array), (capacity), sizeof(*(array)));                             \
        }                                                                                          \
    } while (0)

static inline void auto_free(void *p)
{
    free(*(void **)p);
}

#endif
