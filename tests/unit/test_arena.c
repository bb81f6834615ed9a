/* Memory that dies together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"

static char order[8];

static void release(void *object)
{
    order[strlen(order)] = *(const char *)object;
}

static void test_arena(void **state)
{
    struct arena *a = arena_new();
    static char one = '1';
    static char two = '2';

    (void)state;
    arena_hook(a, release, &one);
    arena_hook(a, release, &two);
    for (size_t size = 0; size < 40000; size = size * 2 + 1) {
        unsigned char *p = arena_alloc(a, size);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    assert_null(arena_text(a, NULL));
    assert_string_equal(arena_text(a, "x"), "x");
    assert_string_equal(arena_str(a, str_slice(STR("abc"), 0, 2)), "ab");
    assert_string_equal(arena_printf(a, "%d-%s", 1, "y"), "1-y");
    arena_free(a);
    arena_free(NULL);
    assert_string_equal(order, "21");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_arena) };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
