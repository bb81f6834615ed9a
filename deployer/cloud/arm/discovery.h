/*
 * discovery.h - what a cloud is from its ARM endpoint: where tokens come from and for whom. Pure.
 */
#ifndef ARM_DISCOVERY_H
#define ARM_DISCOVERY_H

#include <jansson.h>

#include "base/err.h"

struct discovery {
    char *authority;    /* "https://login.microsoftonline.com", without a slash at the end; owned */
    char *audience;     /* as given, a slash at its end included; owned */
    char *vault_suffix; /* what vaults' names end in, "vault.azure.net"; NULL: not told; owned */
};

struct discovery_known {
    const char *name; /* "AzureCloud" */
    const char *endpoint;
    const char *authority;
    const char *audience;
    const char *vault_suffix;
};
/* A cloud that needs no asking, by its endpoint or else by its authority; NULL: unknown. */
const struct discovery_known *discovery_by_endpoint(const char *endpoint);
const struct discovery_known *discovery_by_authority(const char *authority);
/*
 * Reads GET /metadata/endpoints: the object of 2022-09-01 and 2015-01-01, or the array of clouds of
 * 2019-05-01 (the one whose resourceManager is `endpoint`, else the first). ERR_PROTO without a
 * login endpoint.
 */
MUST_CHECK struct err *discovery_read(
        const json_t *body, const char *endpoint, struct discovery *ret);
void discovery_release(struct discovery *d);
/* "https://host[:port][/path]" from a URL or a bare host, without slashes at the end. Owned.
 * ERR_USAGE for another scheme; `what` names it. */
MUST_CHECK struct err *discovery_base(const char *url, const char *what, char **ret);

#endif
