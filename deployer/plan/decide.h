/*
 * decide.h - inside of plan_build: what happens to one resource, seen alone. Only for plan/.
 */
#ifndef PLAN_DECIDE_H
#define PLAN_DECIDE_H

#include "plan/plan.h"

/* Fills the item of a resource of the file. `key` is its id's, NULL while it has none. */
void decide_subject(struct arena *arena, const struct plan_input *in, const struct plan_subject *s,
        const char *key, const json_t *entry, struct plan_item *ret);
/* Fills the item of an entry that the file no longer has. */
void decide_leftover(struct arena *arena, const struct plan_input *in, const char *key,
        const json_t *entry, bool is_address_in_file, struct plan_item *ret);
/* Protections, time and what is not available meanwhile, once the action is settled. */
void decide_consequences(struct arena *arena, struct plan_item *item);

#endif
