/*
 * secret.h - a value that can be sent and digested, never printed. Opaque and refcounted; the last
 * unref wipes it. There is no field to print and no cast to text: secret_reveal is the only way
 * to the bytes, and lint keeps the list of files that may call it (tests/lint.sh).
 * Every live secret is known to secret_scrub, the second net under logs and reports.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

struct secret;

/* Copies the bytes. */
MUST_CHECK struct secret *secret_new(struct str value);
struct secret *secret_ref(struct secret *s);
/* NULL is accepted. */
void secret_unref(struct secret *s);
/* Constant-time for equal lengths. */
bool secret_equal(const struct secret *a, const struct secret *b);
size_t secret_len(const struct secret *s);
/* The bytes, borrowed while the caller holds a reference; NUL behind them. */
struct str secret_reveal(const struct secret *s);
/*
 * Replaces every occurrence of a live secret of at least SECRET_SCRUB_MIN bytes by "(secret)".
 * Its percent-encoded and base64 forms are replaced too.
 */
void secret_scrub(struct buf *text);

#define SECRET_SCRUB_MIN 6u

static inline void auto_secret(struct secret **s)
{
    secret_unref(*s);
}

#endif
