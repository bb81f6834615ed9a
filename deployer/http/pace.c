#include "http/pace.h"

/* One to spend and one in reserve: the service rounds down, and answers come late. */
#define NEEDED 2.0

static void refill(struct pace *p, int64_t now_ms)
{
    if (now_ms <= p->at_ms)
        return;
    p->tokens += (double)(now_ms - p->at_ms) * p->per_ms;
    if (p->tokens > p->capacity)
        p->tokens = p->capacity;
    p->at_ms = now_ms;
}

void pace_init(struct pace *p, double capacity, double per_second, int64_t now_ms)
{
    *p = (struct pace){
        .capacity = capacity, .per_ms = per_second / 1000, .tokens = capacity, .at_ms = now_ms
    };
}

int64_t pace_wait_ms(struct pace *p, int64_t now_ms)
{
    int64_t wait = 0;

    refill(p, now_ms);
    if (p->tokens < NEEDED)
        wait = (int64_t)((NEEDED - p->tokens) / p->per_ms) + 1;
    if (p->blocked_until_ms - now_ms > wait)
        wait = p->blocked_until_ms - now_ms;
    return wait;
}

unsigned pace_take(struct pace *p, int64_t now_ms)
{
    refill(p, now_ms);
    p->tokens -= 1;
    p->in_flight++;
    return ++p->taken;
}

void pace_answer(struct pace *p, unsigned ticket, int64_t remaining, int64_t now_ms)
{
    refill(p, now_ms);
    if (p->in_flight > 0)
        p->in_flight--;
    if (remaining < 0)
        return;
    const unsigned later = p->taken - ticket;
    const double known = (double)remaining - (double)(later > p->in_flight ? later : p->in_flight);

    p->tokens = known < p->capacity ? known : p->capacity;
}

void pace_block(struct pace *p, int64_t wait_ms, int64_t now_ms)
{
    refill(p, now_ms);
    if (now_ms + wait_ms > p->blocked_until_ms)
        p->blocked_until_ms = now_ms + wait_ms;
    if (p->tokens > NEEDED)
        p->tokens = NEEDED;
}
