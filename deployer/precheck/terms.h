/*
 * terms.h - the expressions of a kind's questions (`if`, `values`, `amount`; docs/expressions.md):
 * over `body` (the document), `name`, `location`, `each` and the values before them. What can't be
 * told yet (known only after apply, a member that isn't there) is no answer, and no error. Pure.
 */
#ifndef PRECHECK_TERMS_H
#define PRECHECK_TERMS_H

#include <stdbool.h>

#include <jansson.h>

#include "precheck/question.h"

/*
 * The question's `values` for a document of the resource: the one to send, or what is there. Owned;
 * NULL where one of them can't be told.
 */
json_t *terms_values(
        const json_t *question, const struct precheck_subject *s, const json_t *document);
/*
 * The number of the expression at `key`, of a document and its values; `otherwise` without one.
 * False where it can't be told.
 */
bool terms_number(const json_t *question, const char *key, const struct precheck_subject *s,
        const json_t *document, double otherwise, double *ret);
/* Whether `if` holds; true without one, false where it can't be told. */
bool terms_hold(const json_t *question, const struct precheck_subject *s);
/* Checks the form: expressions that parse. ERR_CONFIG. */
MUST_CHECK struct err *terms_check(const json_t *question);

#endif
