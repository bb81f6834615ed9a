#include "sandbox/assertion.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "sandbox/jwt.h"

#define CLOCK_SKEW_S 300

static struct err *aad(const char *number, const char *text)
{
    struct err *e = err_new(ERR_AUTH, 401, "%s", text);

    err_set_api(e, number, NULL);
    return e;
}

static void auto_cert(X509 **cert)
{
    X509_free(*cert);
}

static void auto_pkey(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static X509 *load_cert(const char *path)
{
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return NULL;
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);

    fclose(f);
    return cert;
}

static bool same_digest(const char *claimed, const X509 *cert, const EVP_MD *md)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    AUTO(buf) struct buf bytes = BUF_INIT(256);

    if (claimed == NULL || X509_digest(cert, md, digest, &len) != 1)
        return false;
    AUTO(err) struct err *e = decode_base64(str_of(claimed), &bytes);

    return e == NULL && bytes.len == len && memcmp(bytes.p, digest, len) == 0;
}

static bool names_cert(const struct jwt *t, const X509 *cert)
{
    const char *sha256 = jsonx_text(t->header, "x5t#S256");

    return sha256 != NULL ? same_digest(sha256, cert, EVP_sha256())
                          : same_digest(jsonx_text(t->header, "x5t"), cert, EVP_sha1());
}

static struct err *check_times(const struct jwt *t)
{
    const int64_t now_s = clock_wall_ms() / 1000;
    const int64_t exp = jsonx_int(t->claims, "exp", 0);
    const int64_t nbf = jsonx_int(t->claims, "nbf", 0);

    if (exp + CLOCK_SKEW_S < now_s || nbf > now_s + CLOCK_SKEW_S)
        return aad("700024", "Client assertion is not within its valid time range.");
    return NULL;
}

static bool audience_is(const struct jwt *t, const char *wanted)
{
    const json_t *aud = json_object_get(t->claims, "aud");
    size_t i = 0;
    json_t *one = NULL;

    if (json_is_string(aud))
        return strcasecmp(json_string_value(aud), wanted) == 0;
    json_array_foreach ((json_t *)(uintptr_t)aud, i, one) {
        if (json_is_string(one) && strcasecmp(json_string_value(one), wanted) == 0)
            return true;
    }
    return false;
}

static bool audience_is_authority(const struct assertion_request *q, const struct jwt *t)
{
    static const char *const tails[] = { "/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "", "/" };

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        if (audience_is(t, arena_printf(q->arena, "%s%s", q->authority, tails[i])))
            return true;
    }
    return false;
}

static struct err *check_certificate(
        const struct assertion_request *q, const struct jwt *t, const X509 *cert)
{
    AUTO(pkey) EVP_PKEY *key = X509_get_pubkey((X509 *)(uintptr_t)cert);

    if (key == NULL || !jwt_is_signed_by(t, key))
        return aad("700027", "Client assertion failed signature validation.");
    TRY(check_times(t));
    if (!audience_is_authority(q, t))
        return aad("700023",
                "Client assertion audience claim does not match Realm issuer: it must be the token "
                "endpoint.");
    if (!text_eq(jsonx_text(t->claims, "sub"), q->client_id)
            || !text_eq(jsonx_text(t->claims, "iss"), q->client_id))
        return aad("700021",
                "Client assertion application identifier doesn't match 'client_id' parameter.");
    return NULL;
}

/* Further logins; an empty object when there is no such file. */
static json_t *load_logins(const struct assertion_request *q)
{
    AUTO(free) char *path = file_join(q->dir, "logins.yaml");
    AUTO(diag) struct diag_list diags;
    struct doc_node *root = NULL;

    diag_init(&diags, q->arena);
    if (!file_exists(path))
        return jsonx_must(json_object());
    AUTO(err) struct err *e = doc_load(q->arena, path, &diags, &root);

    if (e != NULL || root == NULL || diags.errors > 0)
        return jsonx_must(json_object());
    return doc_json(root, "", &diags);
}

/* The registered certificate that the header names, or NULL. */
static X509 *find_certificate(
        const struct assertion_request *q, const struct jwt *t, const json_t *logins)
{
    AUTO(free) char *own = file_join(q->dir, "client.pem");
    X509 *cert = load_cert(own);
    size_t i = 0;
    json_t *one = NULL;

    if (cert != NULL && names_cert(t, cert))
        return cert;
    X509_free(cert);
    json_array_foreach (json_object_get(logins, "certificates"), i, one) {
        AUTO(free)
        char *path = file_join(q->dir, json_is_string(one) ? json_string_value(one) : "");

        cert = load_cert(path);
        if (cert != NULL && names_cert(t, cert))
            return cert;
        X509_free(cert);
    }
    return NULL;
}

static bool is_federated(const struct jwt *t, const json_t *credential)
{
    const char *issuer = jsonx_text(credential, "issuer");
    const char *subject = jsonx_text(credential, "subject");

    return text_eq(jsonx_text(t->claims, "iss"), issuer)
           && text_eq(jsonx_text(t->claims, "sub"), subject);
}

static struct err *check_federated(
        const struct assertion_request *q, const struct jwt *t, const json_t *credential)
{
    const char *audience = jsonx_text(credential, "audience");
    const char *key_file = jsonx_text(credential, "key");

    if (audience == NULL)
        audience = json_string_value(json_array_get(json_object_get(credential, "audiences"), 0));
    if (!audience_is(t, audience == NULL ? "api://AzureADTokenExchange" : audience))
        return aad("700212", "No matching federated identity record found for presented assertion "
                             "audience.");
    TRY(check_times(t));
    if (key_file == NULL)
        return NULL;
    AUTO(free) char *path = file_join(q->dir, key_file);
    FILE *f = fopen(path, "re");
    AUTO(pkey) EVP_PKEY *key = f == NULL ? NULL : PEM_read_PUBKEY(f, NULL, NULL, NULL);

    if (f != NULL)
        fclose(f);
    if (key == NULL || !jwt_is_signed_by(t, key))
        return aad("700027", "Client assertion failed signature validation.");
    return NULL;
}

/* The federated credential, of logins.yaml or of an identity in the store, or NULL. */
static const json_t *find_federated(
        const struct assertion_request *q, const struct jwt *t, const json_t *logins)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (json_object_get(logins, "federated"), i, one) {
        if (text_eq(q->client_id, q->own_client_id) && is_federated(t, one))
            return one;
    }
    for (i = 0; i < q->store->count; i++) {
        const struct resource *r = q->store->items[i];
        const char *client = json_string_value(jsonx_at(r->made, "properties.clientId"));
        size_t from = 0;
        size_t to = 0;

        if (!text_eq(client, q->client_id))
            continue;
        store_below(q->store, r->key, &from, &to);
        for (size_t k = from; k < to; k++) {
            const json_t *credential = json_object_get(q->store->items[k]->doc, "properties");

            if (is_federated(t, credential))
                return credential;
        }
    }
    return NULL;
}

struct err *assertion_check(const struct assertion_request *q)
{
    struct jwt t = { 0 };
    AUTO(err) struct err *e = jwt_read(q->arena, q->text, &t);

    if (e != NULL)
        return aad("50027", "JWT token is invalid or malformed.");
    json_auto_t *logins = load_logins(q);
    AUTO(cert) X509 *cert = find_certificate(q, &t, logins);

    if (cert != NULL)
        return check_certificate(q, &t, cert);
    if (jsonx_text(t.header, "x5t#S256") != NULL
            || text_eq(jsonx_text(t.claims, "iss"), q->client_id))
        return aad("700027",
                "Client assertion failed signature validation. The certificate with the thumbprint "
                "in the header is not registered.");
    const json_t *credential = find_federated(q, &t, logins);

    if (credential == NULL)
        return aad("700213", "No matching federated identity record found for presented assertion "
                             "subject.");
    return check_federated(q, &t, credential);
}
