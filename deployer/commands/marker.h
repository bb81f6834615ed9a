/*
 * marker.h - the tag on a stack's resource group that says which state owns it, so that a second
 * state (a lost one made anew, a colleague's local one) is told before it does harm.
 */
#ifndef COMMANDS_MARKER_H
#define COMMANDS_MARKER_H

#include <stdbool.h>

#include "base/err.h"
#include "commands/session.h"

/* Its value: LINEAGE, a blank, where the state is kept. */
#define MARKER_TAG "deployer-state"

/* Puts the tag into the document of the group that the stack makes. Before the refresh. */
void marker_set(struct session *s);
/*
 * After the refresh: ERR_PROTECT that names both states when the group is marked by another one,
 * unless `is_taken_over`.
 */
MUST_CHECK struct err *marker_check(const struct session *s, bool is_taken_over);

#endif
