/* auth_jwt.h: the assertion of a certificate; what is wrong with a file is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_jwt.h"
#include "pem.h"

static EVP_PKEY *rsa_key;
static char *rsa_pem, *locked_pem, *ec_pem, *cert_pem, *other_cert_pem;

static int set_up(void **state)
{
    EVP_PKEY *other = EVP_RSA_gen(2048);
    EVP_PKEY *ec = EVP_EC_gen("P-256");

    (void)state;
    rsa_key = EVP_RSA_gen(2048);
    rsa_pem = pem_of_key(rsa_key, NULL);
    locked_pem = pem_of_key(rsa_key, "sesame");
    ec_pem = pem_of_key(ec, NULL);
    cert_pem = pem_of_certificate(rsa_key);
    other_cert_pem = pem_of_certificate(other);
    EVP_PKEY_free(other);
    EVP_PKEY_free(ec);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa_key);
    free(rsa_pem);
    free(locked_pem);
    free(ec_pem);
    free(cert_pem);
    free(other_cert_pem);
    return 0;
}

static const struct auth_jwt jwt = { .audience = "https://login/t/oauth2/v2.0/token",
    .client_id = "client",
    .id = "id-1",
    .now_s = 1000 };

static void files(void **state)
{
    const struct {
        const char *name, *key, *cert, *password, *want;
    } rows[] = {
        { "good", rsa_pem, cert_pem, "", NULL },
        { "certificate first", cert_pem, rsa_pem, "", NULL },
        { "locked", locked_pem, cert_pem, "sesame", NULL },
        { "locked, no password", locked_pem, cert_pem, "", "without a password" },
        { "locked, wrong password", locked_pem, cert_pem, "open", "the password" },
        { "no certificate", rsa_pem, "", "", "no certificate" },
        { "no key", "", cert_pem, "", "no private key" },
        { "another's certificate", rsa_pem, other_cert_pem, "", "don't belong together" },
        { "elliptic", ec_pem, cert_pem, "", "no RSA key" },
        { "nothing", "", "", "", "no private key" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *pem = xasprintf("%s%s", rows[i].key, rows[i].cert);
        AUTO(secret) struct secret *assertion = NULL;
        AUTO(err)
        struct err *e = auth_jwt_sign(str_of(pem), str_of(rows[i].password), &jwt, &assertion);

        if ((e == NULL) != (rows[i].want == NULL))
            fail_msg("%s: %s", rows[i].name, e == NULL ? "signed" : err_text(e));
        if (e != NULL && strstr(err_text(e), rows[i].want) == NULL)
            fail_msg("%s: %s", rows[i].name, err_text(e));
    }
}

static void assert_signed(struct str data, struct str signature)
{
    AUTO(buf) struct buf raw = BUF_INIT(4096);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;

    assert_null(decode_base64(signature, &raw));
    EVP_DigestVerifyInit(md, &pctx, EVP_sha256(), NULL, rsa_key);
    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    assert_int_equal(EVP_DigestVerify(md, (const unsigned char *)buf_text(&raw), raw.len,
                             (const unsigned char *)data.p, data.len),
            1);
    EVP_MD_CTX_free(md);
}

static void the_assertion(void **state)
{
    AUTO(free) char *pem = xasprintf("%s%s%s", rsa_pem, cert_pem, other_cert_pem);
    AUTO(secret) struct secret *assertion = NULL;
    AUTO(buf) struct buf head = BUF_INIT(65536);
    AUTO(buf) struct buf body = BUF_INIT(65536);
    json_auto_t *header = NULL;
    json_auto_t *claims = NULL;
    struct auth_jwt with_chain = jwt;

    (void)state;
    with_chain.has_chain = true;
    assert_null(auth_jwt_sign(str_of(pem), STR(""), &with_chain, &assertion));
    const struct str whole = secret_reveal(assertion);
    struct str rest = whole;
    const struct str first = str_cut(&rest, '.');
    const struct str second = str_cut(&rest, '.');

    assert_null(decode_base64(first, &head));
    assert_null(decode_base64(second, &body));
    assert_null(jsonx_load(buf_str(&head), "header", &header));
    assert_null(jsonx_load(buf_str(&body), "claims", &claims));
    assert_signed(str_slice(whole, 0, first.len + 1 + second.len), rest);
    assert_string_equal(jsonx_text(header, "alg"), "PS256");
    assert_int_equal(strlen(jsonx_text(header, "x5t#S256")), 43);
    assert_int_equal(json_array_size(json_object_get(header, "x5c")), 2);
    assert_string_equal(jsonx_text(claims, "aud"), jwt.audience);
    assert_string_equal(jsonx_text(claims, "iss"), "client");
    assert_string_equal(jsonx_text(claims, "sub"), "client");
    assert_string_equal(jsonx_text(claims, "jti"), "id-1");
    assert_int_equal(jsonx_int(claims, "nbf", 0), 1000);
    assert_int_equal(jsonx_int(claims, "exp", 0), 1600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(the_assertion),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
