/* retry.h: what is sent again, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "http/retry.h"

/* 2015-10-21 07:28:00 UTC */
#define WALL_MS (1445412480LL * 1000)

static void transient_statuses(void **state)
{
    static const struct {
        long status;
        bool is_transient;
    } rows[] = { { 200, false }, { 404, false }, { 408, true }, { 409, false }, { 429, true },
        { 500, true }, { 501, false }, { 502, true }, { 503, true }, { 504, true }, { 505, false },
        { 599, true }, { 600, false } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(retry_status_is_transient(rows[i].status), rows[i].is_transient);
}

static void methods(void **state)
{
    (void)state;
    assert_true(retry_method_is_idempotent("GET"));
    assert_true(retry_method_is_idempotent("PUT"));
    assert_true(retry_method_is_idempotent("PATCH"));
    assert_false(retry_method_is_idempotent("POST"));
}

static void retry_after_forms(void **state)
{
    static const struct {
        const char *name;
        const char *after_ms, *ms_after_ms, *after;
        int64_t want;
    } rows[] = {
        { "nothing", NULL, NULL, NULL, -1 },
        { "seconds", NULL, NULL, "17", 17000 },
        { "milliseconds first", "250", "300", "17", 250 },
        { "x-ms second", NULL, "300", "17", 300 },
        { "zero is ignored", "0", NULL, "3", 3000 },
        { "negative is ignored", NULL, "-5", "3", 3000 },
        { "zero seconds", NULL, NULL, "0", -1 },
        { "blanks", NULL, NULL, " 3 ", 3000 },
        { "http date", NULL, NULL, "Wed, 21 Oct 2015 07:28:30 GMT", 30000 },
        { "rfc 850 date", NULL, NULL, "Wednesday, 21-Oct-15 07:28:30 GMT", 30000 },
        { "asctime date", NULL, NULL, "Wed Oct 21 07:29:00 2015", 60000 },
        { "past date", NULL, NULL, "Wed, 21 Oct 2015 07:27:00 GMT", -1 },
        { "digits are no date", NULL, NULL, "20261126", -1 },
        { "garbage", "soon", "later", "eventually", -1 },
        { "a day at most", NULL, NULL, "Wed, 21 Oct 2025 07:28:30 GMT", RETRY_AFTER_MAX_MS },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct str none = { 0 };
        const int64_t got =
                retry_after_parse(rows[i].after_ms == NULL ? none : str_of(rows[i].after_ms),
                        rows[i].ms_after_ms == NULL ? none : str_of(rows[i].ms_after_ms),
                        rows[i].after == NULL ? none : str_of(rows[i].after), WALL_MS);

        if (got != rows[i].want)
            fail_msg("%s: %lld", rows[i].name, (long long)got);
    }
}

/* A date is told by the service's clock; ours is an hour late, or there is no other. */
static void clocks(void **state)
{
    static const struct {
        const char *name;
        char *headers;
        int64_t wall_ms, want;
    } rows[] = {
        { "right",
                "date: Wed, 21 Oct 2015 07:28:00 GMT\nretry-after: Wed, 21 Oct 2015 07:28:30 GMT\n",
                WALL_MS, 30000 },
        { "late",
                "date: Wed, 21 Oct 2015 08:28:00 GMT\nretry-after: Wed, 21 Oct 2015 08:28:30 GMT\n",
                WALL_MS, 30000 },
        { "early",
                "date: Wed, 21 Oct 2015 06:28:00 GMT\nretry-after: Wed, 21 Oct 2015 06:28:30 GMT\n",
                WALL_MS, 30000 },
        { "no date", "retry-after: Wed, 21 Oct 2015 07:28:30 GMT\n", WALL_MS, 30000 },
        { "no date at all", "date: soon\nretry-after: Wed, 21 Oct 2015 07:28:30 GMT\n", WALL_MS,
                30000 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct http_response r = { .headers = rows[i].headers };
        const int64_t got = retry_after_ms(&r, rows[i].wall_ms);

        if (got != rows[i].want)
            fail_msg("%s: %lld", rows[i].name, (long long)got);
    }
}

static void delays(void **state)
{
    static const struct {
        unsigned n;
        int64_t after_ms;
        int64_t min, max;
    } rows[] = {
        { 1, -1, 640, 1040 },
        { 2, -1, 1920, 3120 },
        { 3, -1, 4480, 7280 },
        { 9, -1, RETRY_CAP_MS - 5000, RETRY_CAP_MS },
        { 1000, -1, RETRY_CAP_MS - 5000, RETRY_CAP_MS },
        { 1, 5000, 5000, 5250 },
        { 9, 600000, 600000, 600250 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (uint32_t random = 0; random < 2000; random += 7) {
            const int64_t got = retry_delay_ms(rows[i].n, rows[i].after_ms, random);

            assert_in_range(got, rows[i].min, rows[i].max);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transient_statuses),
        cmocka_unit_test(methods),
        cmocka_unit_test(retry_after_forms),
        cmocka_unit_test(clocks),
        cmocka_unit_test(delays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
