#include "catalog/eval.h"

#include <string.h>

#include "base/jsonx.h"
#include "base/num.h"

struct network {
    uint32_t address; /* host bits are zero */
    unsigned bits;
};

static struct err *parse_address(struct str text, uint32_t *ret)
{
    const struct str whole = text;
    uint32_t address = 0;

    for (int i = 0; i < 4; i++) {
        int64_t part = 0;
        const struct str word = str_cut(&text, '.');
        struct err *e = word.p == NULL || word.len == 0 || word.len > 3
                                ? err_new(ERR_CONFIG, 0, "part")
                                : num_parse_i64(word, 0, 255, &part);

        if (e != NULL || (i == 3) != (text.p == NULL)) {
            err_free(e);
            return err_new(ERR_CONFIG, 0, "'%.*s' is not an IPv4 address", STR_ARG(whole));
        }
        address = address << 8 | (uint32_t)part;
    }
    *ret = address;
    return NULL;
}

static uint32_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

static struct err *parse_network(const json_t *value, struct network *ret)
{
    struct str rest = { .p = json_string_value(value), .len = json_string_length(value) };
    int64_t bits = 0;

    if (!json_is_string(value))
        return err_new(ERR_CONFIG, 0, "wants a network such as 10.0.0.0/16, got %s",
                eval_type_text(value));
    const struct str address = str_cut(&rest, '/');

    if (rest.p == NULL)
        return err_new(ERR_CONFIG, 0, "'%.*s' has no /BITS", STR_ARG(address));
    TRY(parse_address(address, &ret->address));
    TRY(num_parse_i64(rest, 0, 32, &bits));
    ret->bits = (unsigned)bits;
    ret->address &= mask_of(ret->bits);
    return NULL;
}

static struct err *whole_number(const json_t *value, int64_t min, int64_t max, int64_t *ret)
{
    if (!json_is_integer(value))
        return err_new(ERR_CONFIG, 0, "wants a whole number, got %s", eval_type_text(value));
    if (json_integer_value(value) < min || json_integer_value(value) > max)
        return err_new(ERR_CONFIG, 0, "%lld is not from %lld to %lld",
                (long long)json_integer_value(value), (long long)min, (long long)max);
    *ret = json_integer_value(value);
    return NULL;
}

static json_t *address_text(uint32_t a, const char *behind)
{
    return jsonx_textf("%u.%u.%u.%u%s", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, behind);
}

struct err *func_cidrsubnet(const struct func_call *c, json_t **ret)
{
    struct network net = { 0 };
    int64_t more = 0;
    int64_t n = 0;
    char behind[8];

    TRY(parse_network(c->args[0], &net));
    TRY(whole_number(c->args[1], 0, 32 - (int64_t)net.bits, &more));
    TRY(whole_number(c->args[2], 0, ((int64_t)1 << more) - 1, &n));
    const unsigned bits = net.bits + (unsigned)more;
    const uint64_t offset = (uint64_t)n << (32 - bits);

    snprintf(behind, sizeof(behind), "/%u", bits);
    *ret = address_text(net.address | (uint32_t)offset, behind);
    return NULL;
}

struct err *func_cidrhost(const struct func_call *c, json_t **ret)
{
    struct network net = { 0 };
    int64_t n = 0;

    TRY(parse_network(c->args[0], &net));
    const int64_t size = (int64_t)1 << (32 - net.bits);

    TRY(whole_number(c->args[1], -size, size - 1, &n));
    *ret = address_text(net.address + (uint32_t)(n < 0 ? size + n : n), "");
    return NULL;
}

struct err *func_url_host(const struct func_call *c, json_t **ret)
{
    const struct str url = { .p = json_string_value(c->args[0]),
        .len = json_string_length(c->args[0]) };
    const ptrdiff_t scheme = json_is_string(c->args[0]) ? str_find(url, STR("://")) : -1;

    if (scheme <= 0)
        return err_new(ERR_CONFIG, 0, "wants a URL");
    struct str host = str_slice(url, (size_t)scheme + 3, url.len);
    size_t end = 0;

    while (end < host.len && strchr("/?#", host.p[end]) == NULL)
        end++;
    host.len = end;
    for (size_t i = host.len; i > 0; i--) {
        if (host.p[i - 1] == '@') {
            host = str_slice(host, i, host.len);
            break;
        }
    }
    if (host.len > 0 && host.p[0] == '[') {
        const ptrdiff_t close = str_find(host, STR("]"));

        host = close < 0 ? host : str_slice(host, 1, (size_t)close);
    } else {
        host = str_cut(&host, ':');
    }
    if (host.len == 0)
        return err_new(ERR_CONFIG, 0, "the URL has no host");
    *ret = jsonx_must(json_stringn(host.p, host.len));
    return NULL;
}

static struct err *two_networks(const struct func_call *c, struct network *a, struct network *b)
{
    TRY(parse_network(c->args[0], a));
    return parse_network(c->args[1], b);
}

struct err *func_cidroverlaps(const struct func_call *c, json_t **ret)
{
    struct network a = { 0 };
    struct network b = { 0 };

    TRY(two_networks(c, &a, &b));
    const uint32_t mask = mask_of(a.bits < b.bits ? a.bits : b.bits);

    *ret = json_boolean((a.address & mask) == (b.address & mask));
    return NULL;
}

struct err *func_cidrwithin(const struct func_call *c, json_t **ret)
{
    struct network a = { 0 };
    struct network b = { 0 };

    TRY(two_networks(c, &a, &b));
    *ret = json_boolean(a.bits >= b.bits && (a.address & mask_of(b.bits)) == b.address);
    return NULL;
}

struct err *func_cidrbits(const struct func_call *c, json_t **ret)
{
    struct network a = { 0 };

    TRY(parse_network(c->args[0], &a));
    *ret = json_integer((json_int_t)a.bits);
    return NULL;
}
