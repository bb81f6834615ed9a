/*
 * garbage.h - what is left of deleted resources: processes that are ending, then their folders.
 */
#ifndef SANDBOX_GARBAGE_H
#define SANDBOX_GARBAGE_H

#include "sandbox/backend_core.h"

struct process;
struct task;

void garbage_tick(struct backend *b);

#endif
