#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "report/findings.h"
#include "report/junit.h"

/* A document of one check and one finding that names it, or of a finding alone. */
static json_t *document_of(const char *status, const char *severity, const char *fail_on)
{
    json_t *f = json_pack("{s:s, s:s, s:s, s:[s]}", "code", "X-1", "severity", severity, "text",
            "what is wrong", "checks", "a.b");
    json_t *check = status == NULL
                            ? NULL
                            : json_pack("{s:s, s:s, s:s, s:s, s:[O]}", "name", "a.b", "service",
                                    "a", "probe", "p", "status", status, "findings", f);
    json_t *document =
            json_pack("{s:s, s:[o*], s:[o]}", "kind", "verify", "checks", check, "findings", f);

    if (fail_on != NULL)
        json_object_set_new(document, "fail_on", json_string(fail_on));
    json_object_set_new(document, "summary",
            json_pack("{s:i}", "fail", status != NULL && strcmp(status, "fail") == 0));
    return document;
}

/* The threshold decides, in a report as in the exit status; what is below it is still there. */
static void test_fails_from_the_threshold_on(void **state)
{
    static const struct {
        const char *status;
        const char *severity;
        const char *fail_on;
        bool is_failure;
    } rows[] = {
        { "pass", "note", NULL, false },
        { "warn", "warning", NULL, false },
        { "warn", "error", NULL, true },
        { "fail", "note", NULL, true },
        { "warn", "warning", "error", false },
        { "warn", "warning", "warn", true },
        { "pass", "note", "warn", false },
        { "pass", "note", "note", true },
        { "skip", "warning", "error", false },
        { "skip", "warning", "warn", true },
        { NULL, "warning", "error", false },
        { NULL, "warning", "warn", true },
        { NULL, "error", NULL, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *document = document_of(rows[i].status, rows[i].severity, rows[i].fail_on);
        AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

        report_junit(document, &out);
        const char *text = buf_text(&out);
        const bool is_skipped = strstr(text, "<skipped") != NULL;

        if ((strstr(text, "<failure ") != NULL) != rows[i].is_failure
                || (strstr(text, "<system-out>") == NULL) != rows[i].is_failure
                || (strstr(text, " failures=\"1\"") != NULL) != rows[i].is_failure
                || is_skipped != (strstr(text, " skipped=\"1\"") != NULL)
                || (is_skipped && rows[i].is_failure) || strstr(text, "what is wrong") == NULL
                || findings_any_fails(document) != rows[i].is_failure)
            fail_msg("row %zu: %s", i, text);
    }
}

static void test_says_why(void **state)
{
    json_auto_t *plain = document_of("warn", "warning", NULL);
    json_auto_t *strict = document_of("warn", "warning", "warn");
    json_auto_t *error = document_of("warn", "error", "warn");
    AUTO(free) char *why = findings_why(strict);

    (void)state;
    assert_null(findings_why(plain));
    assert_null(findings_why(error));
    assert_string_equal(why, "1 finding at or above 'warn' fails");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fails_from_the_threshold_on),
        cmocka_unit_test(test_says_why),
    };

    return cmocka_run_group_tests_name("junit", tests, NULL, NULL);
}
