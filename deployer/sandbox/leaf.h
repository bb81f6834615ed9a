/*
 * leaf.h - server certificates for the names that Azure would present, signed by the sandbox's CA.
 */
#ifndef SANDBOX_LEAF_H
#define SANDBOX_LEAF_H

#include <sys/types.h>

#include "base/err.h"

struct leaf_request {
    const char *ca_cert, *ca_key; /* PEM files */
    const char *const *names;     /* NULL-terminated DNS names; the first is the subject too */
    const char *cert_path;        /* PEM, the CA's certificate behind it */
    const char *key_path;         /* PEM, mode 0600 */
};

/* An elliptic-curve key (P-256) and a certificate of one year. */
MUST_CHECK struct err *leaf_issue(const struct leaf_request *r);

#endif
