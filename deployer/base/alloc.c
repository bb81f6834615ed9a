#include "base/alloc.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As much as malloc(3) serves from the heap, without mmap. */
#define HEAP_PROBE_BYTES (127u << 10)

void die_oom(void)
{
    static const char text[] = "deployer: out of memory\n";

    fwrite(text, 1, sizeof(text) - 1, stderr);
    abort();
}

void alloc_expect(size_t bytes)
{
#ifdef __GLIBC__
    const uintptr_t before = (uintptr_t)sbrk(0);
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    mallopt(M_TOP_PAD, (int)bytes);
    mallopt(M_TRIM_THRESHOLD, (int)(2 * bytes));
    /* Two of them are more than the heap's first piece; volatile, or the compiler leaves them out.
     */
    void *volatile first = malloc(HEAP_PROBE_BYTES);
    void *volatile second = malloc(HEAP_PROBE_BYTES);

    free(second);
    free(first);
    const uintptr_t after = (uintptr_t)sbrk(0);
    const uintptr_t from = (before + page - 1) / page * page;

    if (from < after)
        madvise((void *)from, after - from, MADV_HUGEPAGE);
#else
    (void)bytes;
#endif
}

void *xcalloc(size_t count, size_t size_bytes)
{
    void *p = calloc(count == 0 ? 1 : count, size_bytes == 0 ? 1 : size_bytes);

    if (p == NULL)
        die_oom();
    return p;
}

void *xrealloc(void *p, size_t count, size_t size_bytes)
{
    size_t total = 0;

    if (__builtin_mul_overflow(count, size_bytes, &total))
        die_oom();
    void *grown = realloc(p, total == 0 ? 1 : total);

    if (grown == NULL)
        die_oom();
    return grown;
}

char *xstrdup(const char *text)
{
    return text == NULL ? NULL : xmemdup0(text, strlen(text));
}

char *xmemdup0(const void *p, size_t len)
{
    if (len == SIZE_MAX)
        die_oom();
    char *copy = xrealloc(NULL, len + 1, 1);

    if (len > 0)
        memcpy(copy, p, len);
    copy[len] = '\0';
    return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char small[256]; /* most texts fit: one look at the format, one allocation */
    va_list again;

    va_copy(again, ap);
    const int len = vsnprintf(small, sizeof(small), fmt, ap);
    char *text = NULL;

    if (len < 0 || ((size_t)len >= sizeof(small) && vasprintf(&text, fmt, again) < 0))
        die_oom();
    va_end(again);
    return text != NULL ? text : xmemdup0(small, (size_t)len);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);

    va_end(ap);
    return text;
}
