/*
 * access.h - what the caller may do: the sandbox's own principal everything, unless the fault
 * script's `permissions` limit it; identities what role assignments at a scope or above give them.
 * https://learn.microsoft.com/azure/role-based-access-control/role-definitions
 */
#ifndef SANDBOX_ACCESS_H
#define SANDBOX_ACCESS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "sandbox/sandbox.h"

/* Of the caller at a scope, in the form of /permissions: [{actions, notActions, ...}]. Owned. */
json_t *access_permissions(const struct call *c, const char *scope);
/* Whether an action ("Microsoft.App/containerApps/write") is allowed at a scope. */
bool access_allows(const struct call *c, const char *action, const char *scope);
/* The same for a data action ("Microsoft.KeyVault/vaults/secrets/getSecret/action"). */
bool access_allows_data(const struct call *c, const char *action, const char *scope);
/* 403 AuthorizationFailed unless it is. */
MUST_CHECK struct err *access_check(const struct call *c, const char *action, const char *scope);
/* For a request about a resource, its collection or something behind it (`sub`, or NULL). */
MUST_CHECK struct err *access_check_resource(const struct call *c, const char *sub);
/* 403 LinkedAuthorizationFailed where a document names what the caller may not join or assign. */
MUST_CHECK struct err *access_check_linked(const struct call *c, const json_t *document);
/* Answers the GET of a built-in role's definition; false: it is none. */
bool access_handle_role(struct call *c);
/* Adds the built-in roles that the request's filter lets pass to a list of definitions. */
void access_add_roles(const struct call *c, json_t *value);

#endif
