/*
 * pem.h - keys and certificates of a test, as the text that a file of theirs has.
 */
#ifndef TESTS_UNIT_PEM_H
#define TESTS_UNIT_PEM_H

#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/alloc.h"

/* The bytes of the BIO, which is freed. Owned. */
static inline char *pem_text(BIO *bio)
{
    char *p = NULL;
    const long n = BIO_get_mem_data(bio, &p);
    char *text = xmemdup0(p, (size_t)n);

    BIO_free(bio);
    return text;
}

/* PKCS#8; `password` may be NULL. Owned. */
static inline char *pem_of_key(EVP_PKEY *key, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PKCS8PrivateKey(bio, key, password == NULL ? NULL : EVP_aes_256_cbc(), password,
            password == NULL ? 0 : (int)strlen(password), NULL, NULL);
    return pem_text(bio);
}

/* Self-signed, of one hour. Owned. */
static inline char *pem_of_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());

    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_sign(x, key, EVP_sha256());
    PEM_write_bio_X509(bio, x);
    X509_free(x);
    return pem_text(bio);
}

#endif
