/*
 * locks.h - management locks, as ARM tells them, before they refuse something. Pure.
 * https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources
 */
#ifndef ARM_LOCKS_H
#define ARM_LOCKS_H

#include <stdbool.h>

#include <jansson.h>

/*
 * Where the locks on `scope` and what is in it are listed; on a subscription its own only. For
 * arm_send. Owned.
 */
char *arm_locks_path(const char *scope);
/*
 * Whether the lock refuses a write or delete of the resource: it holds for what is at and below its
 * scope, and what has something locked below it can't be deleted. A lock itself can.
 */
bool arm_lock_refuses(const json_t *lock, const char *id, bool is_delete);
/* "the lock keep (CanNotDelete: NOTES) on SCOPE". Owned. */
char *arm_lock_text(const json_t *lock);
/* The next step. Owned. */
char *arm_lock_hint(const json_t *lock);

#endif
