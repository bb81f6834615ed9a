/*
 * vault.h - reads secrets from a vault by the login that ARM is called with (Key Vault's data
 * plane, 7.4): GET https://VAULT.SUFFIX/secrets/NAME. The suffix is the cloud's, as its metadata
 * say it, and a token for it goes nowhere else.
 * https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret
 */
#ifndef ARM_VAULT_H
#define ARM_VAULT_H

#include "cloud/cloud.h"

struct arm_vault_question {
    const char *vault;        /* its name: "kv-example" */
    const char *const *names; /* variables: X_Y is asked for as X-Y */
    size_t count;
    int64_t deadline_ms;
    /* Called once a name, in any order; `value` is borrowed, NULL: there is no such secret. */
    void (*answer)(void *arg, const char *name, struct secret *value);
    /* Called once, last. `e` is owned: the first failure, after which not all was answered. */
    void (*done)(void *arg, struct err *e);
    void *arg;
};

/* Asks for all names at once; texts are copied. ERR_DENIED, ERR_AUTH, ERR_NET, ERR_API; the message
 * names vault and secret. */
void arm_vault_ask(struct cloud *c, const struct arm_vault_question *q);
/* What a variable's secret is called in a vault: letters, digits and dashes alone. Owned. */
MUST_CHECK char *arm_vault_name(const char *variable);

#endif
