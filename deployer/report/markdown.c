#include "report/markdown.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "report/findings.h"

/* Text that can't break out of a table's cell or begin markup. */
static void add_cell(struct buf *out, const char *text)
{
    AUTO(buf) struct buf safe = BUF_INIT(BUF_TEXT_MAX);

    text_add_escaped(&safe, str_of(text));
    for (size_t i = 0; i < safe.len; i++) {
        if (safe.p[i] == '<')
            buf_add_text(out, "&lt;");
        else if (strchr("|`*_[]#", safe.p[i]) != NULL)
            buf_addf(out, "\\%c", safe.p[i]);
        else
            buf_add_char(out, safe.p[i]);
    }
}

static const char *mark_of(const char *status)
{
    static const struct {
        const char *status;
        const char *mark;
    } marks[] = { { "pass", "✅" }, { "fail", "❌" }, { "warn", "⚠️" }, { "skip", "⏭️" } };

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (text_eq(status, marks[i].status))
            return marks[i].mark;
    }
    return "";
}

static void add_checks(const json_t *document, struct buf *out)
{
    const json_t *checks = json_object_get(document, "checks");
    size_t i = 0;
    json_t *c = NULL;

    if (json_array_size(checks) == 0)
        return;
    buf_add_text(out, "| | check | time | |\n| --- | --- | ---: | --- |\n");
    json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
        char duration[CLOCK_DURATION_SIZE];

        clock_duration(jsonx_int(c, "duration_ms", 0), duration);
        buf_addf(out, "| %s | ",
                mark_of(findings_check_fails(document, c) ? "fail" : jsonx_text(c, "status")));
        add_cell(out, jsonx_text(c, "name"));
        buf_addf(out, " | %s | ", duration);
        add_cell(out, jsonx_text(c, "reason"));
        buf_add_text(out, " |\n");
    }
}

static void add_place(const json_t *f, struct buf *out)
{
    const char *file = jsonx_text(f, "file");

    if (file == NULL)
        return;
    buf_add_text(out, " — ");
    add_cell(out, file);
    if (jsonx_int(f, "line", 0) > 0)
        buf_addf(out, ":%lld", (long long)jsonx_int(f, "line", 0));
}

static void add_finding(const json_t *f, struct buf *out)
{
    size_t i = 0;
    json_t *v = NULL;
    const char *cause = jsonx_text(f, "cause");
    const char *fix = jsonx_text(f, "fix");

    buf_add_text(out, "\n### ");
    add_cell(out, findings_id(f));
    buf_add_text(out, ": ");
    add_cell(out, findings_title(f));
    add_place(f, out);
    buf_add_char(out, '\n');
    if (cause != NULL) {
        buf_add_text(out, "\n**Cause:** ");
        add_cell(out, cause);
        buf_add_char(out, '\n');
    }
    if (fix == NULL)
        fix = jsonx_text(f, "hint");
    if (fix != NULL) {
        buf_add_text(out, "\n**Fix:** ");
        add_cell(out, fix);
        buf_add_char(out, '\n');
    }
    json_array_foreach (json_object_get(f, "evidence"), i, v) {
        buf_add_text(out, i == 0 ? "\n- " : "- ");
        add_cell(out, json_string_value(v));
        buf_add_char(out, '\n');
    }
}

static void add_finding_count(const json_t *document, struct buf *out)
{
    size_t errors = 0;
    size_t others = 0;
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        const bool is_error = text_eq(jsonx_text(f, "severity"), "error");

        errors += is_error;
        others += !is_error;
    }
    if (errors + others == 0)
        buf_add_text(out, "✅ nothing found\n\n");
    else
        buf_addf(out, "%zu error%s, %zu warning%s or note%s\n\n", errors, errors == 1 ? "" : "s",
                others, others == 1 ? "" : "s", others == 1 ? "" : "s");
}

static void add_heading(const json_t *document, struct buf *out)
{
    const json_t *s = json_object_get(document, "summary");
    const char *stack = jsonx_text(document, "stack");
    AUTO(free) char *why = findings_why(document);

    buf_addf(out, "## deployer %s", jsonx_text(document, "kind"));
    if (stack != NULL) {
        buf_add_char(out, ' ');
        add_cell(out, stack);
    }
    buf_add_text(out, "\n\n");
    if (json_array_size(json_object_get(document, "checks")) == 0)
        add_finding_count(document, out);
    else
        buf_addf(out, "%lld passed, %lld failed, %lld warned, %lld skipped\n\n",
                (long long)jsonx_int(s, "pass", 0), (long long)jsonx_int(s, "fail", 0),
                (long long)jsonx_int(s, "warn", 0), (long long)jsonx_int(s, "skip", 0));
    if (why != NULL)
        buf_addf(out, "❌ %s\n\n", why);
}

void report_markdown(const json_t *document, struct buf *out)
{
    size_t i = 0;
    json_t *f = NULL;

    add_heading(document, out);
    add_checks(document, out);
    json_array_foreach (json_object_get(document, "findings"), i, f) {
        add_finding(f, out);
    }
}

/* A workflow command's data: %, line ends; in a property also : and , (actions/toolkit's rules). */
static void add_command_text(struct buf *out, const char *text, bool is_property)
{
    for (const char *c = text == NULL ? "" : text; *c != '\0'; c++) {
        const bool is_special =
                *c == '%' || *c == '\r' || *c == '\n' || (is_property && (*c == ':' || *c == ','));

        if (is_special)
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
        else
            buf_add_char(out, *c);
    }
}

static void add_annotation(struct buf *out, const char *severity, const json_t *place,
        const char *stack_file, const char *title, const char *text)
{
    const char *own = jsonx_text(place, "file");
    const char *file = own != NULL ? own : stack_file;

    buf_addf(out, "::%s ",
            text_eq(severity, "error")     ? "error"
            : text_eq(severity, "warning") ? "warning"
                                           : "notice");
    if (file != NULL) {
        buf_add_text(out, "file=");
        add_command_text(out, file, true);
        buf_addf(out, ",line=%lld,", (long long)jsonx_int(place, "line", 1));
    }
    buf_add_text(out, "title=");
    add_command_text(out, title, true);
    buf_add_text(out, "::");
    add_command_text(out, text, false);
    buf_add_char(out, '\n');
}

void report_github(const json_t *document, const char *stack_file, struct buf *out)
{
    size_t i = 0;
    json_t *v = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, v) {
        AUTO(free) char *sentence = findings_sentence(v);
        AUTO(free) char *title = xasprintf("%s: %s", findings_id(v), findings_title(v));

        add_annotation(out, jsonx_text(v, "severity"), v, stack_file, title, sentence);
    }
    json_array_foreach (json_object_get(document, "checks"), i, v) {
        if (text_eq(jsonx_text(v, "status"), "fail") && !findings_explain(document, v))
            add_annotation(
                    out, "error", NULL, stack_file, jsonx_text(v, "name"), jsonx_text(v, "reason"));
    }
}
