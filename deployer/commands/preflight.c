#include "commands/preflight.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/catalog.h"
#include "commands/runbook_set.h"
#include "commands/verdict.h"
#include "lint/lint.h"
#include "report/findings.h"
#include "precheck/terms.h"
#include "stack/stack.h"

static json_t *judge(struct context *c, const struct runbooks *set)
{
    const struct lint_input in = {
        .model = c->model, .stack = c->stack, .catalog = c->catalog, .runbooks = set
    };

    return lint_stack(&in, &c->diags);
}

static bool is_own(const struct context *c, const char *file)
{
    const struct stack *s = c->stack;

    for (size_t i = 0; i < s->catalog_count; i++) {
        if (str_starts(str_of(file), str_of(s->catalogs[i])))
            return true;
    }
    return false;
}

static void check_questions(struct context *c, const struct kind *k)
{
    size_t i = 0;
    json_t *question = NULL;

    json_array_foreach ((json_t *)(uintptr_t)k->before, i, question) {
        AUTO(err) struct err *e = terms_check(question);
        AUTO(free) char *path = xasprintf("before[%zu]", i);

        if (e != NULL)
            diag_add(&c->diags, DIAG_ERROR, "catalog", k->place, path, "%s", err_text(e));
    }
}

/* Rules that can't be read would never find anything. Those that are built in have a test. */
static void check_own_rules(struct context *c, const struct runbooks *set)
{
    const struct kind *last = NULL;
    const char *name = NULL;
    json_t *service = NULL;

    if (c->stack->catalog_count == 0)
        return;
    for (size_t i = 0; i < c->model->resource_count; i++) {
        const struct kind *k = c->model->resources[i].kind;

        if (k != last && is_own(c, k->place.file)) {
            lint_check_list(k->rules, k->name, k->rules_place, &c->diags);
            check_questions(c, k);
        }
        last = k;
    }
    json_object_foreach ((json_t *)(uintptr_t)c->model->services, name, service) {
        const char *use = jsonx_text(service, "use");
        const char *file = catalog_contract_place(c->catalog, use).file;

        if (file != NULL && is_own(c, file))
            lint_check_contract(c->catalog, use, &c->diags);
    }
    for (size_t i = 0; i < set->count; i++) {
        if (is_own(c, set->items[i].place.file))
            lint_check_list(
                    set->items[i].lint, set->items[i].id, set->items[i].lint_place, &c->diags);
    }
}

/* A sound stack is told so by the runbooks that have a lint; the others only lend their titles. */
struct err *preflight_findings(struct context *c, json_t **ret)
{
    struct runbooks set;

    TRY(runbook_set_load_lints(c, &set));
    check_own_rules(c, &set);
    TRY(context_check_diags(c, "the rules of the catalog"));
    json_auto_t *findings = judge(c, &set);

    if (json_array_size(findings) > 0) {
        TRY(runbook_set_load(c, &set));
        json_decref(findings);
        findings = judge(c, &set);
    }
    TRY(context_check_diags(c, "the rules of the catalog"));
    *ret = TAKE(findings);
    return NULL;
}

/* ---- as a document ---- */

static const char *status_of(const json_t *findings)
{
    const char *status = "pass";
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        const char *severity = jsonx_text(f, "severity");

        if (text_eq(severity, "error"))
            return "fail";
        if (text_eq(severity, "warning"))
            status = "warn";
    }
    return status;
}

/* What is said of no service is said of the stack's own. */
static const char *service_of(const json_t *finding)
{
    const char *service = jsonx_text(finding, "service");

    return service == NULL ? "stack" : service;
}

static json_t *findings_of(const json_t *findings, const char *service)
{
    json_t *own = jsonx_must(json_array());
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        if (text_eq(service_of(f), service))
            json_array_append(own, f);
    }
    return own;
}

static json_t *check_of(const json_t *findings, const char *service)
{
    json_t *own = findings_of(findings, service);
    const char *status = status_of(own);
    const json_t *first = json_array_get(own, 0);
    const char *cause = jsonx_text(first, jsonx_text(first, "cause") != NULL ? "cause" : "text");

    return jsonx_must(json_pack("{s:o, s:s, s:s, s:s, s:s?, s:i, s:o}", "name",
            jsonx_textf("%s.preflight", service), "service", service, "probe", "preflight",
            "status", status, "reason", cause, "duration_ms", 0, "findings", own));
}

static void name_checks(json_t *findings)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (findings, i, f) {
        json_object_set_new(f, "checks",
                jsonx_must(json_pack("[o]", jsonx_textf("%s.preflight", service_of(f)))));
    }
}

json_t *preflight_document(const struct context *c, const char *kind, const json_t *findings)
{
    json_t *document = jsonx_must(json_pack("{s:i, s:s, s:s, s:s, s:s, s:i}", "format_version", 1,
            "kind", kind, "stack", c->model->stack, "environment", c->model->environment,
            "deployer", DEPLOYER_VERSION, "duration_ms", 0));
    json_t *checks = jsonx_must(json_array());
    json_t *summary = jsonx_must(
            json_pack("{s:i, s:i, s:i, s:i}", "pass", 0, "fail", 0, "warn", 0, "skip", 0));
    json_t *copy = jsonx_copy(findings);
    const char *name = NULL;
    json_t *service = NULL;

    name_checks(copy);
    json_object_foreach ((json_t *)(uintptr_t)c->model->services, name, service) {
        json_t *check = check_of(copy, name);
        const char *status = jsonx_text(check, "status");

        json_object_set_new(summary, status, json_integer(jsonx_int(summary, status, 0) + 1));
        json_array_append_new(checks, check);
    }
    json_object_set_new(document, "checks", checks);
    json_object_set_new(document, "summary", summary);
    json_object_set_new(document, "findings", copy);
    return document;
}

/* ---- before a change ---- */

static enum diag_severity severity_of(const char *word)
{
    if (text_eq(word, "error"))
        return DIAG_ERROR;
    return text_eq(word, "warning") ? DIAG_WARNING : DIAG_NOTE;
}

static void print(struct context *c, const json_t *findings)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        const struct place place = { .file = jsonx_text(f, "file"),
            .line = (int)jsonx_int(f, "line", 0),
            .column = (int)jsonx_int(f, "column", 0) };
        struct diag *d = diag_add(&c->diags, severity_of(jsonx_text(f, "severity")),
                jsonx_text(f, "code"), place, jsonx_text(f, "path"), "%s", jsonx_text(f, "cause"));

        if (jsonx_text(f, "fix") != NULL)
            diag_set_hint(&c->diags, d, "%s", jsonx_text(f, "fix"));
    }
    context_print_diags(c, c->stack->file);
}

struct err *preflight_check(struct context *c, const char *fail_on)
{
    json_auto_t *findings = NULL;

    TRY(preflight_findings(c, &findings));
    print(c, findings);
    json_auto_t *document =
            jsonx_must(json_pack("{s:o}", "findings", context_diags_json(&c->diags)));

    verdict_set_fail_on(document, fail_on);
    if (!findings_any_fails(document))
        return NULL;
    struct err *e = err_new(ERR_FAILED, 0,
            "%s: nothing was touched: the findings above would let it fail", c->stack->file);
    err_set_hint(e, "mend them, or name them with a reason under 'ignore:' in the stack file");
    return e;
}
