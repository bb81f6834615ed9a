/* Text from outside, and suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"

static void test_utf8(void **state)
{
    static const struct {
        const char *bytes;
        bool is_good;
    } rows[] = {
        { "", true },
        { "a\x7f", true },
        { "\xc2\x80", true },
        { "\xc1\xbf", false }, /* overlong */
        { "\xc2", false },
        { "\xe0\xa0\x80", true },
        { "\xe0\x9f\xbf", false },
        { "\xed\x9f\xbf", true },
        { "\xed\xa0\x80", false }, /* surrogate */
        { "\xf0\x90\x80\x80", true },
        { "\xf0\x8f\xbf\xbf", false },
        { "\xf4\x8f\xbf\xbf", true },
        { "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
        { "\xf5\x80\x80\x80", false },
        { "\x80", false },
        { "\xe2\x82", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(text_is_utf8(str_of(rows[i].bytes)), rows[i].is_good);
}

static void test_escapes(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "plain \xc3\xa4", "plain \xc3\xa4" },
        { "a\nb\tc", "a\\nb\\tc" },
        { "\x1b[31m", "\\x1b[31m" },
        { "\x7f", "\\x7f" },
        { "\xc2\x9b"
          "1m",
                "\\xc2\\x9b1m" }, /* CSI as one C1 character */
        { "\xff\xc3", "\\xff\\xc3" },
        { "\r", "\\x0d" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf out = BUF_INIT(1000);

        text_add_escaped(&out, str_of(rows[i].text));
        assert_string_equal(buf_text(&out), rows[i].want);
    }
}

static void test_json(void **state)
{
    json_auto_t *good = text_json(STR("a\0b"));
    json_auto_t *bad = text_json(STR("a\xff"));

    (void)state;
    assert_int_equal(json_string_length(good), 3);
    assert_string_equal(json_string_value(bad), "a\\xff");
}

static void test_suggests(void **state)
{
    static const char *const words[] = { "NoCluster", "EnterpriseCluster", "OSSCluster", "postgres",
        "redis", "high_availability" };
    static const struct {
        const char *wrong;
        const char *want;
    } rows[] = {
        { "OssCluster", "OSSCluster" },
        { "osscluster", "OSSCluster" },
        { "nocluster", "NoCluster" },
        { "redsi", "redis" },
        { "postgre", "postgres" },
        { "highAvailability", "high_availability" },
        { "high-availability", "high_availability" },
        { "mysql", NULL },
        { "", NULL },
        { "x", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = text_suggest(str_of(rows[i].wrong), words, ARRAY_LEN(words));

        if (rows[i].want == NULL)
            assert_null(got);
        else
            assert_string_equal(got, rows[i].want);
    }
    AUTO(free) char *longest = xcalloc(200, 1);

    memset(longest, 'a', 199);
    assert_null(text_suggest(str_of(longest), words, ARRAY_LEN(words)));
    assert_null(text_suggest(STR("redis"), NULL, 0));
}

static void test_lists(void **state)
{
    static const char *const words[] = { "a", "b", "c" };
    AUTO(buf) struct buf all = BUF_INIT(100);
    AUTO(buf) struct buf some = BUF_INIT(100);

    (void)state;
    text_add_list(&all, words, 3, 3);
    text_add_list(&some, words, 3, 2);
    assert_string_equal(buf_text(&all), "a, b, c");
    assert_string_equal(buf_text(&some), "a, b, ... (1 more)");
    assert_true(text_eq_loose("West Europe", "westeurope"));
    assert_true(text_eq_loose("", " "));
    assert_false(text_eq_loose("westeurope", "westeurope2"));
    assert_int_equal(text_columns(STR("a\xc3\xa4\xe2\x82\xac")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_suggests),
        cmocka_unit_test(test_lists),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
