/*
 * contract.h - judges an environment by a service's contract: which variables there are, of what
 * form, which must be set, what must hold between them (docs/lints.md, "Contracts"). Pure. No text
 * of a finding holds the value of a secret variable.
 */
#ifndef LINT_CONTRACT_H
#define LINT_CONTRACT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

struct rule_memory;

struct contract_finding {
    const char *code;    /* "env.required" ... or "env.RULE" */
    const char *runbook; /* id, or NULL */
    const char *severity;
    const char *variable;
    const char *text;
    const char *fix; /* or NULL */
};

struct contract_subject {
    const json_t *contract;
    const json_t *env;          /* {NAME: text, or {"$unknown"}}; empty texts count as not set */
    const char *container;      /* NULL: one environment for all of them */
    const json_t *context;      /* {NAME: [value]}, or NULL */
    const json_t *root;         /* further names of rules (a view's), or NULL */
    struct rule_memory *memory; /* or NULL */
    void (*fn)(void *arg, const struct contract_finding *f);
    void *arg;
};

/* Calls fn for each finding. ERR_CONFIG for a rule that can't be judged, after all others were. */
MUST_CHECK struct err *contract_judge(const struct contract_subject *s);
/* The contract's form: known members, types and rules. ERR_CONFIG with the first that is wrong. */
MUST_CHECK struct err *contract_check(const json_t *contract);
/* Adds to `env` what follows from it by `derive`. */
MUST_CHECK struct err *contract_derive(const json_t *contract, json_t *env);
/* The table of all variables as Markdown, and a .env with those that `names` has. */
void contract_table(const json_t *contract, struct buf *out);
void contract_template(const json_t *contract, const json_t *names, struct buf *out);

#endif
