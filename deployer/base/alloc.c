#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void die_oom(void)
{
    static const char text[] = "deployer: out of memory\n";

    fwrite(text, 1, sizeof(text) - 1, stderr);
    abort();
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
