#include "sandbox/tls.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"

#define CERTIFICATE_DAYS 3650

static void auto_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void auto_cert(X509 **cert)
{
    X509_free(*cert);
}

static void auto_bio(BIO **bio)
{
    BIO_free(*bio);
}

static struct err *failed(const char *what)
{
    return err_new(ERR_INTERNAL, 0, "OpenSSL: %s failed", what);
}

struct cert_request {
    const char *common_name;
    const char *alt_names; /* or NULL */
    bool is_authority;
    X509 *issuer; /* NULL: signed by itself */
    EVP_PKEY *issuer_key;
};

static void set_serial(X509 *cert)
{
    unsigned char bytes[16];

    digest_random(bytes, sizeof(bytes));
    bytes[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);

    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);

    if (extension == NULL)
        return false;
    const bool ok = X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_extensions(X509 *cert, const struct cert_request *q)
{
    X509 *issuer = q->issuer == NULL ? cert : q->issuer;
    bool ok = add_extension(cert, issuer, NID_subject_key_identifier, "hash")
              && add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always");

    if (q->is_authority)
        return ok && add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE")
               && add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    ok = ok && add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE")
         && add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    return ok
           && (q->alt_names == NULL
                   || add_extension(cert, issuer, NID_subject_alt_name, q->alt_names));
}

static struct err *make_cert(const struct cert_request *q, EVP_PKEY *key, X509 **ret)
{
    AUTO(cert) X509 *cert = X509_new();

    if (cert == NULL)
        die_oom();
    X509_set_version(cert, 2);
    set_serial(cert);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * CERTIFICATE_DAYS);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
            (const unsigned char *)q->common_name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(q->issuer == NULL ? cert : q->issuer));
    if (!add_extensions(cert, q))
        return failed("an extension");
    if (X509_sign(cert, q->issuer_key == NULL ? key : q->issuer_key, EVP_sha256()) == 0)
        return failed("signing");
    *ret = TAKE(cert);
    return NULL;
}

static struct err *write_bio(BIO *bio, const char *path, mode_t mode)
{
    char *data = NULL;
    const long len = BIO_get_mem_data(bio, &data);

    return file_write(path, (struct str){ data, (size_t)len }, mode);
}

/* Key, certificate or both into one PEM file. */
static struct err *write_pem(const char *path, EVP_PKEY *key, X509 *cert)
{
    AUTO(bio) BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL)
        die_oom();
    if (key != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return failed("writing a key");
    if (cert != NULL && PEM_write_bio_X509(bio, cert) != 1)
        return failed("writing a certificate");
    return write_bio(bio, path, key != NULL ? 0600 : 0644);
}

static struct err *read_pem(const char *path, EVP_PKEY **key, X509 **cert)
{
    AUTO(buf) struct buf text = BUF_INIT(65536);

    TRY(file_read(path, 65536, &text));
    AUTO(bio) BIO *bio = BIO_new_mem_buf(buf_text(&text), (int)text.len);

    if (key != NULL)
        *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    else
        *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    return (key != NULL ? (void *)*key : (void *)*cert) == NULL
                   ? err_new(ERR_CONFIG, 0, "%s: not readable as PEM", path)
                   : NULL;
}

static struct err *make_authority(const char *cert_path, const char *key_path)
{
    AUTO(key) EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO(cert) X509 *cert = NULL;
    const struct cert_request q = { .common_name = "deployer sandbox CA", .is_authority = true };

    if (key == NULL)
        return failed("making a key");
    TRY(make_cert(&q, key, &cert));
    TRY(write_pem(key_path, key, NULL));
    return write_pem(cert_path, NULL, cert);
}

/* Whether there is a certificate with all names that ours have today. */
static bool is_complete(const char *path)
{
    AUTO(cert) X509 *cert = NULL;

    if (!file_exists(path))
        return false;
    err_ignore(read_pem(path, NULL, &cert), "a new one is made");
    return cert != NULL && X509_check_host(cert, "a.vault.localhost", 0, 0, NULL) == 1;
}

static struct err *make_server(const char *dir, const char *ca_cert, const char *ca_key)
{
    AUTO(free) char *cert_path = file_join(dir, "server.pem");
    AUTO(free) char *key_path = file_join(dir, "server-key.pem");
    AUTO(key) EVP_PKEY *authority_key = NULL;
    AUTO(cert) X509 *authority = NULL;
    AUTO(cert) X509 *cert = NULL;

    if (file_exists(key_path) && is_complete(cert_path))
        return NULL;
    AUTO(key) EVP_PKEY *key = EVP_EC_gen("P-256");

    if (key == NULL)
        return failed("making a key");
    TRY(read_pem(ca_cert, NULL, &authority));
    TRY(read_pem(ca_key, &authority_key, NULL));
    const struct cert_request q = {
        .common_name = "localhost",
        .alt_names = "DNS:localhost,DNS:*.vault.localhost,IP:127.0.0.1,IP:::1",
        .issuer = authority,
        .issuer_key = authority_key,
    };

    TRY(make_cert(&q, key, &cert));
    TRY(write_pem(key_path, key, NULL));
    return write_pem(cert_path, NULL, cert);
}

static struct err *make_client(const char *dir)
{
    AUTO(free) char *path = file_join(dir, "client.pem");
    AUTO(cert) X509 *cert = NULL;
    const struct cert_request q = { .common_name = "deployer sandbox client" };

    if (file_exists(path))
        return NULL;
    AUTO(key) EVP_PKEY *key = EVP_RSA_gen(2048);

    if (key == NULL)
        return failed("making a key");
    TRY(make_cert(&q, key, &cert));
    return write_pem(path, key, cert);
}

struct err *tls_prepare(const char *dir)
{
    AUTO(free) char *ca_cert = file_join(dir, "ca.pem");
    AUTO(free) char *ca_key = file_join(dir, "ca-key.pem");

    if (!file_exists(ca_cert) || !file_exists(ca_key))
        TRY(make_authority(ca_cert, ca_key));
    TRY(make_server(dir, ca_cert, ca_key));
    return make_client(dir);
}
