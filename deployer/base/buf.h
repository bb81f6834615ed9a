/*
 * buf.h - an owned, growing run of bytes with a cap; always NUL-terminated behind its length.
 * Going over the cap sets a sticky flag and drops what came too much: build freely, then ask
 * buf_check once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p; /* never NULL once something was added; use buf_text */
    size_t len;
    size_t capacity;
    size_t max_bytes;
    bool is_overflown;
    bool is_secret; /* old memory is wiped when it grows or goes */
};

/* The cap of buffers that hold our own short texts. */
#define BUF_TEXT_MAX (16u << 20)
#define BUF_INIT(cap)                                                                              \
    {                                                                                              \
        .max_bytes = (cap)                                                                         \
    }

void buf_add(struct buf *b, const void *p, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Forgets the content, keeps memory and cap. */
void buf_clear(struct buf *b);
/* Cuts to `len` bytes. */
void buf_truncate(struct buf *b, size_t len);
/* Removes `len` bytes from the front. */
void buf_consume(struct buf *b, size_t len);
void buf_release(struct buf *b);
/* ERR_LIMIT "WHAT exceeds N bytes" if anything was dropped. */
MUST_CHECK struct err *buf_check(const struct buf *b, const char *what);
/* Borrowed until the next change; "" when empty. */
const char *buf_text(const struct buf *b);
struct str buf_str(const struct buf *b);
/* Hands the memory over; free() it. The buffer is empty afterwards. */
MUST_CHECK char *buf_take(struct buf *b);

static inline void auto_buf(struct buf *b)
{
    buf_release(b);
}

#endif
