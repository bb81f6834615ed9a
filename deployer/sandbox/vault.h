/*
 * vault.h - values of Key Vault secrets that containers refer to by URL.
 */
#ifndef SANDBOX_VAULT_H
#define SANDBOX_VAULT_H

#include "sandbox/backend_core.h"

/* The value behind "https://VAULT.vault.azure.net/secrets/NAME[/VERSION]"; borrowed, or NULL. */
const char *vault_secret(struct backend *b, const char *url);

#endif
