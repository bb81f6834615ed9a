/* The variables of a stack's containers against the contracts of their services. */
#include "base/alloc.h"
#include "base/jsonx.h"
#include "lint/contract.h"
#include "lint/lint.h"
#include "lint/rule.h"

struct told {
    struct lint_run *run;
    const char *service;
};

static void on_finding(void *arg, const struct contract_finding *f)
{
    const struct told *t = arg;
    const struct runbooks *set = t->run->in->runbooks;
    const struct runbook *r =
            f->runbook == NULL || set == NULL ? NULL : runbook_find(set, f->runbook);
    const struct lint_words w = { .code = f->code,
        .runbook = r,
        .title = r == NULL ? f->variable : NULL,
        .severity = f->severity,
        .cause = f->text,
        .fix = f->fix,
        .service = t->service,
        .variable = f->variable };

    lint_add(t->run, &w);
}

static void on_value(void *arg, const struct rule_break *b)
{
    json_object_set((json_t *)arg, "value", json_object_get(b->vars, "it"));
}

/* The contract's `context`: each an expression that gives a list. Owned. */
static json_t *context_of(struct lint_run *run, const json_t *contract)
{
    json_t *context = jsonx_must(json_object());
    const char *name = NULL;
    json_t *text = NULL;

    json_object_foreach (json_object_get(contract, "context"), name, text) {
        json_auto_t *values = jsonx_must(json_array());
        json_auto_t *vars = jsonx_must(json_object());
        json_auto_t *sink = jsonx_must(json_object());
        json_auto_t *rule = jsonx_must(
                json_pack("{s:{s:O}, s:s, s:s}", "for", "it", text, "when", "true", "text", ""));
        struct rule_scope scope = { .root = run->view->root, .vars = vars, .memory = &run->memory };
        struct err *e = rule_judge(rule, &scope, on_value, sink);

        if (e != NULL)
            diag_add(run->diags, DIAG_ERROR, "contract", (struct place){ .file = name }, "", "%s",
                    err_text(e));
        err_ignore(e, "it is in the diagnostics");
        if (json_object_get(sink, "value") != NULL)
            json_array_append(values, json_object_get(sink, "value"));
        json_object_set(context, name, values);
    }
    return context;
}

static void judge_service(struct lint_run *run, const char *service, const json_t *contract)
{
    json_auto_t *context = context_of(run, contract);
    struct told told = { .run = run, .service = service };
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach (json_object_get(run->view->root, "containers"), i, c) {
        const struct contract_subject subject = { .contract = contract,
            .env = json_object_get(c, "env"),
            .container = jsonx_text(c, "name"),
            .context = context,
            .root = run->view->root,
            .memory = &run->memory,
            .fn = on_finding,
            .arg = &told };

        if (!text_eq(jsonx_text(c, "service"), service))
            continue;
        lint_not_judged(
                run, (struct place){ .file = service }, "contract", contract_judge(&subject));
    }
}

/* Every variable that a container of the service has: {NAME: value}. Owned. */
static json_t *names_of(const struct lint_run *run, const char *service)
{
    json_t *names = jsonx_must(json_object());
    size_t i = 0;
    json_t *c = NULL;

    json_array_foreach (json_object_get(run->view->root, "containers"), i, c) {
        if (text_eq(jsonx_text(c, "service"), service))
            json_object_update(names, json_object_get(c, "env"));
    }
    return names;
}

void lint_contracts(struct lint_run *run)
{
    const char *name = NULL;
    json_t *service = NULL;

    json_object_foreach ((json_t *)(uintptr_t)run->view->model->services, name, service) {
        json_auto_t *names = names_of(run, name);
        const json_t *contract =
                catalog_contract(run->in->catalog, jsonx_text(service, "use"), names, run->diags);

        if (contract != NULL)
            judge_service(run, name, contract);
    }
}
