#include "report/html.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "report/findings.h"
#include "report/html_text.h"

/* The colours are chosen for a contrast of 4.5 and more on their grounds; state is never told by
 * colour alone. */
static const char style[] =
        ":root{color-scheme:light "
        "dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--dim:#59636e;--line:#d9dee3;--code:#eef1f4;"
        "--error:#b42318;--warning:#8a5a00;--note:#1f5fbf;--pass:#1a7f37;--skip:#59636e}"
        "@media "
        "(prefers-color-scheme:dark){:root{--bg:#0f1317;--card:#171c22;--ink:#e4e8ec;--dim:#9aa5b1;"
        "--line:#2b333c;"
        "--code:#0c1014;--error:#ff8578;--warning:#e6b450;--note:#79b0ff;--pass:#5bc873;--skip:#"
        "9aa5b1}}"
        "*{box-sizing:border-box}"
        "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 "
        "system-ui,-apple-system,Segoe UI,Roboto,sans-serif}"
        "main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}"
        "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.01em}"
        "h2{font-size:1.05rem;margin:2.5rem 0 .75rem}h2 "
        "span{color:var(--dim);font-weight:400;margin-left:.35rem}"
        "h3{font-size:1.02rem;margin:0;line-height:1.35}h4{font-size:.9rem;margin:1.1rem 0 .25rem}"
        ".meta{color:var(--dim);margin:0}"
        ".counts{display:flex;flex-wrap:wrap;gap:.5rem;margin:1.25rem 0 "
        "0;padding:0;list-style:none}"
        ".counts li{border:1px solid "
        "var(--line);background:var(--card);border-radius:999px;padding:.15rem .8rem}"
        ".counts b{font-variant-numeric:tabular-nums}"
        ".error{--c:var(--error)}.fail{--c:var(--error)}.warning{--c:var(--warning)}.warn{--c:var(-"
        "-warning)}"
        ".note{--c:var(--note)}.pass{--c:var(--pass)}.skip{--c:var(--skip)}"
        ".word{color:var(--c);font-weight:600}"
        "article{background:var(--card);border:1px solid var(--line);border-left:4px solid "
        "var(--c);border-radius:8px;"
        "padding:1rem 1.25rem 1.1rem;margin:0 0 .9rem}"
        ".id{font:600 .82rem/1 ui-monospace,SFMono-Regular,Menlo,monospace;color:var(--c);margin:0 "
        "0 .35rem}"
        ".id small{font:400 .82rem/1 system-ui,sans-serif;color:var(--dim);margin-left:.6rem}"
        "dl{display:grid;grid-template-columns:5.5rem 1fr;gap:.4rem 1rem;margin:.8rem 0 0}"
        "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}"
        "details{margin-top:.8rem}details+details{margin-top:.35rem}summary{cursor:pointer;color:"
        "var(--dim)}"
        "summary:hover,summary:focus-visible{color:var(--ink)}"
        ".text{border-left:2px solid var(--line);padding-left:1rem;margin:.6rem 0 "
        ".2rem;max-width:46rem}"
        "pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.85em}"
        "code{background:var(--code);border-radius:4px;padding:.1em .3em}"
        "pre{background:var(--code);border:1px solid var(--line);border-radius:6px;padding:.7rem "
        ".9rem;overflow:auto;"
        "margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:26rem}"
        "ul.facts{margin:.5rem 0 0;padding-left:1.1rem}"
        ".checks{background:var(--card);border:1px solid "
        "var(--line);border-radius:8px;overflow:hidden}"
        ".checks>details,.checks>div{margin:0;padding:.5rem 1.25rem;border-top:1px solid "
        "var(--line)}"
        ".checks>:first-child{border-top:0}.checks summary{color:inherit;list-style:none}"
        ".checks summary::-webkit-details-marker{display:none}"
        ".row{display:grid;grid-template-columns:3.2rem minmax(9rem,15rem) 1fr 5rem;gap:0 "
        "1rem;align-items:baseline}"
        ".row .name{font-weight:500;overflow-wrap:anywhere}.row "
        ".why{color:var(--dim);overflow-wrap:anywhere}"
        ".row .time{text-align:right;color:var(--dim);font-variant-numeric:tabular-nums}"
        ".checks summary .name::after{content:' \\25B8';color:var(--dim)}.checks [open]>summary "
        ".name::after{content:' \\25BE'}"
        ".bar{grid-column:2/-1;height:3px;margin:.3rem 0 "
        ".1rem;background:var(--code);border-radius:2px}"
        ".bar "
        "i{display:block;height:100%;min-width:2px;background:var(--c);opacity:.55;border-radius:"
        "2px}"
        "footer{margin-top:2.5rem;color:var(--dim);font-size:.85rem}"
        "@media (max-width:40rem){.row{grid-template-columns:3.2rem 1fr 4.2rem}.row "
        ".why{grid-column:2/-1;grid-row:2}"
        ".bar{grid-column:1/-1}dl{grid-template-columns:1fr;gap:.1rem}dd{margin-bottom:.5rem}}"
        "@media "
        "print{body{background:#fff}details:not([open])>*{display:block}pre{max-height:none}}";

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

    if (errors > 0)
        buf_addf(out, "%zu error%s found", errors, errors == 1 ? "" : "s");
    else if (failed > 0)
        buf_addf(out, "%lld check%s failed", (long long)failed, failed == 1 ? "" : "s");
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
    buf_add_text(out, "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
                      "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
                      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
                      "style-src 'unsafe-inline'\">\n"
                      "<title>");
    add_verdict(document, out);
    buf_add_text(out, " - deployer</title>\n<style>");
    buf_add_text(out, style);
    buf_add_text(out, "</style>\n<main>\n<h1>");
    add_verdict(document, out);
    buf_add_text(out, "</h1>\n");
    add_meta(document, out);
    add_counts(document, out);
    add_findings(document, runbooks, out);
    add_checks(document, out);
    buf_add_text(out,
            "<footer>deployer " DEPLOYER_VERSION
            ". A line opens what was seen; secrets are never in it.</footer>\n</main>\n</html>\n");
}
