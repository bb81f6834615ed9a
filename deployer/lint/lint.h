/*
 * lint.h - what can be found wrong with a stack before anything is deployed: bodies against what
 * their kinds know, the kinds' rules, the runbooks' lints, the services' variables against their
 * contracts. No network. docs/lints.md describes rules and findings.
 */
#ifndef LINT_LINT_H
#define LINT_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/diag.h"
#include "catalog/catalog.h"
#include "lint/rule.h"
#include "lint/view.h"
#include "runbook/runbook.h"

struct lint_input {
    const struct model *model;
    const struct stack *stack;
    const struct catalog *catalog;
    const struct runbooks *runbooks; /* NULL: none */
};

/*
 * Every finding on the stack: [{"code", "runbook" (where one describes it), "title", "severity",
 * "certainty", "cause", "fix", "service", "evidence", "checks", "file", "line", "column",
 * "path"}], by place. What the stack's `ignore:` names is left out; an entry that names nothing
 * found is a finding of its own. A rule that can't be judged is a mistake of the catalog: a
 * warning in `diags`, unless a body lacks something or has the wrong type, which is a finding.
 * Owned.
 */
MUST_CHECK json_t *lint_stack(const struct lint_input *in, struct diag_list *diags);
/* The form of some rules; `name` is what they are of. Errors go to `diags`, at `place`. */
void lint_check_list(
        const json_t *rules, const char *name, struct place place, struct diag_list *diags);
/* The form of a service's contract, if it has one. Errors go to `diags`, where its file is named.
 */
void lint_check_contract(const struct catalog *c, const char *service, struct diag_list *diags);
/* The forms of all rules of kinds, runbooks and contracts. */
void lint_check_rules(
        const struct catalog *c, const struct runbooks *runbooks, struct diag_list *diags);

/* ---- between the files of lint/ ---- */

struct lint_run {
    const struct lint_input *in;
    struct lint_view *view;
    struct rule_memory memory;
    json_t *findings;
    struct diag_list *diags;
};

/* What a finding says; NULL where there is nothing. */
struct lint_words {
    const char *code;
    const struct runbook *runbook;
    const char *title;
    const char *severity; /* "error" */
    const char *cause;
    const char *fix;
    const char *service;  /* the stack's */
    const char *input;    /* of it, where the value comes from */
    const char *variable; /* of its containers */
};

void lint_add(struct lint_run *run, const struct lint_words *w);
/* Judges one rule over the view; `vars` binds further names. `owner` is where the rule stands. */
void lint_judge(struct lint_run *run, const json_t *rule, const json_t *vars, struct place owner,
        const struct lint_words *otherwise);
/* Takes an error of rule_judge; `path` says whose rule it is. */
void lint_not_judged(struct lint_run *run, struct place owner, const char *path, struct err *e);
/* Every body against its kind's properties (body.c). */
void lint_bodies(struct lint_run *run);
/* Secrets that two services take from one variable (secrets.c). */
void lint_secrets(struct lint_run *run);
/* The variables of each service's containers against its contract. */
void lint_contracts(struct lint_run *run);

#endif
