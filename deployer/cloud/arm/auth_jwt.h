/*
 * auth_jwt.h - a client assertion signed with a certificate's key (RFC 7523, PS256 with x5t#S256 as
 * Entra wants it). Pure but for OpenSSL's randomness of the signature.
 */
#ifndef ARM_AUTH_JWT_H
#define ARM_AUTH_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct auth_jwt {
    const char *audience;  /* the token endpoint */
    const char *client_id; /* iss and sub */
    const char *id;        /* jti */
    int64_t now_s;         /* nbf; exp is ten minutes on */
    bool has_chain;        /* x5c: for trust by subject name and issuer */
};

/*
 * `pem` holds the certificate (the first is the client's) and its RSA key, which `password` (or
 * NULL) opens. Owned in *ret.
 * Errors: ERR_CONFIG for what is missing or unusable in the file.
 */
MUST_CHECK struct err *auth_jwt_sign(
        struct str pem, struct str password, const struct auth_jwt *jwt, struct secret **ret);

#endif
