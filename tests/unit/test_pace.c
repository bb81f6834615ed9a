/* pace.h: the bucket against a simulated server that counts as ARM does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "http/pace.h"

static void starts_full_and_refills(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 4, 10, 1000); /* the fourth is the reserve */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pace_wait_ms(&p, 1000), 0);
        pace_take(&p, 1000);
    }
    assert_in_range(pace_wait_ms(&p, 1000), 100, 101);
    assert_int_equal(pace_wait_ms(&p, 1101), 0);
    assert_int_equal(pace_wait_ms(&p, 900000), 0);
    assert_true(p.tokens <= 4);
}

static void believes_the_service(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 200, 10, 0);
    const unsigned first = pace_take(&p, 0);
    const unsigned second = pace_take(&p, 0);

    pace_answer(&p, first, 1, 10); /* somebody else spends too; one of ours is under way */
    assert_in_range(pace_wait_ms(&p, 10), 200, 201);
    pace_answer(&p, second, 5, 20);
    assert_int_equal(pace_wait_ms(&p, 20), 0);
    const unsigned third = pace_take(&p, 20);

    pace_answer(&p, third, 100000, 30); /* another way of counting never makes it larger */
    assert_true(p.tokens <= 200);
    pace_answer(&p, third, -1, 30);
    assert_int_equal(p.in_flight, 0);
}

static void old_news_is_corrected(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 200, 10, 0);
    const unsigned slow = pace_take(&p, 0);

    for (int i = 0; i < 50; i++)
        pace_answer(&p, pace_take(&p, 0), -1, 0);
    pace_answer(&p, slow, 60, 0); /* said when the 50 had not been counted */
    assert_true(p.tokens <= 10);
}

static void waits_when_blocked(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 200, 10, 0);
    pace_block(&p, 17000, 0);
    assert_int_equal(pace_wait_ms(&p, 0), 17000);
    assert_int_equal(pace_wait_ms(&p, 16999), 1);
    assert_int_equal(pace_wait_ms(&p, 17000), 0);
    pace_block(&p, 5000, 0);
    assert_int_equal(p.blocked_until_ms, 17000);
}

static int server_is_empty(struct pace *server, int64_t now)
{
    (void)pace_wait_ms(server, now); /* refills */
    return server->tokens < 1;
}

/* 1,000 writes with answers that take 20 to 300 ms: no refusal, and near the ideal time. */
static void a_thousand_writes(void **state)
{
    enum { COUNT = 1000, SLOTS = 10 };
    struct pace p;
    struct pace server; /* counts the same way, from the other side */
    int64_t answer_at[SLOTS] = { 0 };
    int64_t remaining[SLOTS] = { 0 };
    unsigned ticket[SLOTS] = { 0 };
    int64_t now = 0;
    int sent = 0;
    int refused = 0;
    unsigned noise = 12345;

    (void)state;
    pace_init(&p, 200, 10, 0);
    pace_init(&server, 200, 10, 0);
    for (; sent < COUNT; now += 5) {
        for (int i = 0; i < SLOTS; i++) {
            if (answer_at[i] != 0 && answer_at[i] <= now) {
                pace_answer(&p, ticket[i], remaining[i], now);
                answer_at[i] = 0;
            }
            if (answer_at[i] == 0 && sent < COUNT && pace_wait_ms(&p, now) == 0) {
                noise = noise * 1103515245 + 12345;
                const int64_t trip = 20 + noise / 65536 % 280;

                ticket[i] = pace_take(&p, now);
                refused += server_is_empty(&server, now);
                pace_take(&server, now);
                remaining[i] = server.tokens > 0 ? (int64_t)server.tokens : 0;
                answer_at[i] = now + trip;
                sent++;
            }
        }
    }
    assert_int_equal(refused, 0);
    /* 200 at once, 800 at ten a second. */
    assert_in_range(now, 79000, 84000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_full_and_refills),
        cmocka_unit_test(believes_the_service),
        cmocka_unit_test(old_news_is_corrected),
        cmocka_unit_test(waits_when_blocked),
        cmocka_unit_test(a_thousand_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
