#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void move_to(struct buf *b, size_t capacity)
{
    if (!b->is_secret) {
        b->p = xrealloc(b->p, capacity, 1);
    } else {
        char *fresh = xcalloc(capacity, 1);

        if (b->len > 0)
            memcpy(fresh, b->p, b->len);
        if (b->p != NULL)
            explicit_bzero(b->p, b->capacity);
        free(b->p);
        b->p = fresh;
    }
    b->capacity = capacity;
}

/* Makes room for `more` bytes and the NUL; returns how many of them fit under the cap. */
static size_t reserve(struct buf *b, size_t more)
{
    const size_t room = b->max_bytes > b->len ? b->max_bytes - b->len : 0;
    const size_t fit = more < room ? more : room;

    if (fit < more)
        b->is_overflown = true;
    if (b->len + fit + 1 > b->capacity) {
        size_t want = b->capacity < 32 ? 64 : b->capacity * 2;

        if (want < b->len + fit + 1)
            want = b->len + fit + 1;
        move_to(b, want);
    }
    return fit;
}

void buf_add(struct buf *b, const void *p, size_t len)
{
    const size_t fit = reserve(b, len);

    if (fit > 0)
        memcpy(b->p + b->len, p, fit);
    b->len += fit;
    b->p[b->len] = '\0';
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.len);
}

void buf_add_text(struct buf *b, const char *text)
{
    if (text != NULL)
        buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);

    va_end(ap);
    buf_add_text(b, text);
    if (b->is_secret)
        explicit_bzero(text, strlen(text));
    free(text);
}

void buf_clear(struct buf *b)
{
    buf_truncate(b, 0);
    b->is_overflown = false;
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len > b->len || b->p == NULL)
        return;
    if (b->is_secret)
        explicit_bzero(b->p + len, b->len - len);
    b->len = len;
    b->p[len] = '\0';
}

void buf_consume(struct buf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    if (len == 0)
        return;
    memmove(b->p, b->p + len, b->len - len);
    buf_truncate(b, b->len - len);
}

void buf_release(struct buf *b)
{
    if (b->is_secret && b->p != NULL)
        explicit_bzero(b->p, b->capacity);
    free(b->p);
    *b = (struct buf){ .max_bytes = b->max_bytes, .is_secret = b->is_secret };
}

struct err *buf_check(const struct buf *b, const char *what)
{
    if (!b->is_overflown)
        return NULL;
    return err_new(ERR_LIMIT, 0, "%s exceeds %zu bytes", what, b->max_bytes);
}

const char *buf_text(const struct buf *b)
{
    return b->p == NULL ? "" : b->p;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){ .p = buf_text(b), .len = b->len };
}

char *buf_take(struct buf *b)
{
    char *p = b->p == NULL ? xmemdup0("", 0) : b->p;

    *b = (struct buf){ .max_bytes = b->max_bytes, .is_secret = b->is_secret };
    return p;
}
