/*
 * clock.h - time in milliseconds. Waits use the monotonic clock and a deadline on it that is passed
 * down, never a time-out that starts again at each step.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Monotonic. */
int64_t clock_now_ms(void);
/* Since 1970, UTC. */
int64_t clock_wall_ms(void);
/* For tests: both clocks stand still at these values until called with -1, -1. */
void clock_fake(int64_t now_ms, int64_t wall_ms);
/* What is left until `deadline_ms` (monotonic), never below 0, at most INT_MAX. */
int clock_left_ms(int64_t deadline_ms);
/* Writes "2026-11-26T09:17:00Z". */
#define CLOCK_RFC3339_SIZE 24
void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339_SIZE]);
/* Writes a duration for people: "340 ms", "4.2 s", "3 min 05 s", "2 h 10 min". */
#define CLOCK_DURATION_SIZE 32
void clock_duration(int64_t duration_ms, char ret[CLOCK_DURATION_SIZE]);
/* Blocks; only for programs without an event loop of their own (probes' retries, sandbox). */
void clock_sleep_ms(int64_t duration_ms);

#endif
