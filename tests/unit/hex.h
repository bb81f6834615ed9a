/*
 * hex.h - bytes of a row, written as hexadecimal digits.
 */
#ifndef TESTS_UNIT_HEX_H
#define TESTS_UNIT_HEX_H

#include <string.h>

#include "base/buf.h"

static inline unsigned hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    if (at == NULL)
        fail_msg("'%c' is no hexadecimal digit", c);
    return at == NULL ? 0 : (unsigned)(at - digits);
}

/* A row is ours: what is no pair of digits fails the test. */
static inline void hex_bytes(const char *hex, struct buf *out)
{
    for (; *hex != '\0'; hex += 2)
        buf_add_char(out, (char)(unsigned char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1])));
}

#endif
