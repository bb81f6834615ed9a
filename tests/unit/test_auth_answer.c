/* auth_answer.h, discovery.h: what token and metadata endpoints say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/discovery.h"

/* 2026-11-26 09:17:00 UTC */
#define WALL_S 1795684620LL

static void answers(void **state)
{
    static const struct {
        const char *name, *body;
        int64_t life_s, refresh_s; /* -1: refused */
    } rows[] = {
        { "entra", "{\"access_token\":\"t\",\"expires_in\":3599}", 3599, 3299 },
        { "refresh_in", "{\"access_token\":\"t\",\"expires_in\":86399,\"refresh_in\":43199}", 86399,
                43199 },
        { "numbers as texts", "{\"access_token\":\"t\",\"expires_in\":\"3599\"}", 3599, 3299 },
        { "long life", "{\"access_token\":\"t\",\"expires_in\":80000}", 80000, 40000 },
        { "short life", "{\"access_token\":\"t\",\"expires_in\":400}", 400, 200 },
        { "expires_on", "{\"access_token\":\"t\",\"expires_on\":1795688220}", 3600, 3300 },
        { "expires_on as text", "{\"access_token\":\"t\",\"expires_on\":\"1795688220\"}", 3600,
                3300 },
        { "expires_on as date",
                "{\"access_token\":\"t\",\"expires_on\":\"Thu, 26 Nov 2026 10:17:00 GMT\"}", 3600,
                3300 },
        { "cli", "{\"accessToken\":\"t\",\"expires_on\":1795688220,\"expiresOn\":\"1999\"}", 3600,
                3300 },
        { "no time", "{\"access_token\":\"t\"}", 300, 150 },
        { "already over", "{\"access_token\":\"t\",\"expires_on\":5}", 300, 150 },
        { "no token", "{\"expires_in\":3599}", -1, 0 },
        { "empty token", "{\"access_token\":\"\",\"expires_in\":3599}", -1, 0 },
        { "token of another type", "{\"access_token\":7}", -1, 0 },
    };
    const struct auth_clock clock = { .now_ms = 1000, .wall_ms = WALL_S * 1000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *body = json_loads(rows[i].body, 0, NULL);
        struct auth_token token = { 0 };
        AUTO(err) struct err *e = auth_answer_read(body, &clock, &token);

        if ((e != NULL) != (rows[i].life_s < 0)
                || (e == NULL
                        && (token.expires_ms != 1000 + rows[i].life_s * 1000
                                || token.refresh_ms != 1000 + rows[i].refresh_s * 1000)))
            fail_msg("%s: %lld %lld", rows[i].name, (long long)token.expires_ms,
                    (long long)token.refresh_ms);
        secret_unref(token.value);
    }
}

static void the_token_leaves_no_copy(void **state)
{
    json_auto_t *body = json_loads("{\"access_token\":\"hidden-one\"}", 0, NULL);
    AUTO(secret) struct secret *token = auth_answer_secret(body, "access_token");
    AUTO(free) char *text = jsonx_dump(body);

    (void)state;
    assert_true(str_eq(secret_reveal(token), STR("hidden-one")));
    assert_null(strstr(text, "hidden"));
}

static void refusals(void **state)
{
    json_auto_t *body = json_pack("{s:s, s:s}", "error", "invalid_client", "error_description",
            "AADSTS7000215: no.\r\nTrace ID: t");
    AUTO(free) char *text = auth_answer_refusal(body, 401);
    AUTO(free) char *empty = auth_answer_refusal(NULL, 500);

    (void)state;
    assert_string_equal(text, "HTTP 401 invalid_client: AADSTS7000215: no.");
    assert_string_equal(empty, "HTTP 500");
}

static void challenges(void **state)
{
    static const struct {
        const char *header, *want;
    } rows[] = {
        { "Bearer error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"", "{\"a\":1}" },
        { "Bearer claims=\"eyJhIjoxfQ\", error=\"insufficient_claims\"", "{\"a\":1}" },
        { "Bearer error=\"invalid_token\", claims=\"eyJhIjoxfQ==\"", NULL },
        { "Bearer error=\"insufficient_claims\"", NULL },
        { "Bearer error=\"insufficient_claims\", claims=\"***\"", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *got = auth_answer_challenge(str_of(rows[i].header));

        if (rows[i].want == NULL)
            assert_null(got);
        else
            assert_string_equal(got, rows[i].want);
    }
    AUTO(free) char *plain = auth_answer_merge_claims(NULL);
    AUTO(free) char *merged = auth_answer_merge_claims("{\"access_token\":{\"nbf\":1}}");

    assert_string_equal(plain, "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}");
    assert_string_equal(merged, "{\"access_token\":{\"nbf\":1,\"xms_cc\":{\"values\":[\"cp1\"]}}}");
}

static void claims_of_tokens(void **state)
{
    AUTO(secret) struct secret *jwt = secret_new(STR("e30.eyJ0aWQiOiJ4In0.s"));
    AUTO(secret) struct secret *opaque = secret_new(STR("opaque"));
    json_auto_t *claims = auth_answer_claims(jwt);

    (void)state;
    assert_string_equal(jsonx_text(claims, "tid"), "x");
    assert_null(auth_answer_claims(opaque));
}

static void metadata(void **state)
{
    static const struct {
        const char *name, *body, *authority, *audience, *vault;
    } rows[] = {
        { "2022-09-01",
                "{\"authentication\":{\"loginEndpoint\":\"https://login.example/\",\"audiences\":["
                "\"https://m.core/\"]},\"resourceManager\":\"https://arm.example\","
                "\"suffixes\":{\"keyVaultDns\":\"vault.example\"}}",
                "https://login.example", "https://m.core/", "vault.example" },
        { "2015-01-01",
                "{\"galleryEndpoint\":\"\",\"authentication\":{\"loginEndpoint\":"
                "\"https://arm.example/adfs\",\"audiences\":[]}}",
                "https://arm.example/adfs", "https://arm.example", NULL },
        { "2019-05-01",
                "[{\"resourceManager\":\"https://other/\",\"authentication\":{\"loginEndpoint\":"
                "\"https://wrong\"}},{\"resourceManager\":\"https://ARM.example/\","
                "\"authentication\":{\"loginEndpoint\":\"https://right\"},"
                "\"suffixes\":{\"keyVaultDns\":\".vault.example\"}}]",
                "https://right", "https://arm.example", "vault.example" },
        { "nothing", "{}", NULL, NULL, NULL },
        { "no object", "7", NULL, NULL, NULL },
        { "http", "{\"authentication\":{\"loginEndpoint\":\"http://login.example/\"}}", NULL, NULL,
                NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *body = json_loads(rows[i].body, JSON_DECODE_ANY, NULL);
        struct discovery d = { 0 };
        AUTO(err) struct err *e = discovery_read(body, "https://arm.example", &d);

        if ((e != NULL) != (rows[i].authority == NULL))
            fail_msg("%s", rows[i].name);
        if (e == NULL) {
            assert_string_equal(d.authority, rows[i].authority);
            assert_string_equal(d.audience, rows[i].audience);
            assert_true(rows[i].vault == NULL ? d.vault_suffix == NULL
                                              : text_eq(d.vault_suffix, rows[i].vault));
        }
        discovery_release(&d);
    }
    assert_string_equal(
            discovery_by_authority("https://login.microsoftonline.us")->name, "AzureUSGovernment");
    assert_null(discovery_by_endpoint("https://arm.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(the_token_leaves_no_copy),
        cmocka_unit_test(refusals),
        cmocka_unit_test(challenges),
        cmocka_unit_test(claims_of_tokens),
        cmocka_unit_test(metadata),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
