/*
 * rights.h - what a login may do and what a subscription offers, as ARM tells it: the paths to ask
 * at, and the reading of the answers. Pure; the asking is arm_send's.
 * https://learn.microsoft.com/azure/role-based-access-control/role-definitions (Actions,
 * NotActions)
 */
#ifndef ARM_RIGHTS_H
#define ARM_RIGHTS_H

#include <stdbool.h>

#include <jansson.h>

#include "catalog/kind.h"

/*
 * Where rights on `id` are asked for: its resource group, else its subscription. Owned; NULL for
 * an id of neither.
 */
char *arm_rights_scope(const char *id);
/* The path for arm_send. Owned. */
char *arm_rights_path(const char *scope);
/* Whether any entry of the answer allows the action ("Microsoft.App/containerApps/write"). */
bool arm_rights_allow(const json_t *permissions, const char *action);
/* TYPE/write, TYPE/delete; with a path below the resource: TYPE/PATH/action. Owned. */
char *arm_rights_action(const struct kind *k, const char *verb);
/* The type of what has this id, as actions spell it. Owned; NULL for a subscription. */
char *arm_rights_type(const char *id);

/* "Microsoft.App" of "Microsoft.App/containerApps". Owned. */
char *arm_provider_of(const struct kind *k);
char *arm_provider_path(const char *subscription, const char *ns);
/* Whether the subscription has the provider registered, or is about to. */
bool arm_provider_is_registered(const json_t *provider);
/*
 * Whether the kind's type is offered in a region; true where the provider does not say.
 */
bool arm_provider_has_region(const json_t *provider, const struct kind *k, const char *location);
/* Whether the kind's api-version is among those of its type; true where it does not say. */
bool arm_provider_has_version(const json_t *provider, const struct kind *k);

#endif
