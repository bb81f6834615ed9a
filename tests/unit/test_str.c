/* Borrowed texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"

static void test_compares(void **state)
{
    (void)state;
    assert_true(str_eq(STR(""), (struct str){ 0 }));
    assert_true(str_eq_ci(STR("AbC"), STR("aBc")));
    assert_false(str_eq_ci(STR("AbC"), STR("aB")));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR("")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_starts_ci(STR("ABc"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_true(str_ends_ci(STR("aBC"), STR("bc")));
    assert_false(str_ends(STR("c"), STR("bc")));
    assert_int_equal(str_cmp(STR("a"), STR("b")), -1);
    assert_int_equal(str_cmp(STR("ab"), STR("a")), 1);
    assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
    assert_int_equal(str_cmp(STR("\xff"), STR("a")), 1);
    assert_false(text_eq(NULL, NULL));
    assert_true(text_eq("a", "a"));
}

static void test_finds(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("abcabc"), STR("ca")), 2);
    assert_int_equal(str_find(STR("abc"), STR("")), 0);
    assert_int_equal(str_find(STR(""), STR("a")), -1);
    assert_int_equal(str_find(STR("abc"), STR("abcd")), -1);
}

static void test_slices(void **state)
{
    static const struct {
        size_t from, to;
        const char *want;
    } rows[] = { { 0, 3, "abc" }, { 1, 2, "b" }, { 2, 1, "" }, { 3, 9, "" }, { 9, 9, "" },
        { 0, SIZE_MAX, "abc" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(str_eq(str_slice(STR("abc"), rows[i].from, rows[i].to), str_of(rows[i].want)));
    assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")));
    assert_int_equal(str_trim(STR(" \n")).len, 0);
}

static void test_cuts(void **state)
{
    struct str rest = STR("a,,b");

    (void)state;
    assert_true(str_eq(str_cut(&rest, ','), STR("a")));
    assert_true(str_eq(str_cut(&rest, ','), STR("")));
    assert_true(str_eq(str_cut(&rest, ','), STR("b")));
    assert_null(rest.p);
    rest = STR("a,");
    assert_true(str_eq(str_cut(&rest, ','), STR("a")));
    assert_non_null(rest.p); /* an empty last part is still a part */
    assert_int_equal(str_cut(&rest, ',').len, 0);
    assert_null(rest.p);
    AUTO(free) char *copy = str_dup(STR("ab"));

    assert_string_equal(copy, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compares),
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_cuts),
    };

    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
