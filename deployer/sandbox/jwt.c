#include "sandbox/jwt.h"

#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"

static void add_json(struct buf *out, const json_t *j)
{
    char *text = jsonx_dump(j);

    encode_base64url(out, text, strlen(text));
    free(text);
}

char *jwt_make(const json_t *claims, struct str key)
{
    AUTO(buf) struct buf out = BUF_INIT(JWT_BYTES_MAX);
    unsigned char mac[DIGEST_SHA256_BYTES];
    json_auto_t *header = jsonx_must(
            json_pack("{s:s, s:s, s:s}", "alg", "HS256", "typ", "JWT", "kid", "sandbox"));

    add_json(&out, header);
    buf_add_char(&out, '.');
    add_json(&out, claims);
    digest_hmac_sha256(key, buf_str(&out), mac);
    buf_add_char(&out, '.');
    encode_base64url(&out, mac, sizeof(mac));
    return buf_take(&out);
}

static void release_json(void *j)
{
    json_decref(j);
}

static struct err *read_part(struct arena *arena, struct str part, json_t **ret)
{
    AUTO(buf) struct buf bytes = BUF_INIT(JWT_BYTES_MAX);
    json_t *j = NULL;

    TRY(decode_base64(part, &bytes));
    TRY(jsonx_load(buf_str(&bytes), "token", &j));
    arena_hook(arena, release_json, j);
    *ret = j;
    return NULL;
}

static struct err *read_parts(struct arena *arena, struct str text, struct jwt *ret)
{
    struct str rest = text;
    const struct str header = str_cut(&rest, '.');
    const struct str claims = rest.p == NULL ? rest : str_cut(&rest, '.');
    AUTO(buf) struct buf signature = BUF_INIT(JWT_BYTES_MAX);

    if (rest.p == NULL)
        return err_new(ERR_AUTH, 0, "it does not have three parts");
    TRY(read_part(arena, header, &ret->header));
    TRY(read_part(arena, claims, &ret->claims));
    TRY(decode_base64(rest, &signature));
    ret->signed_part = str_slice(text, 0, header.len + 1 + claims.len);
    ret->signature.p = arena_str(arena, buf_str(&signature));
    ret->signature.len = signature.len;
    return NULL;
}

struct err *jwt_read(struct arena *arena, const char *text, struct jwt *ret)
{
    *ret = (struct jwt){ 0 };
    if (strlen(text) > JWT_BYTES_MAX)
        return err_new(ERR_AUTH, 0, "the token is longer than %u bytes", JWT_BYTES_MAX);
    AUTO(err) struct err *e = read_parts(arena, str_of(text), ret);

    if (e != NULL)
        return err_new(ERR_AUTH, 0, "the token can't be read: %s", err_text(e));
    return NULL;
}

bool jwt_is_ours(const struct jwt *t, struct str key)
{
    unsigned char mac[DIGEST_SHA256_BYTES];

    if (!text_eq(jsonx_text(t->header, "alg"), "HS256") || t->signature.len != sizeof(mac))
        return false;
    digest_hmac_sha256(key, t->signed_part, mac);
    return CRYPTO_memcmp(mac, t->signature.p, sizeof(mac)) == 0;
}

static bool set_padding(EVP_PKEY_CTX *context, bool is_pss)
{
    if (EVP_PKEY_CTX_set_rsa_padding(context, is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING)
            <= 0)
        return false;
    return !is_pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

bool jwt_is_signed_by(const struct jwt *t, EVP_PKEY *key)
{
    const char *alg = jsonx_text(t->header, "alg");
    const bool is_pss = text_eq(alg, "PS256");
    EVP_PKEY_CTX *context = NULL;

    if ((!is_pss && !text_eq(alg, "RS256")) || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        return false;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const bool ok = md != NULL && EVP_DigestVerifyInit(md, &context, EVP_sha256(), NULL, key) == 1
                    && set_padding(context, is_pss)
                    && EVP_DigestVerify(md, (const unsigned char *)t->signature.p, t->signature.len,
                               (const unsigned char *)t->signed_part.p, t->signed_part.len)
                               == 1;

    EVP_MD_CTX_free(md);
    return ok;
}
