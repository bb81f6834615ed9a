#include "sandbox/leaf.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"

#define PEM_MAX (64u << 10)
#define VALID_S (365L * 24 * 3600)
/* RFC 5280, ub-common-name. */
#define SUBJECT_MAX 64

struct work {
    X509 *ca;
    EVP_PKEY *ca_key;
    X509 *cert;
    EVP_PKEY *key;
};

static void auto_work(struct work *w)
{
    X509_free(w->ca);
    X509_free(w->cert);
    EVP_PKEY_free(w->ca_key);
    EVP_PKEY_free(w->key);
}

static void auto_bio(BIO **b)
{
    BIO_free_all(*b);
}

static struct err *tls_err(const char *what)
{
    char text[256] = "";
    const unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_new(ERR_INTERNAL, 0, "certificate: %s: %s", what, text);
}

static struct err *load_ca(const struct leaf_request *r, struct work *w)
{
    AUTO(bio) BIO *cert = BIO_new_file(r->ca_cert, "r");
    AUTO(bio) BIO *key = BIO_new_file(r->ca_key, "r");

    if (cert == NULL || key == NULL)
        return tls_err(r->ca_cert);
    w->ca = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    w->ca_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    return w->ca == NULL || w->ca_key == NULL ? tls_err(r->ca_cert) : NULL;
}

static struct err *add_extension(struct work *w, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, w->ca, w->cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    const bool ok = ext != NULL && X509_add_ext(w->cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok ? NULL : tls_err(value);
}

static struct err *set_names(const struct leaf_request *r, struct work *w)
{
    AUTO(buf) struct buf alt = BUF_INIT(PEM_MAX);
    X509_NAME *subject = X509_get_subject_name(w->cert);
    const char *first = r->names[0];

    for (size_t i = 0; r->names[i] != NULL; i++)
        buf_addf(&alt, "%sDNS:%s", i == 0 ? "" : ",", r->names[i]);
    if (strlen(first) <= SUBJECT_MAX
            && X509_NAME_add_entry_by_txt(
                       subject, "CN", MBSTRING_UTF8, (const unsigned char *)first, -1, -1, 0)
                       != 1)
        return tls_err(first);
    TRY(add_extension(w, NID_subject_alt_name, buf_text(&alt)));
    TRY(add_extension(w, NID_basic_constraints, "critical,CA:FALSE"));
    TRY(add_extension(w, NID_key_usage, "critical,digitalSignature"));
    TRY(add_extension(w, NID_ext_key_usage, "serverAuth"));
    TRY(add_extension(w, NID_subject_key_identifier, "hash"));
    return add_extension(w, NID_authority_key_identifier, "keyid");
}

static struct err *make_cert(const struct leaf_request *r, struct work *w)
{
    uint64_t serial = 0;

    digest_random(&serial, sizeof(serial));
    w->key = EVP_EC_gen("P-256");
    w->cert = X509_new();
    if (w->key == NULL || w->cert == NULL)
        return tls_err("key");
    /* Yesterday: a client whose clock is a little behind still accepts it. */
    if (X509_set_version(w->cert, X509_VERSION_3) != 1
            || ASN1_INTEGER_set_uint64(X509_get_serialNumber(w->cert), serial >> 1) != 1
            || X509_gmtime_adj(X509_getm_notBefore(w->cert), -24L * 3600) == NULL
            || X509_gmtime_adj(X509_getm_notAfter(w->cert), VALID_S) == NULL
            || X509_set_issuer_name(w->cert, X509_get_subject_name(w->ca)) != 1
            || X509_set_pubkey(w->cert, w->key) != 1)
        return tls_err("fields");
    TRY(set_names(r, w));
    return X509_sign(w->cert, w->ca_key, EVP_sha256()) > 0 ? NULL : tls_err("signature");
}

static struct err *write_pem(BIO *bio, const char *path, mode_t mode)
{
    char *data = NULL;
    const long len = BIO_get_mem_data(bio, &data);

    return file_write(path, (struct str){ data, (size_t)len }, mode);
}

struct err *leaf_issue(const struct leaf_request *r)
{
    AUTO(work) struct work w = { 0 };
    AUTO(bio) BIO *cert = BIO_new(BIO_s_mem());
    AUTO(bio) BIO *key = BIO_new(BIO_s_mem());

    TRY(load_ca(r, &w));
    TRY(make_cert(r, &w));
    if (PEM_write_bio_X509(cert, w.cert) != 1 || PEM_write_bio_X509(cert, w.ca) != 1
            || PEM_write_bio_PrivateKey(key, w.key, NULL, NULL, 0, NULL, NULL) != 1)
        return tls_err("PEM");
    TRY(write_pem(key, r->key_path, 0600));
    return write_pem(cert, r->cert_path, 0644);
}
