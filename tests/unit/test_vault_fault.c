/* What a vault's refusals mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/vault.h"
#include "cloud/arm/vault_fault.h"

static void refusals(void **state)
{
    static const struct {
        const char *body; /* NULL: no JSON came */
        long status;
        enum err_kind kind;
        const char *text, *hint; /* of the hint: a part; NULL: there is none */
    } rows[] = {
        { "{'error':{'code':'Forbidden','message':'Not authorized.\\r\\nCaller: appid=1',"
          "'innererror':{'code':'ForbiddenByRbac'}}}",
                403, ERR_DENIED, "HTTP 403 Forbidden (ForbiddenByRbac): Not authorized.",
                "Key Vault Secrets User" },
        { "{'error':{'code':'Forbidden','message':'m','innererror':{'code':'AccessDenied'}}}", 403,
                ERR_DENIED, "HTTP 403 Forbidden (AccessDenied): m", "access policies" },
        { "{'error':{'code':'Forbidden','message':'m','innererror':{'code':'NewReason'}}}", 403,
                ERR_DENIED, "HTTP 403 Forbidden (NewReason): m", "the right to read secrets" },
        { "{'error':{'code':'Unauthorized','message':'AKV10032: Invalid issuer.'}}", 401, ERR_AUTH,
                "HTTP 401 Unauthorized: AKV10032: Invalid issuer.", "azure.tenant" },
        { "{'error':{'code':'Throttled'}}", 429, ERR_API, "HTTP 429 Throttled", "too often" },
        { NULL, 502, ERR_API, "HTTP 502", NULL },
        { "[1]", 500, ERR_API, "HTTP 500", NULL },
        { "{'error':'text'}", 403, ERR_DENIED, "HTTP 403", "the right to read secrets" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *text = xstrdup(rows[i].body == NULL ? "null" : rows[i].body);

        for (char *p = text; *p != '\0'; p++)
            *p = *p == '\'' ? '"' : *p;
        json_auto_t *body = json_loads(text, JSON_DECODE_ANY, NULL);
        AUTO(err)
        struct err *e = vault_fault_err(rows[i].status, rows[i].body == NULL ? NULL : body);

        assert_non_null(body);
        assert_int_equal(err_kind(e), rows[i].kind);
        assert_string_equal(err_text(e), rows[i].text);
        if (rows[i].hint == NULL)
            assert_string_equal(err_hint(e), "");
        else if (strstr(err_hint(e), rows[i].hint) == NULL)
            fail_msg("row %zu: %s", i, err_hint(e));
    }
}

static void what_is_not_there(void **state)
{
    json_auto_t *absent = json_pack("{s:{s:s}}", "error", "code", "SecretNotFound");
    json_auto_t *other = json_pack("{s:{s:s}}", "error", "code", "VaultNotFound");

    (void)state;
    assert_true(vault_fault_is_absent(404, absent));
    assert_false(vault_fault_is_absent(403, absent));
    assert_false(vault_fault_is_absent(404, other));
    assert_false(vault_fault_is_absent(404, NULL)); /* a proxy's page */
}

static void names(void **state)
{
    AUTO(free) char *name = arm_vault_name("A_B_c9");

    (void)state;
    assert_string_equal(name, "A-B-c9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
