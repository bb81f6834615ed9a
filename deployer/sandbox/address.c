#include "sandbox/address.h"

#include <arpa/inet.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "sandbox/hooks.h"

bool address_parse(const char *cidr, struct address_range *ret)
{
    struct str rest = str_of(cidr);
    AUTO(free) char *text = str_dup(str_cut(&rest, '/'));
    struct in_addr in;
    int64_t bits = 0;

    if (rest.p == NULL || inet_pton(AF_INET, text, &in) != 1)
        return false;
    AUTO(err) struct err *e = num_parse_i64(rest, 0, 32, &bits);

    if (e != NULL)
        return false;
    const uint32_t mask = bits == 0 ? 0 : 0xffffffffu << (32 - bits);

    ret->first = ntohl(in.s_addr) & mask;
    ret->last = ret->first | ~mask;
    ret->bits = (int)bits;
    return true;
}

bool address_contains(const struct address_range *outer, const struct address_range *inner)
{
    return inner->first >= outer->first && inner->last <= outer->last;
}

bool address_overlaps(const struct address_range *a, const struct address_range *b)
{
    return a->first <= b->last && b->first <= a->last;
}

bool address_of_subnet(const struct resource *subnet, struct address_range *ret)
{
    const char *prefix = hook_text(subnet, "properties.addressPrefix");

    if (prefix == NULL)
        prefix = hook_text(subnet, "properties.addressPrefixes[0]");
    return prefix != NULL && address_parse(prefix, ret);
}

static bool is_taken(const struct sandbox *s, const char *text, const char *subnet_key)
{
    for (size_t i = 0; i < s->store.count; i++) {
        const char *what = NULL;
        json_t *one = NULL;

        json_object_foreach (json_object_get(s->store.items[i]->hidden, "addresses"), what, one) {
            const char *subnet = jsonx_text(one, "subnet");

            if (text_eq(jsonx_text(one, "ip"), text) && subnet != NULL
                    && strcasecmp(subnet, subnet_key) == 0)
                return true;
        }
    }
    return false;
}

char *address_take(struct sandbox *s, struct resource *r, const char *what, const char *subnet_id)
{
    json_t *addresses = json_object_get(r->hidden, "addresses");
    const char *known = jsonx_text(json_object_get(addresses, what), "ip");
    const struct resource *subnet = hook_find(s, subnet_id);
    struct address_range range;

    if (known != NULL)
        return xstrdup(known);
    if (subnet == NULL || !address_of_subnet(subnet, &range))
        return NULL;
    for (uint32_t at = range.first + 4; at < range.last; at++) {
        const struct in_addr in = { .s_addr = htonl(at) };
        char text[INET_ADDRSTRLEN];

        inet_ntop(AF_INET, &in, text, sizeof(text));
        if (is_taken(s, text, subnet->key))
            continue;
        if (addresses == NULL) {
            addresses = jsonx_must(json_object());
            json_object_set_new(r->hidden, "addresses", addresses);
        }
        json_object_set_new(addresses, what,
                jsonx_must(json_pack("{s:s, s:s}", "ip", text, "subnet", subnet->key)));
        return xstrdup(text);
    }
    return NULL;
}
