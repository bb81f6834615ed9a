/* Other programs, without a shell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/proc.h"

static struct err *run(const char *script, struct str input, int64_t time_ms, struct buf *out,
        struct buf *err_out, int *ret_status)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    const struct proc_run r = {
        .argv = argv, .input = input, .deadline_ms = clock_now_ms() + time_ms
    };

    return proc_run(&r, out, err_out, ret_status);
}

static void test_takes_outputs_and_status(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(1000);
    AUTO(buf) struct buf err_out = BUF_INIT(1000);
    int status = -1;

    (void)state;
    assert_null(run("cat; echo e >&2; exit 3", STR("in"), 9000, &out, &err_out, &status));
    assert_string_equal(buf_text(&out), "in");
    assert_string_equal(buf_text(&err_out), "e\n");
    assert_int_equal(status, 3);
    assert_null(run("kill -9 $$", STR(""), 9000, NULL, NULL, &status));
    assert_int_equal(status, 128 + 9);
    assert_null(run("exec <&-; exit 0", STR("nobody reads this"), 9000, &out, NULL, &status));
    assert_int_equal(status, 0);
}

static void test_ends_in_time(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(1000);
    int status = -1;

    (void)state;
    AUTO(err) struct err *open = run("exec sleep 60", STR(""), 50, &out, NULL, &status);

    assert_int_equal(err_kind(open), ERR_TIMEOUT);
    AUTO(err)
    struct err *closed = run("exec >&- 2>&-; exec sleep 60", STR(""), 100, &out, NULL, &status);

    assert_int_equal(err_kind(closed), ERR_TIMEOUT);
}

static void test_limits_and_missing(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(10);
    const char *const argv[] = { "no-such-program-anywhere", NULL };
    const struct proc_run r = { .argv = argv, .deadline_ms = clock_now_ms() + 9000 };
    int status = -1;

    (void)state;
    AUTO(err) struct err *limit = run("exec yes", STR(""), 9000, &out, NULL, &status);

    assert_int_equal(err_kind(limit), ERR_LIMIT);
    AUTO(err) struct err *missing = proc_run(&r, &out, NULL, &status);

    assert_int_equal(err_kind(missing), ERR_NOINPUT);
}

static void test_program_gets_the_usual_signals(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(100);
    int status = -1;

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as cancel_install does */
    assert_null(run("kill -PIPE $$; echo ignored", STR(""), 9000, &out, NULL, &status));
    assert_int_equal(status, 128 + SIGPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_outputs_and_status),
        cmocka_unit_test(test_ends_in_time),
        cmocka_unit_test(test_limits_and_missing),
        cmocka_unit_test(test_program_gets_the_usual_signals),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
