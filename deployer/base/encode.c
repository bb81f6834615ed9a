#include "base/encode.h"

#include <ctype.h>
#include <stdint.h>

static const char hex_digits[] = "0123456789abcdef";

static void add_base64(
        struct buf *out, const unsigned char *p, size_t len, const char *alphabet, bool is_padded)
{
    for (size_t i = 0; i < len; i += 3) {
        const size_t n = len - i < 3 ? len - i : 3;
        const uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0)
                           | (n > 2 ? (uint32_t)p[i + 2] : 0);

        for (size_t k = 0; k < 4; k++) {
            if (k <= n)
                buf_add_char(out, alphabet[v >> (18 - 6 * k) & 63]);
            else if (is_padded)
                buf_add_char(out, '=');
        }
    }
}

void encode_base64(struct buf *out, const void *p, size_t len)
{
    add_base64(
            out, p, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

void encode_base64url(struct buf *out, const void *p, size_t len)
{
    add_base64(
            out, p, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

void encode_hex(struct buf *out, const void *p, size_t len)
{
    const unsigned char *bytes = p;

    for (size_t i = 0; i < len; i++) {
        buf_add_char(out, hex_digits[bytes[i] >> 4]);
        buf_add_char(out, hex_digits[bytes[i] & 15]);
    }
}

void encode_percent(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.p[i];

        if (c < 128 && (isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~'))
            buf_add_char(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

struct err *decode_base64(struct str s, struct buf *out)
{
    uint32_t bits = 0;
    unsigned n = 0;

    const size_t padded_len = s.len;

    while (s.len > 0 && s.p[s.len - 1] == '=')
        s.len--;
    if (s.len != padded_len && (padded_len % 4 != 0 || padded_len - s.len > 2))
        return err_new(ERR_CONFIG, 0,
                "base64: %zu '=' at the end of %zu characters are too many or too few",
                padded_len - s.len, s.len);
    if (s.len % 4 == 1)
        return err_new(
                ERR_CONFIG, 0, "base64: %zu characters can't be all: the text is cut off", s.len);
    for (size_t i = 0; i < s.len; i++) {
        const int v = base64_value(s.p[i]);

        if (v < 0)
            return err_new(ERR_CONFIG, 0,
                    "base64: byte 0x%02x at offset %zu is none of its characters",
                    (unsigned)(unsigned char)s.p[i], i);
        bits = bits << 6 | (uint32_t)v;
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_add_char(out, (char)(unsigned char)(bits >> n & 0xff));
        }
    }
    return NULL;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct err *decode_percent(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '%') {
            buf_add_char(out, s.p[i]);
            continue;
        }
        const int high = s.len - i > 2 ? hex_value(s.p[i + 1]) : -1;
        const int low = s.len - i > 2 ? hex_value(s.p[i + 2]) : -1;

        if (high < 0 || low < 0)
            return err_new(
                    ERR_CONFIG, 0, "'%%' at offset %zu is not followed by two hex digits", i);
        buf_add_char(out, (char)(unsigned char)(high << 4 | low));
        i += 2;
    }
    return NULL;
}
