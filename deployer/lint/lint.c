#include "lint/lint.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "lint/contract.h"
#include "lint/rule.h"

/* ---- findings ---- */

static void set_text(json_t *finding, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(finding, key, text_json(str_of(text)));
}

/* The same thing said of the same place twice helps nobody (two containers, one variable). */
static bool is_said(const json_t *findings, const json_t *finding)
{
    static const char *const keys[] = { "code", "title", "cause", "path" };
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        bool is_same = true;

        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            is_same = is_same && text_eq(jsonx_text(f, keys[k]), jsonx_text(finding, keys[k]));
        if (is_same)
            return true;
    }
    return false;
}

void lint_add(struct lint_run *run, const struct lint_words *w)
{
    AUTO(free) char *path = NULL;
    const struct place place = lint_view_place(run->view, w->service, w->input, w->variable, &path);
    json_t *f = jsonx_must(json_object());
    const struct runbook *r = w->runbook;

    set_text(f, "code", r != NULL ? r->id : w->code);
    set_text(f, "runbook", r != NULL ? r->id : NULL);
    set_text(f, "title", w->title != NULL || r == NULL ? w->title : r->title);
    set_text(f, "severity",
            w->severity != NULL ? w->severity
            : r != NULL         ? runbook_severity_name(r->severity)
                                : "error");
    set_text(f, "certainty", "certain");
    set_text(f, "cause", w->cause);
    set_text(f, "fix", w->fix);
    set_text(f, "service", w->service);
    set_text(f, "file", place.file);
    set_text(f, "path", path);
    json_object_set_new(f, "line", json_integer(place.line));
    json_object_set_new(f, "column", json_integer(place.column));
    json_object_set_new(f, "evidence", jsonx_must(json_array()));
    json_object_set_new(f, "checks", jsonx_must(json_array()));
    if (is_said(run->findings, f))
        json_decref(f);
    else
        json_array_append_new(run->findings, f);
}

/* ---- rules ---- */

struct sink {
    struct lint_run *run;
    const json_t *rule;
    const struct lint_words *otherwise;
};

/* What `at` names: "NAME", "NAME.INPUT" or "NAME.env.VARIABLE", NAME one of the rule's. */
static void locate(const struct rule_break *b, struct lint_words *w, char **ret_rest)
{
    struct str rest = str_of(b->at);
    AUTO(free) char *name = b->at == NULL ? NULL : str_dup(str_cut(&rest, '.'));
    const json_t *thing = name == NULL ? NULL : json_object_get(b->vars, name);

    if (thing == NULL) { /* the first name that has a service */
        const char *key = NULL;
        json_t *value = NULL;

        json_object_foreach ((json_t *)(uintptr_t)b->vars, key, value) {
            if (thing == NULL && jsonx_text(value, "service") != NULL)
                thing = value;
        }
    }
    if (jsonx_text(thing, "service") != NULL)
        w->service = jsonx_text(thing, "service");
    if (b->at == NULL || rest.p == NULL || rest.len == 0)
        return;
    const bool is_variable = str_starts(rest, STR("env."));

    *ret_rest = str_dup(is_variable ? str_slice(rest, 4, rest.len) : rest);
    if (is_variable)
        w->variable = *ret_rest;
    else
        w->input = *ret_rest;
}

static void on_break(void *arg, const struct rule_break *b)
{
    const struct sink *s = arg;
    struct lint_words w = *s->otherwise;
    AUTO(free) char *rest = NULL;
    const char *runbook = jsonx_text(s->rule, "runbook");

    if (runbook != NULL && s->run->in->runbooks != NULL)
        w.runbook = runbook_find(s->run->in->runbooks, runbook);
    if (runbook != NULL && w.runbook == NULL)
        w.code = runbook;
    if (jsonx_text(s->rule, "severity") != NULL)
        w.severity = jsonx_text(s->rule, "severity");
    if (jsonx_text(s->rule, "title") != NULL)
        w.title = jsonx_text(s->rule, "title");
    w.cause = b->text;
    if (b->fix != NULL)
        w.fix = b->fix;
    locate(b, &w, &rest);
    lint_add(s->run, &w);
}

/* What a body lacks or has of another type is found by itself; rules may build on it. */
static bool has_wrong_body(const struct lint_run *run)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (run->findings, i, f) {
        if (text_eq(jsonx_text(f, "code"), "body.type")
                || text_eq(jsonx_text(f, "code"), "body.required"))
            return true;
    }
    return false;
}

void lint_not_judged(struct lint_run *run, struct place owner, const char *path, struct err *e)
{
    AUTO(err) struct err *taken = e;

    if (taken == NULL || has_wrong_body(run))
        return;
    struct diag *d = diag_add(run->diags, DIAG_WARNING, "rule.not-judged", owner, path,
            "a rule can't be judged: %s", err_text(taken));

    diag_set_hint(run->diags, d,
            "that is a mistake in the catalog and none of the stack: what the rule is about was "
            "not "
            "looked at");
}

void lint_judge(struct lint_run *run, const json_t *rule, const json_t *vars, struct place owner,
        const struct lint_words *otherwise)
{
    json_auto_t *own =
            vars == NULL ? jsonx_must(json_object()) : json_copy((json_t *)(uintptr_t)vars);
    struct rule_scope scope = { .root = run->view->root, .vars = own, .memory = &run->memory };
    struct sink sink = { .run = run, .rule = rule, .otherwise = otherwise };
    const char *path = otherwise->runbook != NULL ? otherwise->runbook->id : otherwise->code;

    lint_not_judged(run, owner, path, rule_judge(rule, &scope, on_break, &sink));
}

/* ---- kinds and runbooks ---- */

static void judge_kinds(struct lint_run *run)
{
    const struct model *m = run->view->model;

    for (size_t i = 0; i < m->resource_count; i++) {
        const struct resource *r = &m->resources[i];
        const json_t *self = r->existing == NULL ? lint_view_resource(run->view, r) : NULL;
        size_t k = 0;
        json_t *rule = NULL;

        if (self == NULL || r->kind->rules == NULL)
            continue;
        json_auto_t *vars = jsonx_must(
                json_pack("{s:O, s:O?}", "self", self, "body", json_object_get(self, "body")));
        AUTO(free) char *code = xasprintf("rule.%s", r->kind->name);
        const struct lint_words w = { .code = code, .title = r->address, .service = r->service };

        json_array_foreach ((json_t *)(uintptr_t)r->kind->rules, k, rule) {
            if (json_object_get(rule, "changes") == NULL)
                lint_judge(run, rule, vars, r->kind->rules_place, &w);
        }
    }
}

static void judge_runbooks(struct lint_run *run)
{
    const struct runbooks *set = run->in->runbooks;

    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct lint_words w = { .runbook = &set->items[i] };
        size_t k = 0;
        json_t *rule = NULL;

        json_array_foreach ((json_t *)(uintptr_t)set->items[i].lint, k, rule) {
            lint_judge(run, rule, NULL, set->items[i].place, &w);
        }
    }
}

/* ---- ignoring ---- */

static bool is_ignored(const struct lint_run *run, const json_t *finding, bool *used)
{
    const struct doc_node *list = run->in->stack->ignore;

    for (size_t i = 0; list != NULL && list->kind == DOC_LIST && i < list->count; i++) {
        const struct doc_node *id = doc_get(list->items[i], "id");

        if (id != NULL && text_eq(id->text, jsonx_text(finding, "code"))) {
            used[i] = true;
            return true;
        }
    }
    return false;
}

static void report_unused(struct lint_run *run, const bool *used)
{
    const struct doc_node *list = run->in->stack->ignore;

    for (size_t i = 0; list != NULL && list->kind == DOC_LIST && i < list->count; i++) {
        const struct doc_node *id = doc_get(list->items[i], "id");

        if (used[i] || id == NULL || id->text == NULL)
            continue;
        AUTO(free) char *cause = xasprintf("nothing was found that 'ignore' %s is for", id->text);
        const struct lint_words w = { .code = "ignore.unused",
            .title = "An ignored finding is not there any more",
            .severity = "note",
            .cause = cause,
            .fix = "take the entry away" };

        lint_add(run, &w);
        json_t *last = json_array_get(run->findings, json_array_size(run->findings) - 1);

        json_object_set_new(last, "line", json_integer(list->items[i]->place.line));
        json_object_set_new(last, "column", json_integer(list->items[i]->place.column));
        set_text(last, "path", "ignore");
    }
}

static void drop_ignored(struct lint_run *run)
{
    const struct doc_node *list = run->in->stack->ignore;
    AUTO(free) bool *used = xcalloc(list == NULL ? 1 : list->count + 1, sizeof(*used));
    json_t *kept = jsonx_must(json_array());
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach (run->findings, i, f) {
        if (!is_ignored(run, f, used))
            json_array_append(kept, f);
    }
    json_decref(run->findings);
    run->findings = kept;
    report_unused(run, used);
}

/* ---- all ---- */

static int by_place(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a;
    const json_t *y = *(json_t *const *)b;
    const int64_t lines = jsonx_int(x, "line", 0) - jsonx_int(y, "line", 0);
    const int64_t columns = jsonx_int(x, "column", 0) - jsonx_int(y, "column", 0);

    if (lines != 0 || columns != 0)
        return (lines != 0 ? lines : columns) < 0 ? -1 : 1;
    return strcmp(jsonx_text(x, "code"), jsonx_text(y, "code"));
}

static json_t *sorted(json_t *findings)
{
    const size_t count = json_array_size(findings);
    AUTO(free) json_t **items = xcalloc(count + 1, sizeof(json_t *));
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(findings, i);
    if (count > 1)
        qsort(items, count, sizeof(json_t *), by_place);
    for (size_t i = 0; i < count; i++)
        json_array_append(list, items[i]);
    return list;
}

json_t *lint_stack(const struct lint_input *in, struct diag_list *diags)
{
    AUTO(lint_view) struct lint_view view = { 0 };
    AUTO(arena) struct arena *arena = arena_new();
    struct lint_run run = { .in = in,
        .view = &view,
        .memory.parsed.arena = arena,
        .findings = jsonx_must(json_array()),
        .diags = diags };

    lint_view_init(&view, in->model, in->stack);
    lint_bodies(&run);
    judge_kinds(&run);
    judge_runbooks(&run);
    lint_contracts(&run);
    lint_secrets(&run);
    drop_ignored(&run);
    json_t *list = sorted(run.findings);

    json_decref(run.findings);
    return list;
}

void lint_check_list(
        const json_t *rules, const char *file, struct place place, struct diag_list *diags)
{
    size_t i = 0;
    json_t *rule = NULL;

    json_array_foreach ((json_t *)(uintptr_t)rules, i, rule) {
        AUTO(err) struct err *e = rule_check(rule);

        if (e != NULL)
            diag_add(diags, DIAG_ERROR, "rule", place, file, "rule %zu: %s", i + 1, err_text(e));
    }
}

void lint_check_contract(const struct catalog *c, const char *service, struct diag_list *diags)
{
    const json_t *contract = catalog_contract(c, service, NULL, diags);
    AUTO(err) struct err *e = contract == NULL ? NULL : contract_check(contract);

    if (e != NULL)
        diag_add(diags, DIAG_ERROR, "contract", catalog_contract_place(c, service), "contract",
                "%s", err_text(e));
}

void lint_check_rules(
        const struct catalog *c, const struct runbooks *runbooks, struct diag_list *diags)
{
    for (size_t i = 0; i < catalog_kind_count(c); i++) {
        const struct kind *k = catalog_kind_at(c, i);

        if (k != NULL)
            lint_check_list(k->rules, k->name, k->rules_place, diags);
    }
    for (size_t i = 0; i < catalog_service_count(c); i++)
        lint_check_contract(c, catalog_service_name(c, i), diags);
    for (size_t i = 0; runbooks != NULL && i < runbooks->count; i++)
        lint_check_list(runbooks->items[i].lint, runbooks->items[i].id,
                runbooks->items[i].lint_place, diags);
}
