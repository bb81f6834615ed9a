/*
 * values.h - what ${env.X} and ${secret.X} can mean: the process environment as it was at the
 * start, then .env, then for secrets what the vault said. stack_env and stack_secret
 * (stack/stack.h) answer from it.
 */
#ifndef STACK_VALUES_H
#define STACK_VALUES_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"

struct stack_values;

/* What a name was found in. */
enum values_origin { VALUES_NONE, VALUES_PROCESS, VALUES_DOTENV };

/*
 * Copies the process environment and reads `dotenv_path` if there is such a file. Lives in
 * `arena`, whose end wipes it.
 */
MUST_CHECK struct err *values_load(struct arena *arena, const char *dotenv_path,
        struct diag_list *diags, struct stack_values **ret);
/*
 * Where a value comes from; *ret_place (may be NULL) is its line in .env. A secret that is empty
 * in the process environment counts as absent there: CI systems set "" for what they don't have.
 */
enum values_origin values_origin(
        const struct stack_values *v, const char *name, bool is_secret, struct place *ret_place);

#endif
