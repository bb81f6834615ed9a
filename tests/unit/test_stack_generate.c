/* New secrets have the form that was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <regex.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "stack/generate.h"

static void test_rules(void **state)
{
    static const struct {
        const char *rule;
        const char *pattern; /* of the input; NULL: none */
        const char *want;    /* what every value matches; NULL: none is made */
    } rows[] = {
        { "{\"length\":32,\"alphabet\":\"url\"}", NULL, "^[A-Za-z0-9][A-Za-z0-9_-]{31}$" },
        { "{\"length\":43}", NULL, "^[A-Za-z0-9][A-Za-z0-9_-]{42}$" },
        { "{\"length\":12,\"alphabet\":\"alnum\"}", NULL, "^[A-Za-z0-9]{12}$" },
        { "{\"length\":1}", NULL, "^[A-Za-z0-9]$" },
        { "{\"hex\":32}", "^[0-9a-f]{64}$", "^[0-9a-f]{64}$" },
        { "{\"base64\":32}", NULL, "^[A-Za-z0-9+/]{43}=$" },
        { "{\"uuid\":true}", NULL, "^[0-9a-f-]{36}$" },
        { "{\"prefix\":\"sk-\",\"length\":8}", "^sk-", "^sk-[A-Za-z0-9_-]{8}$" },
        { "{\"length\":8}", "^nothing like it$", NULL },
        { "{\"length\":8}", "[", NULL },
        { "{\"length\":0}", NULL, NULL },
        { "{\"length\":1025}", NULL, NULL },
        { "{\"length\":8,\"alphabet\":\"runes\"}", NULL, NULL },
        { "{\"hex\":0}", NULL, NULL },
        { "{\"hex\":1025}", NULL, NULL },
        { "{}", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *rule = NULL;

        assert_null(jsonx_load(str_of(rows[i].rule), "rule", &rule));
        for (int k = 0; k < 20; k++) {
            AUTO(free) char *got = generate_secret(rule, rows[i].pattern);
            regex_t re;

            if (rows[i].want == NULL) {
                assert_null(got);
                continue;
            }
            assert_non_null(got);
            assert_int_equal(regcomp(&re, rows[i].want, REG_EXTENDED | REG_NOSUB), 0);
            assert_int_equal(regexec(&re, got, 0, NULL, 0), 0);
            regfree(&re);
        }
        json_decref(rule);
    }
}

static void test_every_class_is_there(void **state)
{
    json_auto_t *rule = json_pack("{s:i}", "length", 12);

    (void)state;
    for (int k = 0; k < 200; k++) {
        AUTO(free) char *got = generate_secret(rule, NULL);

        assert_non_null(strpbrk(got, "abcdefghijklmnopqrstuvwxyz"));
        assert_non_null(strpbrk(got, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        assert_non_null(strpbrk(got, "0123456789"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_every_class_is_there),
    };

    return cmocka_run_group_tests_name("stack_generate", tests, NULL, NULL);
}
