#include "cloud/arm/auth_answer.h"

#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"

#define EARLY_MS (5 * 60 * 1000)
#define HALF_LIFE_FROM_MS (2LL * 3600 * 1000)
#define LIFE_MAX_S (10LL * 365 * 24 * 3600)

struct secret *auth_answer_secret(json_t *body, const char *key)
{
    json_t *j = json_object_get(body, key);

    if (!json_is_string(j))
        return NULL;
    struct secret *s =
            secret_new((struct str){ .p = json_string_value(j), .len = json_string_length(j) });

    explicit_bzero((void *)(uintptr_t)json_string_value(j), json_string_length(j));
    return s;
}

/* A number or a text of digits; -1 else. */
static int64_t number(const json_t *j)
{
    int64_t n = -1;

    if (json_is_number(j))
        return (int64_t)json_number_value(j);
    if (json_is_string(j))
        err_ignore(num_parse_i64(str_of(json_string_value(j)), 0, INT64_MAX / 2000, &n),
                "dates come this way too");
    return n;
}

/* "YYYY-MM-DD HH:MM:SS.ffffff" in local time: the older CLIs'. -1 else. */
static int64_t local_time(const char *text)
{
    struct tm tm = { .tm_isdst = -1 };

    if (text == NULL || strptime(text, "%Y-%m-%d %H:%M:%S", &tm) == NULL)
        return -1;
    return (int64_t)mktime(&tm);
}

/* Seconds of life left, -1 if it does not say. */
static int64_t life_s(const json_t *body, int64_t wall_ms)
{
    const int64_t in = number(json_object_get(body, "expires_in"));
    const json_t *on = json_object_get(body, "expires_on");
    int64_t at = number(on);

    if (in > 0)
        return in;
    if (at < 0 && json_is_string(on))
        at = (int64_t)curl_getdate(json_string_value(on), NULL);
    if (at < 0)
        at = local_time(jsonx_text(body, "expiresOn"));
    return at < 0 ? -1 : at - wall_ms / 1000;
}

struct err *auth_answer_read(json_t *body, const struct auth_clock *clock, struct auth_token *ret)
{
    int64_t life = life_s(body, clock->wall_ms);
    const int64_t refresh = number(json_object_get(body, "refresh_in"));
    struct secret *value = auth_answer_secret(body, "access_token");

    if (value == NULL)
        value = auth_answer_secret(body, "accessToken");
    if (value == NULL || secret_len(value) == 0) {
        secret_unref(value);
        return err_new(ERR_PROTO, 0,
                "what answers gives no token: there is no access_token in what it says");
    }
    if (life < 0 || life > LIFE_MAX_S)
        life = 300; /* it does not say: soon asked again */
    const int64_t life_ms = life * 1000;
    int64_t refresh_ms = life_ms > HALF_LIFE_FROM_MS ? life_ms / 2
                         : life_ms > 2 * EARLY_MS    ? life_ms - EARLY_MS
                                                     : life_ms / 2;

    if (refresh > 0 && refresh < life)
        refresh_ms = refresh * 1000;
    *ret = (struct auth_token){ .value = value,
        .expires_ms = clock->now_ms + life_ms,
        .refresh_ms = clock->now_ms + refresh_ms };
    return NULL;
}

char *auth_answer_refusal(const json_t *body, long status)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const char *error = jsonx_text(body, "error");
    const char *text = jsonx_text(body, "error_description");
    struct str first = str_of(text);

    buf_addf(&out, "HTTP %ld", status);
    if (error != NULL) {
        buf_add_char(&out, ' ');
        text_add_escaped(&out, str_of(error));
    }
    if (text != NULL) {
        first = str_trim(str_cut(&first, '\n')); /* trace ids and times follow */
        buf_add_text(&out, ": ");
        text_add_escaped(&out, str_slice(first, 0, 600));
    }
    return buf_take(&out);
}

json_t *auth_answer_claims(const struct secret *token)
{
    struct str rest = secret_reveal(token);
    AUTO(buf) struct buf plain = { .max_bytes = 64u << 10, .is_secret = true };
    json_t *claims = NULL;

    str_cut(&rest, '.');
    const struct str middle = str_cut(&rest, '.');
    struct err *e = rest.p == NULL ? err_new(ERR_PROTO, 0, "opaque") : NULL;

    if (e == NULL)
        e = decode_base64(middle, &plain);
    if (e == NULL)
        e = jsonx_load(buf_str(&plain), "token", &claims);
    err_ignore(e, "a token need not be a JWT");
    return claims;
}

/* The value of name="value" in a challenge; NULL p if absent. */
static struct str parameter(struct str text, struct str name_and_quote)
{
    const ptrdiff_t at = str_find(text, name_and_quote);

    if (at < 0)
        return (struct str){ 0 };
    struct str rest = str_slice(text, (size_t)at + name_and_quote.len, text.len);

    return str_cut(&rest, '"');
}

char *auth_answer_challenge(struct str header)
{
    const struct str error = parameter(header, STR("error=\""));
    const struct str claims = parameter(header, STR("claims=\""));
    AUTO(buf) struct buf plain = BUF_INIT(16u << 10);

    if (claims.len == 0 || !str_eq(error, STR("insufficient_claims")))
        return NULL;
    struct err *e = decode_base64(claims, &plain);

    err_ignore(e, "a challenge that can't be read is an ordinary 401");
    return e == NULL ? buf_take(&plain) : NULL;
}

char *auth_answer_merge_claims(const char *challenge)
{
    json_t *claims = NULL;
    struct err *e = challenge == NULL ? NULL : jsonx_load(str_of(challenge), "claims", &claims);

    err_ignore(e, "sent without it, the challenge comes again and is shown");
    if (!json_is_object(claims)) {
        json_decref(claims);
        claims = jsonx_must(json_object());
    }
    json_t *access = json_object_get(claims, "access_token");

    if (!json_is_object(access)) {
        access = jsonx_must(json_object());
        json_object_set_new(claims, "access_token", access);
    }
    json_object_set_new(access, "xms_cc", jsonx_must(json_pack("{s:[s]}", "values", "cp1")));
    char *text = jsonx_dump(claims);

    json_decref(claims);
    return text;
}
