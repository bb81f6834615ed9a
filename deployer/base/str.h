/*
 * str.h - a borrowed piece of text: pointer and length, not necessarily NUL-terminated.
 * Owns nothing; lives as long as the bytes it points to.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

struct str {
    const char *p;
    size_t len;
};

#define STR(literal) ((struct str){ .p = (literal), .len = sizeof(literal) - 1 })
/* For "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).p

/* Borrows a NUL-terminated text; NULL gives the empty str. */
static inline struct str str_of(const char *text)
{
    return (struct str){ .p = text == NULL ? "" : text, .len = text == NULL ? 0 : strlen(text) };
}

bool str_eq(struct str a, struct str b);
/* Equal but for the case of ASCII letters. */
bool str_eq_ci(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_ci(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_ends_ci(struct str s, struct str suffix);
/* Where `needle` begins in `s`, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);
/* The part from `from` to before `to`, both cut to the length. */
struct str str_slice(struct str s, size_t from, size_t to);
/*
 * Cuts `*rest` at the first `sep`: returns what is before it and moves *rest behind it. Without a
 * `sep` returns everything and leaves *rest empty with a NULL pointer.
 */
struct str str_cut(struct str *rest, char sep);
/* A NUL-terminated copy; free() it. */
MUST_CHECK char *str_dup(struct str s);
/* -1, 0, 1 as strcmp(3). */
int str_cmp(struct str a, struct str b);

static inline bool text_eq(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

#endif
