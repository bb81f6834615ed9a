#include "cloud/arm/auth_jwt.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"

#define CHAIN_MAX 10
#define LIFE_S 600

struct signer {
    EVP_PKEY *key;
    X509 *chain[CHAIN_MAX];
    size_t count;
};

static void signer_release(struct signer *s)
{
    EVP_PKEY_free(s->key);
    for (size_t i = 0; i < s->count; i++)
        X509_free(s->chain[i]);
    ERR_clear_error();
}

static int give_password(char *into, int size, int is_writing, void *arg)
{
    const struct str *password = arg;

    (void)is_writing;
    if (password->len == 0 || password->len > (size_t)size)
        return -1;
    memcpy(into, password->p, password->len);
    return (int)password->len;
}

static BIO *reader(struct str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);

    if (bio == NULL)
        die_oom();
    return bio;
}

static struct err *load(struct str pem, struct str password, struct signer *ret)
{
    BIO *bio = reader(pem);

    ret->key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &password);
    BIO_free(bio);
    if (ret->key == NULL)
        return err_new(ERR_CONFIG, 0, "the file holds no private key in PEM%s",
                password.len == 0 ? " that opens without a password" : " that the password opens");
    bio = reader(pem);
    while (ret->count < CHAIN_MAX) {
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x == NULL)
            break;
        ret->chain[ret->count++] = x;
    }
    BIO_free(bio);
    if (ret->count == 0)
        return err_new(ERR_CONFIG, 0, "the file holds no certificate in PEM beside its key");
    if (EVP_PKEY_base_id(ret->key) != EVP_PKEY_RSA)
        return err_new(ERR_CONFIG, 0, "the key is no RSA key: Entra takes no other");
    if (X509_check_private_key(ret->chain[0], ret->key) != 1)
        return err_new(ERR_CONFIG, 0, "the first certificate and the key don't belong together");
    return NULL;
}

static void add_der(struct buf *out, X509 *x, void (*add)(struct buf *, const void *, size_t))
{
    unsigned char *der = NULL;
    const int len = i2d_X509(x, &der);

    if (len < 0)
        die_oom();
    add(out, der, (size_t)len);
    OPENSSL_free(der);
}

static json_t *header(const struct signer *s, bool has_chain)
{
    AUTO(buf) struct buf der = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf print = BUF_INIT(BUF_TEXT_MAX);
    unsigned char sha[DIGEST_SHA256_BYTES];

    add_der(&der, s->chain[0], buf_add);
    digest_sha256(buf_str(&der), sha);
    encode_base64url(&print, sha, sizeof(sha));
    json_t *h = jsonx_must(json_pack(
            "{s:s, s:s, s:s}", "alg", "PS256", "typ", "JWT", "x5t#S256", buf_text(&print)));

    if (has_chain) {
        json_t *chain = jsonx_must(json_array());

        for (size_t i = 0; i < s->count; i++) {
            AUTO(buf) struct buf one = BUF_INIT(BUF_TEXT_MAX);

            add_der(&one, s->chain[i], encode_base64);
            json_array_append_new(chain, json_string(buf_text(&one)));
        }
        json_object_set_new(h, "x5c", chain);
    }
    return h;
}

static json_t *claims(const struct auth_jwt *jwt)
{
    return jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "aud", jwt->audience, "iss",
            jwt->client_id, "sub", jwt->client_id, "jti", jwt->id, "nbf", (json_int_t)jwt->now_s,
            "exp", (json_int_t)jwt->now_s + LIFE_S));
}

static void add_part(struct buf *out, json_t *part)
{
    AUTO(free) char *text = jsonx_dump(part);

    encode_base64url(out, text, strlen(text));
    json_decref(part);
}

static struct err *sign(EVP_PKEY *key, struct str data, struct buf *out)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    unsigned char signature[1024];
    size_t len = sizeof(signature);
    const bool ok =
            md != NULL && EVP_DigestSignInit(md, &pctx, EVP_sha256(), NULL, key) == 1
            && EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
            && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1
            && EVP_DigestSign(md, signature, &len, (const unsigned char *)data.p, data.len) == 1;

    EVP_MD_CTX_free(md);
    if (!ok)
        return err_new(ERR_CONFIG, 0,
                "the key of %d bits can't sign with PS256: Entra takes keys of 2048 bits and more",
                EVP_PKEY_bits(key));
    encode_base64url(out, signature, len);
    return NULL;
}

struct err *auth_jwt_sign(
        struct str pem, struct str password, const struct auth_jwt *jwt, struct secret **ret)
{
    struct signer s = { 0 };
    AUTO(buf) struct buf text = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf signature = BUF_INIT(4096);
    struct err *e = load(pem, password, &s);

    if (e == NULL) {
        add_part(&text, header(&s, jwt->has_chain));
        buf_add_char(&text, '.');
        add_part(&text, claims(jwt));
        e = sign(s.key, buf_str(&text), &signature);
    }
    signer_release(&s);
    if (e != NULL)
        return e;
    buf_add_char(&text, '.');
    buf_add_str(&text, buf_str(&signature));
    *ret = secret_new(buf_str(&text));
    return NULL;
}
