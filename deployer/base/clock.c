#include "base/clock.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_llong fake_now_ms = -1;
static atomic_llong fake_wall_ms = -1;

static int64_t read_clock(clockid_t id)
{
    struct timespec ts = { 0 };

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
    const int64_t fake = atomic_load(&fake_now_ms);

    return fake >= 0 ? fake : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    const int64_t fake = atomic_load(&fake_wall_ms);

    return fake >= 0 ? fake : read_clock(CLOCK_REALTIME);
}

void clock_fake(int64_t now_ms, int64_t wall_ms)
{
    atomic_store(&fake_now_ms, now_ms);
    atomic_store(&fake_wall_ms, wall_ms);
}

int clock_left_ms(int64_t deadline_ms)
{
    const int64_t left = deadline_ms - clock_now_ms();

    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339_SIZE])
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };

    gmtime_r(&seconds, &tm);
    if (strftime(ret, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        ret[0] = '\0';
}

void clock_duration(int64_t duration_ms, char ret[CLOCK_DURATION_SIZE])
{
    const long long ms = duration_ms < 0 ? 0 : duration_ms;

    if (ms < 1000)
        snprintf(ret, CLOCK_DURATION_SIZE, "%lld ms", ms);
    else if (ms < 60000)
        snprintf(ret, CLOCK_DURATION_SIZE, "%lld.%lld s", ms / 1000, ms % 1000 / 100);
    else if (ms < 3600000)
        snprintf(ret, CLOCK_DURATION_SIZE, "%lld min %02lld s", ms / 60000, ms % 60000 / 1000);
    else
        snprintf(ret, CLOCK_DURATION_SIZE, "%lld h %02lld min", ms / 3600000, ms % 3600000 / 60000);
}

void clock_sleep_ms(int64_t duration_ms)
{
    if (duration_ms <= 0)
        return;
    struct timespec left = { .tv_sec = (time_t)(duration_ms / 1000),
        .tv_nsec = (long)(duration_ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) != 0)
        continue;
}
