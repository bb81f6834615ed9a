/*
 * subscriptions.h - what stands above resources: the tenant, the subscription, its resource
 * groups and providers, permissions, names that are free.
 */
#ifndef SANDBOX_SUBSCRIPTIONS_H
#define SANDBOX_SUBSCRIPTIONS_H

#include "sandbox/sandbox.h"

/*
 * Handles what is no resource of a kind: /subscriptions, /tenants, /subscriptions/S/providers...,
 * locations, checkNameAvailability, permissions. *ret_is_handled false: it is something else.
 */
MUST_CHECK struct err *subscriptions_handle(struct call *c, bool *ret_is_handled);

#endif
