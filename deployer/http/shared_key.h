/*
 * shared_key.h - signs requests to blob storage with an account's key. Pure.
 * Spec: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
#ifndef HTTP_SHARED_KEY_H
#define HTTP_SHARED_KEY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#define SHARED_KEY_HEADERS_MAX 24u

struct shared_key_header {
    const char *name; /* lower case */
    const char *value;
};

struct shared_key_request {
    const char *account;
    const struct secret *key; /* base64, as listKeys gives it */
    const char *method;       /* "PUT" */
    /*
     * The path of the URL, percent-encoded as sent: "/container/blob"; where the account stands in
     * the path (an emulator on an address) it is part of it: "/account/container/blob".
     */
    const char *path;
    const char *query; /* "restype=container&comp=list", "" */
    /* All x-ms-* headers, and of the others content-length ("" for 0), content-type, if-match ...
     */
    struct shared_key_header headers[SHARED_KEY_HEADERS_MAX];
    size_t header_count;
};

/*
 * Adds "SharedKey ACCOUNT:SIGNATURE" to `out`, for the Authorization header.
 * Errors: ERR_CONFIG the key is not base64.
 */
MUST_CHECK struct err *shared_key_sign(const struct shared_key_request *r, struct buf *out);

#endif
