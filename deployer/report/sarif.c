#include "report/sarif.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "report/findings.h"

static const char *level_of(const char *severity)
{
    if (text_eq(severity, "error"))
        return "error";
    return text_eq(severity, "warning") ? "warning" : "note";
}

static bool has_rule(const json_t *rules, const char *id)
{
    size_t i = 0;
    json_t *r = NULL;

    json_array_foreach ((json_t *)(uintptr_t)rules, i, r) {
        if (text_eq(jsonx_text(r, "id"), id))
            return true;
    }
    return false;
}

static void add_rule(json_t *rules, const char *id, const char *title, const char *fix)
{
    if (has_rule(rules, id))
        return;
    json_t *r = jsonx_must(json_object());

    json_object_set_new(r, "id", jsonx_textf("%s", id));
    json_object_set_new(r, "shortDescription",
            jsonx_must(json_pack("{s:o}", "text", jsonx_textf("%s", title))));
    if (fix != NULL)
        json_object_set_new(
                r, "help", jsonx_must(json_pack("{s:o}", "text", jsonx_textf("%s", fix))));
    json_array_append_new(rules, r);
}

/* A path as a URI reference. Owned. */
static json_t *uri_of(const char *path)
{
    AUTO(buf) struct buf uri = BUF_INIT(BUF_TEXT_MAX);
    struct str rest = str_of(path);

    if (path[0] == '/')
        buf_add_text(&uri, "file://");
    while (rest.p != NULL) {
        encode_percent(&uri, str_cut(&rest, '/'));
        if (rest.p != NULL)
            buf_add_char(&uri, '/');
    }
    return text_json(buf_str(&uri));
}

static json_t *location_of(const json_t *finding, const char *stack_file)
{
    const char *own = jsonx_text(finding, "file");
    const char *file = own != NULL ? own : stack_file;

    if (file == NULL)
        return NULL;
    /* A column or line of 0 would break the schema: they count from 1. */
    const int64_t line = jsonx_int(finding, "line", 1);
    const int64_t column = jsonx_int(finding, "column", 1);

    return jsonx_must(
            json_pack("{s:{s:{s:o}, s:{s:I, s:I}}}", "physicalLocation", "artifactLocation", "uri",
                    uri_of(file), "region", "startLine", (json_int_t)(line < 1 ? 1 : line),
                    "startColumn", (json_int_t)(column < 1 ? 1 : column)));
}

static void add_result(json_t *results, const char *rule, const char *severity, json_t *message,
        const json_t *finding, const char *stack_file)
{
    json_t *r = jsonx_must(json_object());
    json_t *location = location_of(finding, stack_file);

    json_object_set_new(r, "ruleId", jsonx_textf("%s", rule));
    json_object_set_new(r, "level", jsonx_textf("%s", level_of(severity)));
    json_object_set_new(r, "message", jsonx_must(json_pack("{s:o}", "text", message)));
    if (location != NULL)
        json_object_set_new(r, "locations", jsonx_must(json_pack("[o]", location)));
    json_array_append_new(results, r);
}

static void add_findings(
        const json_t *document, const char *stack_file, json_t *rules, json_t *results)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (json_object_get(document, "findings"), i, f) {
        const char *id = findings_id(f);

        add_rule(rules, id, findings_title(f), jsonx_text(f, "fix"));
        AUTO(free) char *message = findings_sentence(f);

        add_result(
                results, id, jsonx_text(f, "severity"), jsonx_textf("%s", message), f, stack_file);
    }
}

static void add_checks(
        const json_t *document, const char *stack_file, json_t *rules, json_t *results)
{
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach (json_object_get(document, "checks"), i, c) {
        if (!text_eq(jsonx_text(c, "status"), "fail") || findings_explain(document, c))
            continue;
        add_rule(rules, "check-failed", "A check failed", NULL);
        add_result(results, "check-failed", "error",
                jsonx_textf("%s: %s", jsonx_text(c, "name"), jsonx_text(c, "reason")), NULL,
                stack_file);
    }
}

json_t *report_sarif(const json_t *document, const char *stack_file)
{
    json_t *rules = jsonx_must(json_array());
    json_t *results = jsonx_must(json_array());

    add_findings(document, stack_file, rules, results);
    add_checks(document, stack_file, rules, results);
    return jsonx_must(json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:o}]}", "$schema",
            "https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool",
            "driver", "name", "deployer", "version", DEPLOYER_VERSION, "rules", rules, "results",
            results));
}
