/* Lists of findings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/diag.h"

static struct place at(const char *file, int line, int column)
{
    return (struct place){ .file = file, .line = line, .column = column };
}

static void test_sorts_and_copies(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list list;
    char path[] = "a.b";

    (void)state;
    diag_init(&list, arena);
    diag_sort(&list);
    diag_add(&list, DIAG_WARNING, "w", at("b", 1, 1), NULL, "%d", 1);
    diag_add(&list, DIAG_ERROR, "e", at("a", 2, 1), path, "%d", 2);
    diag_add(&list, DIAG_NOTE, "n", at("a", 1, 9), path, "%d", 3);
    diag_set_hint(
            &list, diag_add(&list, DIAG_ERROR, "e", at("a", 1, 2), path, "%d", 4), "do %s", "it");
    path[0] = 'x';
    diag_sort(&list);
    assert_int_equal(list.errors, 2);
    assert_string_equal(list.items[0].text, "4");
    assert_string_equal(list.items[0].hint, "do it");
    assert_string_equal(list.items[0].path, "a.b");
    assert_string_equal(list.items[1].text, "3");
    assert_string_equal(list.items[2].text, "2");
    assert_string_equal(list.items[3].path, "");
    assert_string_equal(diag_severity_name(DIAG_WARNING), "warning");
}

static void test_stops_at_its_limit(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list list;

    (void)state;
    diag_init(&list, arena);
    for (unsigned i = 0; i < DIAG_MAX + 3; i++)
        diag_set_hint(&list, diag_add(&list, DIAG_ERROR, "e", at("a", 1, 1), "", "x"), "y");
    assert_int_equal(list.count, DIAG_MAX);
    assert_int_equal(list.dropped, 3);
    assert_int_equal(list.errors, DIAG_MAX + 3);
}

static void test_explains_what_follows(void **state)
{
    static const struct {
        const char *path;
        bool is_explained;
    } rows[] = {
        { "a.b", true },
        { "a.b.c", true },
        { "a.b[0].c", true },
        { "a", false },
        { "a.bc", false },
        { "w", false },
        { "azure.subscription", true },
        { "azur", true },
        { "azures", false },
        { "over", true },
        { "over.x", true },
        { "meant.x", true },
        { "e", false },
        { "e.prod.over", true },
        { "e.other.over", false },
        { "", false },
    };
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list list;

    (void)state;
    diag_init(&list, arena);
    list.laid_over = "e.prod";
    diag_add(&list, DIAG_ERROR, "e", at("a", 1, 1), "", "x");
    diag_add(&list, DIAG_ERROR, "e", at("a", 1, 1), "a.b", "x");
    diag_add(&list, DIAG_WARNING, "e", at("a", 1, 1), "w", "x");
    diag_set_meant(&list, diag_add(&list, DIAG_ERROR, "e", at("a", 1, 1), "azur", "x"), "azure");
    diag_set_meant(&list, diag_add(&list, DIAG_ERROR, "e", at("a", 1, 1), "e.prod.over", "x"),
            "e.prod.meant");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (diag_explains(&list, rows[i].path) != rows[i].is_explained)
            fail_msg("%s", rows[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts_and_copies),
        cmocka_unit_test(test_stops_at_its_limit),
        cmocka_unit_test(test_explains_what_follows),
    };

    return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
