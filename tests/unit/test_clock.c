/* Time as text, and deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <limits.h>

#include "base/clock.h"
#include "base/compiler.h"

static void test_texts(void **state)
{
    static const struct {
        int64_t ms;
        const char *want;
    } durations[] = { { -5, "0 ms" }, { 0, "0 ms" }, { 999, "999 ms" }, { 1000, "1.0 s" },
        { 4260, "4.2 s" }, { 59999, "59.9 s" }, { 60000, "1 min 00 s" }, { 185000, "3 min 05 s" },
        { 3599999, "59 min 59 s" }, { 3600000, "1 h 00 min" }, { 7800000, "2 h 10 min" } };
    static const struct {
        int64_t ms;
        const char *want;
    } times[] = { { 0, "1970-01-01T00:00:00Z" }, { 951782400000, "2000-02-29T00:00:00Z" },
        { 1795684620999, "2026-11-26T09:17:00Z" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        char got[CLOCK_DURATION_SIZE];

        clock_duration(durations[i].ms, got);
        assert_string_equal(got, durations[i].want);
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char got[CLOCK_RFC3339_SIZE];

        clock_rfc3339(times[i].ms, got);
        assert_string_equal(got, times[i].want);
    }
}

static void test_deadlines(void **state)
{
    (void)state;
    clock_fake(1000, 2000);
    assert_int_equal(clock_now_ms(), 1000);
    assert_int_equal(clock_wall_ms(), 2000);
    assert_int_equal(clock_left_ms(1500), 500);
    assert_int_equal(clock_left_ms(1000), 0);
    assert_int_equal(clock_left_ms(0), 0);
    assert_int_equal(clock_left_ms(INT64_MAX), INT_MAX);
    clock_fake(-1, -1);
    assert_true(clock_wall_ms() > 1700000000000);
    clock_sleep_ms(0);
    clock_sleep_ms(-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_deadlines),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
