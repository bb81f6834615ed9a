/*
 * digest.h - hashes, key derivation, random bytes and UUIDs, all by OpenSSL.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/str.h"

#define DIGEST_SHA256_BYTES 32u
#define DIGEST_HEX_SIZE (DIGEST_SHA256_BYTES * 2 + 1)

void digest_sha256(struct str data, unsigned char ret[DIGEST_SHA256_BYTES]);
/* As lower-case hex with a NUL. */
void digest_sha256_hex(struct str data, char ret[DIGEST_HEX_SIZE]);
void digest_hmac_sha256(struct str key, struct str data, unsigned char ret[DIGEST_SHA256_BYTES]);
/*
 * A salted digest of a secret for the state: "scrypt:" and 64 hex digits (scrypt, N=8192, r=8,
 * p=1; RFC 7914). About 25 ms: callers keep the answer. Owned.
 */
MUST_CHECK char *digest_secret(const struct secret *s, struct str salt);
/* Cryptographic randomness; aborts when there is none. */
void digest_random(void *p, size_t len);
/* `len` characters drawn evenly from `alphabet`. Owned; wipe it where it is a secret. */
MUST_CHECK char *digest_random_text(const char *alphabet, size_t len);
#define DIGEST_UUID_SIZE 37
/* Version 4 (RFC 9562). */
void digest_uuid4(char ret[DIGEST_UUID_SIZE]);
/* Version 5 in the URL namespace. */
void digest_uuid5(struct str name, char ret[DIGEST_UUID_SIZE]);

#endif
