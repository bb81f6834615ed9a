/* One line an event: escaped, scrubbed, as text or JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"

static int calls;

static void around(void *arg, bool is_before)
{
    (void)arg;
    calls += is_before ? 1 : 10;
}

/* What is written to stderr while fn runs. Owned. */
static char *captured(void (*fn)(void))
{
    char path[] = "/tmp/test-log-XXXXXX";
    const int file = mkstemp(path);
    const int kept = dup(STDERR_FILENO);
    struct buf text = BUF_INIT(10000);

    assert_true(file >= 0 && kept >= 0);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    fn();
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(file);
    assert_null(file_read(path, 10000, &text));
    unlink(path);
    return buf_take(&text);
}

static void write_lines(void)
{
    log_error("e", "one");
    log_warn("w", "two %d", 2);
    log_info("i", "three");
    log_debug("d", "not shown");
}

static void write_dirty(void)
{
    log_warn("w", "key hunter2hunter2 and\nmore \x1b[0m \xff");
}

static void test_text(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    AUTO(free) char *got = captured(write_lines);

    assert_string_equal(got, "deployer: error: one\ndeployer: warn: two 2\ndeployer: three\n");
    assert_true(log_is_on(LOG_LEVEL_INFO));
    assert_false(log_is_on(LOG_LEVEL_DEBUG));
}

static void test_escapes_and_scrubs(void **state)
{
    AUTO(secret) struct secret *s = secret_new(STR("hunter2hunter2"));

    (void)state;
    assert_int_equal(secret_len(s), 14);
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    AUTO(free) char *text = captured(write_dirty);

    assert_string_equal(text, "deployer: warn: key (secret) and\\nmore \\x1b[0m \\xff\n");
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    clock_fake(0, 0);
    AUTO(free) char *json = captured(write_dirty);

    clock_fake(-1, -1);
    assert_string_equal(json,
            "{\"event\":\"w\",\"level\":\"warn\",\"message\":\"key (secret) and\\\\nmore "
            "\\\\x1b[0m \\\\xff\",\"time\":\"1970-01-01T00:00:00Z\"}\n");
}

static void test_calls_its_hook(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    log_set_hook(around, NULL);
    AUTO(free) char *got = captured(write_lines);

    log_set_hook(NULL, NULL);
    assert_int_equal(calls, 22);
    assert_non_null(strstr(got, "two 2"));
}

static void test_levels(void **state)
{
    enum log_level level = LOG_LEVEL_ERROR;

    (void)state;
    assert_null(log_parse_level("trace", &level));
    assert_int_equal(level, LOG_LEVEL_TRACE);
    AUTO(err) struct err *e = log_parse_level("WARN", &level);

    assert_int_equal(err_kind(e), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_escapes_and_scrubs),
        cmocka_unit_test(test_calls_its_hook),
        cmocka_unit_test(test_levels),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
