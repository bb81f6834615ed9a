/*
 * retry.h - whether and when a request is sent again. Pure: clock and randomness are passed in.
 */
#ifndef HTTP_RETRY_H
#define HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http/loop.h"

/* Longest Retry-After that is believed. */
#define RETRY_AFTER_MAX_MS (24LL * 3600 * 1000)
/* Longest wait that we choose ourselves. */
#define RETRY_CAP_MS 60000

/* 408, 429 and 5xx, but for those that say "never" (501, 505). */
bool retry_status_is_transient(long status);
/* GET, HEAD, PUT, DELETE, OPTIONS: a lost answer does no harm. PATCH is here too: ours are merge
 * patches, which say a state and not a step. */
bool retry_method_is_idempotent(const char *method);
/*
 * What the service asks for: retry-after-ms, x-ms-retry-after-ms, Retry-After in seconds or as an
 * HTTP date (RFC 9110, 10.2.3; by the answer's own Date where it has one, else by wall_ms), in this
 * order. -1 if it says nothing (or nothing above zero).
 */
int64_t retry_after_ms(const struct http_response *r, int64_t wall_ms);
/* As above from the texts of the three headers (NULL p: absent). */
int64_t retry_after_parse(
        struct str after_ms, struct str ms_after_ms, struct str after, int64_t wall_ms);
/*
 * The wait before attempt `n` + 1 (n = 1: the first retry): 0.8 s x (2^n - 1) x (0.8 .. 1.3), at
 * most RETRY_CAP_MS, and never less than after_ms (-1: none). `random` is any number.
 */
int64_t retry_delay_ms(unsigned n, int64_t after_ms, uint32_t random);

#endif
