/*
 * jwt.h - JSON Web Tokens: our own (HS256) made and checked, others' (RS256, PS256) checked
 * against a public key. RFC 7519, RFC 7515.
 */
#ifndef SANDBOX_JWT_H
#define SANDBOX_JWT_H

#include <jansson.h>
#include <openssl/evp.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define JWT_BYTES_MAX 16384u

struct jwt {
    json_t *header; /* in the arena */
    json_t *claims;
    struct str signed_part;
    struct str signature; /* decoded */
};

/* Signs `claims` (borrowed). Owned text. */
MUST_CHECK char *jwt_make(const json_t *claims, struct str key);
/* Splits and decodes; nothing is checked. ERR_AUTH for what is no token. */
MUST_CHECK struct err *jwt_read(struct arena *arena, const char *text, struct jwt *ret);
/* Whether it is our own with a good signature. */
bool jwt_is_ours(const struct jwt *t, struct str key);
/* Whether the key signed it; the header's alg must be RS256 or PS256. */
bool jwt_is_signed_by(const struct jwt *t, EVP_PKEY *key);

#endif
