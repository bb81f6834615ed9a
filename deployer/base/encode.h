/*
 * encode.h - base64 (RFC 4648, both alphabets) and percent-encoding (RFC 3986), both ways, and hex.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stddef.h>

#include "base/buf.h"

/* With padding. */
void encode_base64(struct buf *out, const void *p, size_t len);
/* The URL alphabet, without padding. */
void encode_base64url(struct buf *out, const void *p, size_t len);
void encode_hex(struct buf *out, const void *p, size_t len);
/* All but RFC 3986's unreserved characters as %XX. */
void encode_percent(struct buf *out, struct str s);
/* Either alphabet, with or without padding; white space is not accepted. ERR_CONFIG else. */
MUST_CHECK struct err *decode_base64(struct str s, struct buf *out);
/* ERR_CONFIG for a % without two hex digits. A plus stays a plus. */
MUST_CHECK struct err *decode_percent(struct str s, struct buf *out);

#endif
