/*
 * steps.h - changes that a service does not take, although each of both values would do: storage
 * that only grows, versions that only go up or one at a time, an address space that is in use. Data
 * of the kinds (`rules` with `changes`) and services (`versions`): docs/catalog.md. Pure.
 */
#ifndef PLAN_STEPS_H
#define PLAN_STEPS_H

#include "plan/plan.h"

/*
 * What the kinds' rules refuse of a plan's updates: [{"check": "change", "severity": "error",
 * "address", "path", "from", "to", "text", "hint"}]. Owned.
 */
MUST_CHECK json_t *steps_refused(const struct plan *p);
/*
 * Whether one of [{from: GLOB, to: GLOB, only: up|down}] allows the step. True for what is no
 * version ("latest"), and where nothing changes.
 */
bool steps_allow(const json_t *steps, const char *from, const char *to);

#endif
