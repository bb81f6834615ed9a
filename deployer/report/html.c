#include "report/html.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "report/findings.h"
#include "report/html_page.h"
#include "report/html_text.h"

/* ---- head ---- */

static size_t count_of(const json_t *document, const char *severity)
{
    size_t n = 0;
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        n += text_eq(jsonx_text(f, "severity"), severity);
    }
    return n;
}

/* The first thing that a reader wants to know, as a sentence. */
static void add_verdict(const json_t *document, struct buf *out)
{
    const size_t errors = count_of(document, "error");
    const json_t *summary = json_object_get(document, "summary");
    const int64_t failed = jsonx_int(summary, "fail", 0);
    const size_t others = json_array_size(json_object_get(document, "findings")) - errors;
    AUTO(free) char *why = findings_why(document);

    if (errors > 0)
        buf_addf(out, "%zu error%s found", errors, errors == 1 ? "" : "s");
    else if (failed > 0)
        buf_addf(out, "%lld check%s failed", (long long)failed, failed == 1 ? "" : "s");
    else if (why != NULL)
        buf_add_text(out, why);
    else if (others > 0)
        buf_addf(out, "Nothing failed, %zu thing%s to look at", others, others == 1 ? "" : "s");
    else if (jsonx_int(summary, "pass", 0) == 0 && jsonx_int(summary, "skip", 0) > 0)
        buf_add_text(out, "Nothing could be checked from here");
    else
        buf_add_text(out, "All is well");
}

static void add_meta(const json_t *document, struct buf *out)
{
    static const char *const members[] = { "stack", "environment", "target", "env_file",
        "started" };
    char took[CLOCK_DURATION_SIZE];

    buf_add_text(out, "<p class=meta>deployer ");
    html_add(out, jsonx_text(document, "kind") == NULL ? "validate" : jsonx_text(document, "kind"));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *text = jsonx_text(document, members[i]);

        if (text == NULL || text[0] == '\0')
            continue;
        buf_add_text(out, " &middot; ");
        html_add(out, text);
    }
    if (json_object_get(document, "duration_ms") != NULL) {
        clock_duration(jsonx_int(document, "duration_ms", 0), took);
        buf_addf(out, " &middot; took %s", took);
    }
    buf_add_text(out, "</p>\n");
}

static void add_counts(const json_t *document, struct buf *out)
{
    static const char *const words[][2] = { { "pass", "passed" }, { "fail", "failed" },
        { "warn", "warned" }, { "skip", "skipped" } };
    const json_t *summary = json_object_get(document, "summary");

    if (summary == NULL)
        return;
    buf_add_text(out, "<ul class=counts>");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const int64_t n = jsonx_int(summary, words[i][0], 0);

        if (n > 0)
            buf_addf(out, "<li class=%s><b class=word>%lld</b> %s</li>", words[i][0], (long long)n,
                    words[i][1]);
    }
    buf_add_text(out, "</ul>\n");
}

/* ---- findings ---- */

static void add_term(struct buf *out, const char *term, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    buf_addf(out, "<dt>%s</dt><dd>", term);
    html_add(out, text);
    buf_add_text(out, "</dd>\n");
}

static void add_where(const json_t *f, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    json_t *name = NULL;

    json_array_foreach (json_object_get(f, "checks"), i, name) {
        buf_addf(&text, "%s%s", i == 0 ? "" : ", ", json_string_value(name));
    }
    add_term(out, "Checks", buf_text(&text));
    if (jsonx_text(f, "file") != NULL) {
        buf_clear(&text);
        buf_addf(&text, "%s:%lld", jsonx_text(f, "file"), (long long)jsonx_int(f, "line", 1));
        add_term(out, "Where", buf_text(&text));
    }
}

/* Open at the first finding: there the reader is. */
static void add_evidence(const json_t *f, bool is_first, struct buf *out)
{
    const json_t *list = json_object_get(f, "evidence");
    size_t i = 0;
    json_t *one = NULL;

    if (json_array_size(list) == 0)
        return;
    buf_addf(
            out, "<details%s><summary>Evidence</summary><ul class=facts>", is_first ? " open" : "");
    json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
        buf_add_text(out, "<li><code>");
        html_add(out, json_string_value(one));
        buf_add_text(out, "</code></li>");
    }
    buf_add_text(out, "</ul></details>\n");
}

static void add_runbook(const char *id, const json_t *runbooks, struct buf *out)
{
    const char *text = jsonx_text(runbooks, id);

    if (text == NULL)
        return;
    buf_add_text(out, "<details><summary>Runbook ");
    html_add(out, id);
    buf_add_text(out, "</summary><div class=text>");
    html_add_markdown(out, str_of(text));
    buf_add_text(out, "</div></details>\n");
}

static void add_finding(const json_t *f, const json_t *runbooks, bool is_first, struct buf *out)
{
    const char *severity = jsonx_text(f, "severity");
    const char *cause = jsonx_text(f, "cause");

    buf_addf(out, "<article class=%s><p class=id>", severity);
    html_add(out, findings_id(f));
    if (text_eq(jsonx_text(f, "certainty"), "likely"))
        buf_add_text(out, "<small>likely, not certain</small>");
    buf_add_text(out, "</p><h3>");
    html_add(out, findings_title(f));
    buf_add_text(out, "</h3>\n<dl>");
    add_term(out, "Cause", cause != NULL ? cause : jsonx_text(f, "path"));
    add_term(out, "Fix",
            jsonx_text(f, "fix") != NULL ? jsonx_text(f, "fix") : jsonx_text(f, "hint"));
    add_where(f, out);
    buf_add_text(out, "</dl>\n");
    add_evidence(f, is_first, out);
    add_runbook(findings_id(f), runbooks, out);
    buf_add_text(out, "</article>\n");
}

static void add_findings(const json_t *document, const json_t *runbooks, struct buf *out)
{
    static const char *const groups[][2] = { { "error", "Errors" }, { "warning", "Warnings" },
        { "note", "Notes" } };
    bool is_first = true;

    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        const size_t count = count_of(document, groups[g][0]);
        size_t i = 0;
        json_t *f = NULL;

        if (count == 0)
            continue;
        buf_addf(out, "<h2>%s <span>%zu</span></h2>\n", groups[g][1], count);
        json_array_foreach (json_object_get(document, "findings"), i, f) {
            if (text_eq(jsonx_text(f, "severity"), groups[g][0]))
                add_finding(f, runbooks, is_first, out);
            is_first = is_first && !text_eq(jsonx_text(f, "severity"), groups[g][0]);
        }
    }
}

/* ---- checks ---- */

static int64_t slowest(const json_t *checks)
{
    int64_t most = 1;
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
        const int64_t ms = jsonx_int(c, "duration_ms", 0);

        most = ms > most ? ms : most;
    }
    return most;
}

static void add_row(const json_t *c, int64_t most, struct buf *out)
{
    const char *status = jsonx_text(c, "status");
    const int64_t ms = jsonx_int(c, "duration_ms", 0);
    char took[CLOCK_DURATION_SIZE];

    clock_duration(ms, took);
    buf_addf(out, "<div class=row><span class=word>%s</span><span class=name>", status);
    html_add(out, jsonx_text(c, "name"));
    buf_add_text(out, "</span><span class=why>");
    html_add(out, jsonx_text(c, "reason"));
    buf_addf(out,
            "</span><span class=time>%s</span><span class=bar><i "
            "style=\"width:%lld%%\"></i></span></div>",
            text_eq(status, "skip") ? "" : took, (long long)(ms * 100 / most));
}

static void add_check(const json_t *c, int64_t most, struct buf *out)
{
    const json_t *evidence = json_object_get(c, "evidence");
    AUTO(free) char *text = json_is_object(evidence) ? jsonx_pretty(evidence) : NULL;

    if (text == NULL) {
        buf_addf(out, "<div class=%s>", jsonx_text(c, "status"));
        add_row(c, most, out);
        buf_add_text(out, "</div>\n");
        return;
    }
    buf_addf(out, "<details class=%s><summary>", jsonx_text(c, "status"));
    add_row(c, most, out);
    buf_add_text(out, "</summary><pre>");
    html_add_str(out, str_trim(str_of(text)));
    buf_add_text(out, "</pre></details>\n");
}

static void add_checks(const json_t *document, struct buf *out)
{
    const json_t *checks = json_object_get(document, "checks");
    const int64_t most = slowest(checks);
    size_t i = 0;
    json_t *c = NULL;

    if (json_array_size(checks) == 0)
        return;
    buf_addf(
            out, "<h2>Checks <span>%zu</span></h2>\n<div class=checks>\n", json_array_size(checks));
    json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
        add_check(c, most, out);
    }
    buf_add_text(out, "</div>\n");
}

void report_html(const json_t *document, const json_t *runbooks, struct buf *out)
{
    AUTO(buf) struct buf title = BUF_INIT(BUF_TEXT_MAX);

    add_verdict(document, &title);
    html_page_begin(out, buf_text(&title));
    add_meta(document, out);
    add_counts(document, out);
    add_findings(document, runbooks, out);
    add_checks(document, out);
    html_page_end(out, "A line opens what was seen; secrets are never in it.");
}
