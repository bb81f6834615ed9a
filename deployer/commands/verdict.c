#include "commands/verdict.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "commands/runbook_set.h"
#include "report/findings.h"
#include "report/html.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/sarif.h"
#include "report/style.h"
#include "report/verify_text.h"
#include "stack/stack.h"

/* Facts that hold whether or not the endpoint can be reached from here. */
static json_t *control_plane_half(const json_t *evidence)
{
    static const char *const groups[] = { "arm", "net", "target", "client", "stack" };
    json_t *half = jsonx_must(json_object());

    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (json_object_get(evidence, groups[i]) != NULL)
            json_object_set(half, groups[i], json_object_get(evidence, groups[i]));
    }
    return half;
}

static bool quotes_control_plane(const json_t *finding)
{
    size_t i = 0;
    json_t *quote = NULL;

    json_array_foreach (json_object_get(finding, "evidence"), i, quote) {
        const struct str text = str_of(json_string_value(quote));

        if (str_starts(text, STR("arm.")) || str_starts(text, STR("net.")))
            return true;
    }
    return false;
}

/* A check that was not made says nothing by itself: what the control plane tells may. */
static json_t *match_skipped(const struct runbooks *set, const json_t *check)
{
    json_auto_t *half = control_plane_half(json_object_get(check, "evidence"));
    json_t *found =
            runbook_match(set, half, jsonx_text(check, "name"), jsonx_text(check, "service"));

    for (size_t i = json_array_size(found); i > 0; i--) {
        if (!quotes_control_plane(json_array_get(found, i - 1)))
            json_array_remove(found, i - 1);
    }
    return found;
}

static void add_findings(const struct runbooks *set, json_t *check)
{
    const json_t *evidence = json_object_get(check, "evidence");
    const bool is_skipped = text_eq(jsonx_text(check, "status"), "skip")
                            || json_is_false(jsonx_at(evidence, "probe.reachable"));

    /* What is let pass is no finding. */
    if (evidence == NULL || (is_skipped && json_is_true(jsonx_at(evidence, "arm.not_running"))))
        return;
    json_object_set_new(check, "findings",
            is_skipped ? match_skipped(set, check)
                       : runbook_match(set, evidence, jsonx_text(check, "name"),
                               jsonx_text(check, "service")));
    const json_t *findings = json_object_get(check, "findings");

    if (text_eq(jsonx_text(check, "status"), "pass") && json_array_size(findings) > 0
            && !text_eq(jsonx_text(json_array_get(findings, 0), "severity"), "note"))
        json_object_set_new(check, "status", json_string("warn"));
}

static json_t *summary_of(const json_t *checks)
{
    static const char *const words[] = { "pass", "fail", "warn", "skip" };
    json_t *summary = jsonx_must(json_object());

    for (size_t w = 0; w < ARRAY_LEN(words); w++) {
        json_int_t n = 0;
        size_t i = 0;
        json_t *c = NULL;

        json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
            n += text_eq(jsonx_text(c, "status"), words[w]);
        }
        json_object_set_new(summary, words[w], json_integer(n));
    }
    return summary;
}

json_t *verdict_document(
        const struct runbooks *set, const char *kind, json_t *checks, int64_t duration_ms)
{
    json_t *document = jsonx_must(json_object());
    char now[CLOCK_RFC3339_SIZE];
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach (checks, i, c) {
        add_findings(set, c);
    }
    clock_rfc3339(clock_wall_ms() - duration_ms, now);
    json_object_set_new(document, "format_version", json_integer(1));
    json_object_set_new(document, "kind", jsonx_textf("%s", kind));
    json_object_set_new(document, "deployer", jsonx_textf("%s", DEPLOYER_VERSION));
    json_object_set_new(document, "started", jsonx_textf("%s", now));
    json_object_set_new(document, "duration_ms", json_integer(duration_ms));
    json_object_set_new(document, "summary", summary_of(checks));
    json_object_set(document, "checks", checks);
    json_object_set_new(document, "findings", runbook_merge(set, checks));
    return document;
}

static bool names_runbook(const json_t *findings)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        if (jsonx_text(f, "runbook") != NULL)
            return true;
    }
    return false;
}

/* {ID: Markdown} of the runbooks that the findings name; owned. */
static json_t *texts_of(struct context *c, const json_t *findings)
{
    json_t *texts = jsonx_must(json_object());
    struct runbooks set = { 0 };
    size_t i = 0;
    json_t *f = NULL;

    if (!names_runbook(findings))
        return texts;
    err_ignore(runbook_set_load(c, &set), "the report stands without what is wrong there");
    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        const char *id = jsonx_text(f, "runbook");
        const struct runbook *r = id == NULL ? NULL : runbook_find(&set, id);

        if (r != NULL)
            json_object_set_new(texts, r->id, text_json(str_of(r->body)));
    }
    return texts;
}

struct err *verdict_write_reports(struct context *c, const json_t *document)
{
    const char *file = c->stack == NULL ? NULL : c->stack->file;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    if (context_wants(c, "junit")) {
        buf_clear(&text);
        report_junit(document, &text);
        TRY(context_write(c, "junit", buf_str(&text)));
    }
    if (context_wants(c, "sarif")) {
        json_auto_t *sarif = report_sarif(document, file);
        AUTO(free) char *pretty = jsonx_pretty(sarif);

        TRY(context_write(c, "sarif", str_of(pretty)));
    }
    if (context_wants(c, "markdown")) {
        buf_clear(&text);
        report_markdown(document, &text);
        TRY(context_write(c, "markdown", buf_str(&text)));
    }
    if (context_wants(c, "github")) {
        buf_clear(&text);
        report_github(document, file, &text);
        TRY(context_write(c, "github", buf_str(&text)));
    }
    if (context_wants(c, "html")) {
        json_auto_t *runbooks = texts_of(c, json_object_get(document, "findings"));

        buf_clear(&text);
        report_html(document, runbooks, &text);
        TRY(context_write(c, "html", buf_str(&text)));
    }
    return NULL;
}

struct err *verdict_write(struct context *c, const json_t *document)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    if (context_wants(c, "text")) {
        report_verify_text(document, c->has_color, style_width(STDOUT_FILENO), &text);
        TRY(context_write(c, "text", buf_str(&text)));
    }
    TRY(verdict_write_reports(c, document));
    return context_write_json(c, document);
}

const char *const verdict_severities[] = { "error", "warn", "warning", "note", NULL };

void verdict_set_fail_on(json_t *document, const char *fail_on)
{
    const char *word = fail_on == NULL ? "error" : text_eq(fail_on, "warning") ? "warn" : fail_on;

    json_object_set_new(document, "fail_on", jsonx_textf("%s", word));
}

struct err *verdict_status(const json_t *document)
{
    return findings_any_fails(document) ? err_new(ERR_FAILED, 0, "%s", "") : NULL;
}
