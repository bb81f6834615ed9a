/*
 * hold.h - resource providers with limits of their own: one that has had enough is left alone for a
 * while, the others are not. ARM's buckets are http/pace.h's. Pure: the clock is passed in.
 * https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
 */
#ifndef ARM_HOLD_H
#define ARM_HOLD_H

#include <stdint.h>

#include "base/str.h"

struct arm_hold;

/* Nothing of that class goes to the namespace ("Microsoft.Network", any case) before until_ms. */
void arm_hold_set(struct arm_hold **list, struct str ns, unsigned class, int64_t until_ms);
/* How long until a request may go; 0: now. */
int64_t arm_hold_wait_ms(struct arm_hold *list, struct str ns, unsigned class, int64_t now_ms);
void arm_hold_free(struct arm_hold *list);
/*
 * The least that remains by x-ms-ratelimit-remaining-resource ("Microsoft.Compute/PutVM3Min;107,
 * Microsoft.Compute/PutVM30Min;587"); -1 if it says nothing (NULL p: no header).
 */
int64_t arm_hold_remaining(struct str header);

#endif
