/*
 * progress.h - what an apply is doing. On a terminal a block of lines at the bottom that is
 * redrawn: what is under way, for how long, what usually remains; what ended scrolls away above it.
 * Elsewhere one line an event, and after `quiet_ms` without one what is still under way. Writes to
 * stderr; log lines go between (log_set_hook).
 */
#ifndef REPORT_PROGRESS_H
#define REPORT_PROGRESS_H

#include <stdbool.h>

#include "engine/engine.h"

struct progress;

/* Where lines stay, as in a pipeline's log: so long without one, and it is told what goes on. */
#define PROGRESS_QUIET_MS (30 * 1000)

MUST_CHECK struct progress *progress_new(bool has_color, bool is_live, int64_t quiet_ms);
/* Takes the block away. NULL is accepted. */
void progress_free(struct progress *p);
/* Which engine it tells of; borrowed. NULL: none (any more). */
void progress_attach(struct progress *p, const struct engine *e);
/* struct engine_setup's `event`, with the progress as its argument. */
void progress_event(
        void *p, enum engine_event_kind kind, const struct engine_node *node, const char *text);
/* The cloud is so much faster or slower than the kinds' usual times: a sandbox. */
void progress_set_scale(struct progress *p, double scale);
/* A line that stays, above the block. */
void progress_say(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What is done while there are no nodes at work: "reading what exists". NULL: nothing. */
void progress_stage(struct progress *p, const char *stage);
/* How far the stage is: "9 of 14: redis.login". NULL: nothing. */
void progress_detail(struct progress *p, const char *detail);

#endif
