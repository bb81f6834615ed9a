/* Secrets, and the net under everything that is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/secret.h"

static void test_keeps_and_compares(void **state)
{
    AUTO(secret) struct secret *a = secret_new(STR("a\0b"));
    AUTO(secret) struct secret *same = secret_new(STR("a\0b"));
    AUTO(secret) struct secret *other = secret_new(STR("a\0c"));
    AUTO(secret) struct secret *empty = secret_new(STR(""));
    AUTO(secret) struct secret *ref = secret_ref(a);

    (void)state;
    assert_ptr_equal(ref, a);
    assert_int_equal(secret_len(a), 3);
    assert_true(str_eq(secret_reveal(a), STR("a\0b")));
    assert_true(secret_equal(a, same));
    assert_false(secret_equal(a, other));
    assert_false(secret_equal(a, empty));
    assert_null(secret_ref(NULL));
    secret_unref(NULL);
}

static char *scrubbed(const char *text)
{
    struct buf b = BUF_INIT(10000);

    buf_add_text(&b, text);
    secret_scrub(&b);
    return buf_take(&b);
}

static void test_scrubs(void **state)
{
    AUTO(secret) struct secret *a = secret_new(STR("p@ss/wörd"));
    AUTO(secret) struct secret *part = secret_new(STR("abcdef"));
    AUTO(secret) struct secret *whole = secret_new(STR("abcdefghij"));
    AUTO(secret) struct secret *tail = secret_new(STR("ghijkl"));
    AUTO(secret) struct secret *small = secret_new(STR("12345"));
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "" }, { "nothing here", "nothing here" },
        { "x p@ss/wörd y p@ss/wörd", "x (secret) y (secret)" },
        { "postgres://u:p%40ss%2Fw%C3%B6rd@h", "postgres://u:(secret)@h" },
        { "cEBzcy93w7ZyZA==", "(secret)" },
        { "abcdefghij", "(secret)" }, /* the longer one first: no "ghij" is left */
        { "abcdef", "(secret)" }, { "abcdefabcdef", "(secret)(secret)" },
        { "12345", "12345" }, /* too short to be told from other text */
    };

    (void)state;
    assert_true(secret_len(a) + secret_len(part) + secret_len(whole) + secret_len(tail)
                + secret_len(small)); /* alive is all that they must be */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *got = scrubbed(rows[i].text);

        assert_string_equal(got, rows[i].want);
    }
}

static void test_grows_when_scrubbed(void **state)
{
    AUTO(secret) struct secret *s = secret_new(STR("qwerty"));
    AUTO(buf) struct buf b = BUF_INIT(100000);

    (void)state;
    assert_int_equal(secret_len(s), 6);
    for (int i = 0; i < 1000; i++)
        buf_add_text(&b, "qwerty");
    secret_scrub(&b);
    assert_int_equal(b.len, 8000);
}

static void test_forgets(void **state)
{
    struct secret *s = secret_new(STR("transient-value"));

    (void)state;
    secret_unref(s);
    AUTO(free) char *got = scrubbed("transient-value");

    assert_string_equal(got, "transient-value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_and_compares),
        cmocka_unit_test(test_scrubs),
        cmocka_unit_test(test_grows_when_scrubbed),
        cmocka_unit_test(test_forgets),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
