#include "report/junit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "report/findings.h"
#include "report/html_text.h"

static void add_seconds(struct buf *out, int64_t ms)
{
    buf_addf(out, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

static bool is_skipped(const json_t *check)
{
    return text_eq(jsonx_text(check, "status"), "skip");
}

static bool has_findings(const json_t *check)
{
    return json_array_size(json_object_get(check, "findings")) > 0;
}

static void add_place(const json_t *f, struct buf *out)
{
    if (jsonx_text(f, "file") == NULL)
        return;
    html_add(out, jsonx_text(f, "file"));
    buf_addf(out, ":%lld: ", (long long)jsonx_int(f, "line", 1));
}

static void add_findings(const json_t *check, struct buf *out)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(check, "findings"), i, f) {
        AUTO(free) char *sentence = findings_sentence(f);

        html_add(out, findings_id(f));
        buf_add_text(out, ": ");
        add_place(f, out);
        html_add(out, sentence);
        buf_add_char(out, '\n');
    }
}

static void add_failure(const json_t *document, const json_t *check, struct buf *out)
{
    const json_t *against = findings_against(document, check);
    const json_t *first =
            against != NULL ? against : json_array_get(json_object_get(check, "findings"), 0);
    const char *reason = jsonx_text(check, "reason");
    AUTO(free) char *sentence = first == NULL ? xstrdup("failed") : findings_sentence(first);

    buf_add_text(out, "      <failure type=\"");
    html_add(out, first == NULL ? jsonx_text(check, "probe") : findings_id(first));
    buf_add_text(out, "\" message=\"");
    html_add(out, reason == NULL ? sentence : reason);
    buf_add_text(out, "\">");
    add_findings(check, out);
    buf_add_text(out, "</failure>\n");
}

/* What does not fail and was found all the same is said, and counts as what it is. */
static void add_said(const json_t *check, struct buf *out)
{
    const char *reason = jsonx_text(check, "reason");

    if (is_skipped(check)) {
        buf_add_text(out, "      <skipped message=\"");
        html_add(out, reason == NULL ? "skipped" : reason);
        buf_add_text(out, "\"/>\n");
    }
    if (!has_findings(check))
        return;
    buf_add_text(out, "      <system-out>");
    add_findings(check, out);
    buf_add_text(out, "</system-out>\n");
}

static void add_case(const json_t *document, const json_t *check, struct buf *out)
{
    const bool is_failure = findings_check_fails(document, check);

    buf_add_text(out, "    <testcase classname=\"");
    html_add(out, jsonx_text(check, "service"));
    buf_add_text(out, "\" name=\"");
    html_add(out, jsonx_text(check, "name"));
    buf_add_text(out, "\" time=\"");
    add_seconds(out, jsonx_int(check, "duration_ms", 0));
    if (!is_failure && !is_skipped(check) && !has_findings(check)) {
        buf_add_text(out, "\"/>\n");
        return;
    }
    buf_add_text(out, "\">\n");
    if (is_failure)
        add_failure(document, check, out);
    else
        add_said(check, out);
    buf_add_text(out, "    </testcase>\n");
}

struct counts {
    long long tests;
    long long failures;
    long long skipped;
    int64_t ms;
};

static bool is_in(const json_t *check, const char *service)
{
    return service == NULL || text_eq(jsonx_text(check, "service"), service);
}

static struct counts count(const json_t *document, const char *service)
{
    const json_t *checks = json_object_get(document, "checks");
    struct counts n = { 0 };
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
        if (!is_in(c, service))
            continue;
        n.tests++;
        n.failures += findings_check_fails(document, c);
        n.skipped += is_skipped(c) && !findings_check_fails(document, c);
        n.ms += jsonx_int(c, "duration_ms", 0);
    }
    return n;
}

static void add_suite(const json_t *document, const char *service, struct buf *out)
{
    const struct counts n = count(document, service);
    size_t i = 0;
    json_t *c = NULL;

    buf_add_text(out, "  <testsuite name=\"");
    html_add(out, service);
    buf_addf(out, "\" tests=\"%lld\" failures=\"%lld\" errors=\"0\" skipped=\"%lld\" time=\"",
            n.tests, n.failures, n.skipped);
    add_seconds(out, n.ms);
    buf_add_text(out, "\">\n");
    json_array_foreach (json_object_get(document, "checks"), i, c) {
        if (is_in(c, service))
            add_case(document, c, out);
    }
    buf_add_text(out, "  </testsuite>\n");
}

static bool is_first_of_service(const json_t *checks, size_t at)
{
    const char *service = jsonx_text(json_array_get(checks, at), "service");

    for (size_t i = 0; i < at; i++) {
        if (text_eq(jsonx_text(json_array_get(checks, i), "service"), service))
            return false;
    }
    return true;
}

/* ---- findings that stand for themselves (validate): a case each ---- */

static void add_finding_case(const json_t *document, const json_t *f, struct buf *out)
{
    const bool is_failure = findings_fails(document, f);
    AUTO(free) char *sentence = findings_sentence(f);

    buf_add_text(out, "    <testcase classname=\"");
    html_add(out, findings_id(f));
    buf_add_text(out, "\" name=\"");
    add_place(f, out);
    html_add(out, findings_title(f));
    buf_add_text(out, "\" time=\"0.000\">\n      ");
    buf_add_text(out, is_failure ? "<failure type=\"" : "<system-out>");
    if (is_failure) {
        html_add(out, findings_id(f));
        buf_add_text(out, "\" message=\"");
        html_add(out, findings_title(f));
        buf_add_text(out, "\">");
    }
    add_place(f, out);
    html_add(out, sentence);
    buf_add_text(out, is_failure ? "</failure>\n" : "</system-out>\n");
    buf_add_text(out, "    </testcase>\n");
}

static void add_finding_suite(const json_t *document, struct buf *out)
{
    const char *kind = jsonx_text(document, "kind");
    const json_t *findings = json_object_get(document, "findings");
    const size_t count = json_array_size(findings);
    size_t failures = 0;
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        failures += findings_fails(document, f);
    }
    buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"0.000\">\n",
            count == 0 ? 1 : count, failures);
    buf_addf(out,
            "  <testsuite name=\"%s\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
            "skipped=\"0\" time=\"0.000\">\n",
            kind, count == 0 ? 1 : count, failures);
    /* No case at all is an error to many readers. */
    if (count == 0)
        buf_addf(out, "    <testcase classname=\"%s\" name=\"nothing found\" time=\"0.000\"/>\n",
                kind);
    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        add_finding_case(document, f, out);
    }
    buf_add_text(out, "  </testsuite>\n</testsuites>\n");
}

void report_junit(const json_t *document, struct buf *out)
{
    const json_t *checks = json_object_get(document, "checks");
    const struct counts n = count(document, NULL);

    buf_add_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"deployer\"");
    if (json_array_size(checks) == 0) {
        add_finding_suite(document, out);
        return;
    }
    buf_addf(out, " tests=\"%lld\" failures=\"%lld\" errors=\"0\" time=\"", n.tests, n.failures);
    add_seconds(out, jsonx_int(document, "duration_ms", 0));
    buf_add_text(out, "\">\n");
    for (size_t i = 0; i < json_array_size(checks); i++) {
        if (is_first_of_service(checks, i))
            add_suite(document, jsonx_text(json_array_get(checks, i), "service"), out);
    }
    buf_add_text(out, "</testsuites>\n");
}
