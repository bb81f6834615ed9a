/*
 * vault.h - asks the stack's vault for secrets that stand neither in the environment nor in .env,
 * and tells each stack that is loaded afterwards.
 */
#ifndef COMMANDS_VAULT_H
#define COMMANDS_VAULT_H

#include <stdbool.h>

#include "base/err.h"
#include "commands/context.h"

struct cloud;
struct http_loop;

/* Whether the loaded model names secrets that only the vault can have and that it was not asked
 * for. */
bool vault_is_wanted(const struct context *c);
/* Asks for all of them at once; the model must be loaded anew then. The error names the place of
 * `vault:`, the vault and the secret. */
MUST_CHECK struct err *vault_ask(struct context *c, struct http_loop *loop, struct cloud *cloud);
/* Tells the loaded stack what was answered so far. */
void vault_tell(const struct context *c);

#endif
