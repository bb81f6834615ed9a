/*
 * eval_op.h - the operators of expressions, for eval.c: && || ! == != < <= > >= ?? and ?:. What
 * can't be decided yet is printed in parentheses.
 */
#ifndef CATALOG_EVAL_OP_H
#define CATALOG_EVAL_OP_H

#include "catalog/eval.h"

MUST_CHECK struct err *eval_not(struct eval *ev, const struct expr_node *n, json_t **ret);
MUST_CHECK struct err *eval_binary(struct eval *ev, const struct expr_node *n, json_t **ret);
MUST_CHECK struct err *eval_cond(struct eval *ev, const struct expr_node *n, json_t **ret);
/* 1: null or absent, 0: neither, -1: known later. */
int eval_nullness(const json_t *value);

#endif
