/* Numbers from text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/num.h"

static void test_whole(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        bool is_good;
        int64_t want;
    } rows[] = {
        { "0", 0, 9, true, 0 }, { "9", 0, 9, true, 9 }, { "10", 0, 9, false, 0 },
        { "-1", 0, 9, false, 0 }, { "-1", -1, 9, true, -1 },
        { "9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX },
        { "9223372036854775808", INT64_MIN, INT64_MAX, false, 0 },
        { "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN },
        { "-9223372036854775809", INT64_MIN, INT64_MAX, false, 0 }, { "", 0, 9, false, 0 },
        { "-", INT64_MIN, 9, false, 0 }, { "+1", 0, 9, false, 0 }, { " 1", 0, 9, false, 0 },
        { "1 ", 0, 9, false, 0 }, { "1x", 0, 9, false, 0 }, { "--1", -9, 9, false, 0 },
        { "\xd9\xa1", 0, 9, false, 0 }, /* an Arabic digit */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = 77;
        struct err *e = num_parse_i64(str_of(rows[i].text), rows[i].min, rows[i].max, &got);

        assert_int_equal(e == NULL, rows[i].is_good);
        assert_int_equal(got, rows[i].is_good ? rows[i].want : 77);
        err_free(e);
    }
}

static void test_double(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
        double want;
    } rows[] = {
        { "1", true, 1 },
        { "-1.5", true, -1.5 },
        { "1e2", true, 100 },
        { "1.25E-2", true, 0.0125 },
        { ".5", false, 0 },
        { "5.", false, 0 },
        { "1e", false, 0 },
        { "inf", false, 0 },
        { "nan", false, 0 },
        { "0x1", false, 0 },
        { "1e999", false, 0 },
        { "", false, 0 },
        { "1,5", false, 0 },
        { "1001", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double got = 0;
        struct err *e = num_parse_double(str_of(rows[i].text), -1000, 1000, &got);

        assert_int_equal(e == NULL, rows[i].is_good);
        assert_true(!(got < rows[i].want) && !(got > rows[i].want));
        err_free(e);
    }
}

static void test_duration(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        { "90", 90000 },
        { "90s", 90000 },
        { "15m", 900000 },
        { "15min", 900000 },
        { "2h", 7200000 },
        { "500ms", 500 },
        { "0", 0 },
        { "-1s", -1 },
        { "s", -1 },
        { "", -1 },
        { "1.5h", -1 },
        { "1 h", -1 },
        { "1d", -1 },
        { "9223372036854775807h", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = -1;
        struct err *e = num_parse_duration_ms(str_of(rows[i].text), &got);

        assert_int_equal(e == NULL, rows[i].want >= 0);
        assert_int_equal(got, rows[i].want);
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_duration),
    };

    return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
