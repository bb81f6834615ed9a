#include "http/retry.h"

#include <string.h>

#include <curl/curl.h>

#include "base/compiler.h"
#include "base/num.h"

bool retry_status_is_transient(long status)
{
    return status == 408 || status == 429
           || (status >= 500 && status <= 599 && status != 501 && status != 505);
}

bool retry_method_is_idempotent(const char *method)
{
    static const char *const idempotent[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH" };

    for (size_t i = 0; i < ARRAY_LEN(idempotent); i++) {
        if (text_eq(method, idempotent[i]))
            return true;
    }
    return false;
}

static int64_t number(struct str s, int64_t unit_ms)
{
    int64_t n = 0;
    struct err *e = num_parse_i64(str_trim(s), 0, RETRY_AFTER_MAX_MS / unit_ms, &n);

    if (e != NULL) {
        err_ignore(e, "a header that is no number says nothing");
        return -1;
    }
    return n > 0 ? n * unit_ms : -1;
}

static bool is_all_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.len > 0;
}

static int64_t until_date(struct str s, int64_t wall_ms)
{
    char text[64];

    if (s.len == 0 || s.len >= sizeof(text))
        return -1;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    const time_t at = curl_getdate(text, NULL);
    const int64_t left = (int64_t)at * 1000 - wall_ms;

    if (at < 0 || left <= 0)
        return -1;
    return left < RETRY_AFTER_MAX_MS ? left : RETRY_AFTER_MAX_MS;
}

int64_t retry_after_parse(
        struct str after_ms, struct str ms_after_ms, struct str after, int64_t wall_ms)
{
    int64_t ms = after_ms.p == NULL ? -1 : number(after_ms, 1);

    if (ms < 0 && ms_after_ms.p != NULL)
        ms = number(ms_after_ms, 1);
    if (ms < 0 && after.p != NULL) {
        after = str_trim(after);
        /* All digits is never a date, though curl_getdate would take 20261126 for one. */
        ms = is_all_digits(after) ? number(after, 1000) : until_date(after, wall_ms);
    }
    return ms;
}

/* A date is by the service's clock, which its answer tells: ours may be wrong. */
static int64_t their_clock_ms(const struct http_response *r, int64_t wall_ms)
{
    struct str date = { 0 };
    char text[64];

    if (!http_response_header(r, "date", &date) || date.len >= sizeof(text))
        return wall_ms;
    memcpy(text, date.p, date.len);
    text[date.len] = '\0';
    const time_t at = curl_getdate(text, NULL);

    return at < 0 ? wall_ms : (int64_t)at * 1000;
}

int64_t retry_after_ms(const struct http_response *r, int64_t wall_ms)
{
    struct str a = { 0 };
    struct str b = { 0 };
    struct str c = { 0 };

    http_response_header(r, "retry-after-ms", &a);
    http_response_header(r, "x-ms-retry-after-ms", &b);
    http_response_header(r, "retry-after", &c);
    return retry_after_parse(a, b, c, their_clock_ms(r, wall_ms));
}

int64_t retry_delay_ms(unsigned n, int64_t after_ms, uint32_t random)
{
    const unsigned steps = n < 1 ? 1 : n > 10 ? 10 : n;
    const int64_t base = 800 * ((INT64_C(1) << steps) - 1);
    int64_t ms = base * (800 + (int64_t)(random % 501)) / 1000;

    if (ms > RETRY_CAP_MS)
        ms = RETRY_CAP_MS - (int64_t)(random % 5000);
    if (after_ms < 0)
        return ms;
    /* The service's word is a floor; a little more, so that many who wait don't come at once. */
    return after_ms + (int64_t)(random % 251);
}
