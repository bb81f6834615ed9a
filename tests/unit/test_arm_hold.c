#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cloud/arm/hold.h"

static void remains(void **state)
{
    static const struct {
        const char *header; /* NULL: none */
        int64_t want;
    } rows[] = {
        { NULL, -1 },
        { "", -1 },
        { "Microsoft.Compute/PutVM3Min;107", 107 },
        { "Microsoft.Compute/PutVM3Min;107,Microsoft.Compute/PutVM30Min;0", 0 },
        { " A/b ; 7 , A/c ; 9 ", 7 },
        { "A/b;", -1 },
        { "A/b", -1 },
        { "A/b;soon,A/c;3", 3 },
        { "A/b;-1", -1 },
        { ";;;,,,;", -1 },
        { "A/b;99999999999999999999", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct str none = { 0 };
        const int64_t got =
                arm_hold_remaining(rows[i].header == NULL ? none : str_of(rows[i].header));

        if (got != rows[i].want)
            fail_msg("row %zu: %lld", i, (long long)got);
    }
}

static void holds(void **state)
{
    struct arm_hold *list = NULL;

    (void)state;
    assert_int_equal(arm_hold_wait_ms(list, STR("A.B"), 1, 1000), 0);
    arm_hold_set(&list, STR("A.B"), 1, 3000);
    arm_hold_set(&list, STR("A.C"), 1, 2000);
    assert_int_equal(arm_hold_wait_ms(list, STR("a.b"), 1, 1000), 2000);
    assert_int_equal(arm_hold_wait_ms(list, STR("A.C"), 1, 1000), 1000);
    assert_int_equal(arm_hold_wait_ms(list, STR("A.B"), 0, 1000), 0); /* its reads go on */
    assert_int_equal(arm_hold_wait_ms(list, STR("A.D"), 1, 1000), 0);
    arm_hold_set(&list, STR("A.B"), 1, 2500); /* the longer wait holds */
    assert_int_equal(arm_hold_wait_ms(list, STR("A.B"), 1, 1000), 2000);
    assert_int_equal(arm_hold_wait_ms(list, STR("A.B"), 1, 3000), 0);
    arm_hold_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remains),
        cmocka_unit_test(holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
