#include "stack/generate.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"

#define LENGTH_MAX 1024
#define TRIES_MAX 200
#define MIXED_FROM 12u /* characters: shorter ones need not have every class */

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void add_random_text(struct buf *out, const char *alphabet, size_t len)
{
    char *text = digest_random_text(alphabet, len);

    buf_add(out, text, len);
    explicit_bzero(text, len);
    free(text);
}

static bool add_bytes(struct buf *out, int64_t count, bool is_hex)
{
    unsigned char bytes[LENGTH_MAX];

    if (count < 1 || count > LENGTH_MAX)
        return false;
    digest_random(bytes, (size_t)count);
    if (is_hex)
        encode_hex(out, bytes, (size_t)count);
    else
        encode_base64(out, bytes, (size_t)count);
    explicit_bzero(bytes, sizeof(bytes));
    return true;
}

static bool add_text(struct buf *out, const json_t *rule)
{
    const int64_t len = jsonx_int(rule, "length", 0);
    const char *name = jsonx_text(rule, "alphabet");
    const bool is_url = name == NULL || text_eq(name, "url");

    if (len < 1 || len > LENGTH_MAX || !(is_url || text_eq(name, "alnum")))
        return false;
    add_random_text(out, ALNUM, 1);
    add_random_text(out, is_url ? ALNUM "-_" : ALNUM, (size_t)len - 1);
    return true;
}

static bool add_by_rule(struct buf *out, const json_t *rule)
{
    char uuid[DIGEST_UUID_SIZE];

    buf_add_text(out, jsonx_text(rule, "prefix"));
    if (json_object_get(rule, "hex") != NULL)
        return add_bytes(out, jsonx_int(rule, "hex", 0), true);
    if (json_object_get(rule, "base64") != NULL)
        return add_bytes(out, jsonx_int(rule, "base64", 0), false);
    if (!jsonx_bool(rule, "uuid", false))
        return add_text(out, rule);
    digest_uuid4(uuid);
    buf_add_text(out, uuid);
    return true;
}

static bool is_mixed(struct str s)
{
    bool has_lower = false;
    bool has_upper = false;
    bool has_digit = false;

    for (size_t i = 0; i < s.len; i++) {
        has_lower = has_lower || islower((unsigned char)s.p[i]);
        has_upper = has_upper || isupper((unsigned char)s.p[i]);
        has_digit = has_digit || isdigit((unsigned char)s.p[i]);
    }
    return has_lower && has_upper && has_digit;
}

static bool is_good(const struct buf *text, const json_t *rule, const regex_t *pattern)
{
    const bool is_mixable = jsonx_int(rule, "length", 0) >= (int64_t)MIXED_FROM;

    return (!is_mixable || is_mixed(buf_str(text)))
           && (pattern == NULL || regexec(pattern, buf_text(text), 0, NULL, 0) == 0);
}

char *generate_secret(const json_t *rule, const char *pattern)
{
    struct buf text = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    regex_t re;
    bool is_made = false;

    if (pattern != NULL && regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return NULL;
    for (int i = 0; i < TRIES_MAX && !is_made; i++) {
        buf_clear(&text);
        if (!add_by_rule(&text, rule))
            break;
        is_made = is_good(&text, rule, pattern == NULL ? NULL : &re);
    }
    if (pattern != NULL)
        regfree(&re);
    if (is_made)
        return buf_take(&text);
    buf_release(&text);
    return NULL;
}
