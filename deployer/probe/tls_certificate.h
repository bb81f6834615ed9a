/*
 * tls_certificate.h - what a peer's certificate says, as facts tls.*: chain, names, dates, verdict.
 */
#ifndef PROBE_TLS_CERTIFICATE_H
#define PROBE_TLS_CERTIFICATE_H

#include <stdbool.h>

#include <jansson.h>
#include <openssl/ssl.h>

struct tls_verdict {
    bool is_ok;
    const char *word; /* tls.verify; static */
    char text[256];
};

/* `check_name`: a name or an address literal; NULL: names are not compared. */
struct tls_verdict tls_certificate_record(json_t *evidence, SSL *ssl, const char *check_name);

#endif
