/*
 * pace.h - a client-side token bucket, so that we don't cause a 429, corrected by what the service
 * says remains. Pure: the clock is passed in. Tokens may fall below zero: then there is a debt.
 */
#ifndef HTTP_PACE_H
#define HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    double capacity;
    double per_ms; /* refill */
    double tokens;
    int64_t at_ms; /* when `tokens` was true */
    int64_t blocked_until_ms;
    unsigned in_flight;
    unsigned taken; /* tickets given */
};

void pace_init(struct pace *p, double capacity, double per_second, int64_t now_ms);
/* How long until a request may go; 0: now. */
int64_t pace_wait_ms(struct pace *p, int64_t now_ms);
/* A request goes. Returns its ticket. */
unsigned pace_take(struct pace *p, int64_t now_ms);
/*
 * The answer to a ticket came; `remaining` as the service counted when it answered, -1 if it said
 * nothing. That is news of the past: what was sent after the ticket or is under way is taken off.
 */
void pace_answer(struct pace *p, unsigned ticket, int64_t remaining, int64_t now_ms);
/* 429: nothing goes for that long, and the bucket is empty then but for the first request. */
void pace_block(struct pace *p, int64_t wait_ms, int64_t now_ms);

#endif
