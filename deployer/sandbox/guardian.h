/*
 * guardian.h - a small process that outlives the sandbox for an instant: when the sandbox's end of
 * a pipe closes, however that came about, it kills the process groups it was told of and ends.
 */
#ifndef SANDBOX_GUARDIAN_H
#define SANDBOX_GUARDIAN_H

#include <sys/types.h>

#include "base/err.h"

struct guardian;

/* Forks: call it before any thread is started. */
MUST_CHECK struct err *guardian_start(struct guardian **ret);
void guardian_watch(struct guardian *g, pid_t group);
void guardian_forget(struct guardian *g, pid_t group);
/* Ends it; groups it still knows are killed. NULL is accepted. */
void guardian_stop(struct guardian *g);

#endif
