#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/err.h"

static void wraps_keep_kind_and_code(void **state)
{
    (void)state;
    AUTO(err) struct err *e = err_wrap(err_new(ERR_API, 409, "HTTP %d", 409), "apply: %s", "redis");

    assert_string_equal(err_text(e), "apply: redis: HTTP 409");
    assert_int_equal(err_kind(e), ERR_API);
    assert_int_equal(err_code(e), 409);
    assert_null(err_wrap(NULL, "nothing"));
}

static void exit_statuses_are_the_documented_ones(void **state)
{
    static const struct {
        enum err_kind kind;
        long code;
        int status;
    } rows[] = {
        { ERR_USAGE, 0, 64 },
        { ERR_CONFIG, 0, 65 },
        { ERR_NOINPUT, ENOENT, 66 },
        { ERR_NET, 0, 69 },
        { ERR_PROTECT, 0, 73 },
        { ERR_STALE, 0, 74 },
        { ERR_LOCKED, 0, 75 },
        { ERR_AUTH, 0, 77 },
        { ERR_DENIED, 403, 77 },
        { ERR_API, 500, 1 },
        { ERR_CANCELED, 143, 143 },
        { ERR_CANCELED, 0, 130 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(err) struct err *e = err_new(rows[i].kind, rows[i].code, "x");

        assert_int_equal(err_exit_status(e), rows[i].status);
    }
}

static void errno_tells_what_is_missing_or_not_allowed(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        enum err_kind kind;
        const char *text;
    } rows[] = {
        { ENOENT, ERR_NOINPUT, "stack.yaml: No such file or directory" },
        { EACCES, ERR_DENIED, "stack.yaml: Permission denied" },
        { EROFS, ERR_DENIED, "stack.yaml: Read-only file system" },
        { EIO, ERR_INTERNAL, "stack.yaml: Input/output error" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(err) struct err *e = err_errno(rows[i].errnum, "%s", "stack.yaml");

        assert_int_equal(err_kind(e), rows[i].kind);
        assert_string_equal(err_text(e), rows[i].text);
    }
}

static void a_copy_has_all_of_it(void **state)
{
    (void)state;
    AUTO(err) struct err *e = err_new(ERR_API, 409, "%s", "taken");

    err_set_api(e, "Conflict", "7f3a");
    err_set_hint(e, "wait");
    err_set_retryable(e, true);
    AUTO(err) struct err *copy = err_copy(e);

    assert_int_equal(err_kind(copy), ERR_API);
    assert_int_equal(err_code(copy), 409);
    assert_true(err_is_retryable(copy));
    assert_string_equal(err_text(copy), "taken");
    assert_string_equal(err_api_code(copy), "Conflict");
    assert_string_equal(err_request_id(copy), "7f3a");
    assert_string_equal(err_hint(copy), "wait");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wraps_keep_kind_and_code),
        cmocka_unit_test(exit_statuses_are_the_documented_ones),
        cmocka_unit_test(errno_tells_what_is_missing_or_not_allowed),
        cmocka_unit_test(a_copy_has_all_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
