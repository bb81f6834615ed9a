/*
 * vault_fault.h - what a vault's refusal means, and what to do about it. Pure.
 * https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
 */
#ifndef ARM_VAULT_FAULT_H
#define ARM_VAULT_FAULT_H

#include <jansson.h>

#include "base/err.h"

/* Whether the answer says that there is no such secret. `body` may be NULL. */
bool vault_fault_is_absent(long status, const json_t *body);
/* ERR_AUTH for 401, ERR_DENIED for 403, else ERR_API, with the code, the reason behind it and the
 * next step. `body` may be NULL. */
MUST_CHECK struct err *vault_fault_err(long status, const json_t *body);

#endif
