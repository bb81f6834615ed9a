/*
 * vault_plane.h - what a vault answers itself: secrets by https://VAULT.vault.localhost:PORT, the
 * suffix that the metadata tell (keyVaultDns). They are the resources that the control plane knows
 * as vaults/secrets; each value that was set here stays readable by its version. Errors have the
 * form of Key Vault's data plane 7.4.
 */
#ifndef SANDBOX_VAULT_PLANE_H
#define SANDBOX_VAULT_PLANE_H

#include "sandbox/sandbox.h"

/* "vault.localhost:PORT", PORT as in `host`. Owned. */
MUST_CHECK char *vault_plane_suffix(const char *host);
/* Whether the request was sent to a vault. */
bool vault_plane_is_for(const struct request *q);
/* Answers by itself, refusals too. */
void vault_plane_handle(struct call *c);

#endif
