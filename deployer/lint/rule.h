/*
 * rule.h - one rule: for these things, when this holds, that must hold; else it says what is wrong
 * and what to change. The same form serves kinds (`rules`), runbooks (`lint`) and contracts
 * (`rules`); docs/lints.md describes it. What is unknown neither holds nor fails. Pure.
 */
#ifndef LINT_RULE_H
#define LINT_RULE_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "catalog/index.h"

/* Expressions that were parsed before, by their text: many rules are judged many times. */
struct rule_memory {
    struct index parsed; /* .arena must be set: it keeps texts and trees */
};

/* A rule's names and the document behind them. */
struct rule_scope {
    const json_t *root;         /* what a name means that no `for` binds */
    json_t *vars;               /* {name: value}; `for` adds to it while it runs */
    struct rule_memory *memory; /* or NULL */
};

/* A rule that does not hold, once for each combination of `for`. */
struct rule_break {
    const json_t *vars; /* the names of that combination; borrowed */
    char *text, *fix;   /* filled in; fix may be NULL; owned by the caller of the callback */
    char *at;           /* filled in, or NULL */
};

/*
 * Checks the form: known keys, expressions that parse, functions that exist. ERR_CONFIG.
 */
MUST_CHECK struct err *rule_check(const json_t *rule);
/*
 * Judges the rule and calls fn for each combination that breaks it. ERR_CONFIG for a rule that
 * can't be judged: an operator on the wrong type, a wrong function.
 */
MUST_CHECK struct err *rule_judge(const json_t *rule, struct rule_scope *scope,
        void (*fn)(void *arg, const struct rule_break *b), void *arg);
/*
 * The text at `key` of an object {when, KEY: "...${...}"}, filled in; NULL when its `when` does not
 * hold. In clear: for environments that are in clear. Owned.
 */
MUST_CHECK struct err *rule_text(
        const json_t *object, const char *key, struct rule_scope *scope, char **ret);

#endif
