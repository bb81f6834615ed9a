/* Growing buffers with a cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"

static void test_grows_to_its_cap(void **state)
{
    AUTO(buf) struct buf b = BUF_INIT(10);

    (void)state;
    assert_string_equal(buf_text(&b), "");
    buf_add_text(&b, "12345");
    buf_add_text(&b, NULL);
    buf_addf(&b, "%s", "67890");
    assert_null(buf_check(&b, "it"));
    assert_string_equal(buf_text(&b), "1234567890");
    buf_add_char(&b, 'x');
    assert_string_equal(buf_text(&b), "1234567890");
    AUTO(err) struct err *e = buf_check(&b, "it");

    assert_int_equal(err_kind(e), ERR_LIMIT);
    assert_string_equal(err_text(e), "it exceeds 10 bytes");
    buf_clear(&b);
    assert_null(buf_check(&b, "it"));
    buf_add_text(&b, "12345678901");
    assert_int_equal(b.len, 10);
    assert_true(b.is_overflown);
}

static void test_cuts_and_consumes(void **state)
{
    AUTO(buf) struct buf b = BUF_INIT(100);

    (void)state;
    buf_truncate(&b, 0);
    buf_consume(&b, 5);
    buf_add_text(&b, "abcdef");
    buf_truncate(&b, 9);
    assert_int_equal(b.len, 6);
    buf_truncate(&b, 4);
    buf_consume(&b, 1);
    assert_string_equal(buf_text(&b), "bcd");
    buf_consume(&b, 9);
    assert_int_equal(b.len, 0);
}

static void test_hands_over(void **state)
{
    struct buf b = BUF_INIT(100);

    (void)state;
    AUTO(free) char *empty = buf_take(&b);

    assert_string_equal(empty, "");
    buf_add(&b, "a\0b", 3);
    AUTO(free) char *taken = buf_take(&b);

    assert_memory_equal(taken, "a\0b", 4);
    assert_int_equal(b.len, 0);
    buf_add_text(&b, "again");
    assert_string_equal(buf_text(&b), "again");
    buf_release(&b);
}

static void test_secrets_are_wiped(void **state)
{
    AUTO(buf) struct buf b = { .max_bytes = 1000, .is_secret = true };

    (void)state;
    buf_add_text(&b, "hunter2hunter2");
    buf_truncate(&b, 3);
    for (size_t i = 3; i < 14; i++)
        assert_int_equal(b.p[i], 0);
    for (int i = 0; i < 100; i++)
        buf_addf(&b, "%d,", i);
    assert_memory_equal(buf_text(&b), "hun0,1,2,", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_to_its_cap),
        cmocka_unit_test(test_cuts_and_consumes),
        cmocka_unit_test(test_hands_over),
        cmocka_unit_test(test_secrets_are_wiped),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
