#include "verify/rules.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"

bool rules_net_parse(struct str text, struct rules_net *ret)
{
    struct str rest = text;
    AUTO(free) char *address = str_dup(str_cut(&rest, '/'));
    struct in_addr in;
    int64_t prefix = 32;

    if (inet_pton(AF_INET, address, &in) != 1)
        return false;
    if (rest.p != NULL) {
        AUTO(err) struct err *e = num_parse_i64(rest, 0, 32, &prefix);

        if (e != NULL)
            return false;
    }
    *ret = (struct rules_net){ .address = ntohl(in.s_addr), .prefix = (unsigned)prefix };
    return true;
}

bool rules_net_covers(struct rules_net outer, struct rules_net inner)
{
    const uint32_t mask = outer.prefix == 0 ? 0 : ~0u << (32 - outer.prefix);

    return inner.prefix >= outer.prefix && (inner.address & mask) == (outer.address & mask);
}

static bool overlap(struct rules_net a, struct rules_net b)
{
    return rules_net_covers(a, b) || rules_net_covers(b, a);
}

/* Whether one member of a rule covers what is asked for. Unknown: it may. */
enum fit { FIT_NO, FIT_YES, FIT_UNKNOWN };

static enum fit fit_prefix(struct str prefix, struct rules_net net, const struct rules_flow *flow)
{
    struct rules_net own;

    if (str_eq(prefix, STR("*")) || str_eq_ci(prefix, STR("Any")))
        return FIT_YES;
    if (rules_net_parse(prefix, &own)) {
        if (rules_net_covers(own, net))
            return FIT_YES;
        return overlap(own, net) ? FIT_UNKNOWN : FIT_NO;
    }
    bool is_inside = false;

    for (size_t i = 0; i < flow->network_count; i++)
        is_inside = is_inside || rules_net_covers(flow->network[i], net);
    if (str_eq_ci(prefix, STR("VirtualNetwork")))
        return is_inside ? FIT_YES : FIT_UNKNOWN; /* peered networks count too */
    /* Other words stand for services' and the Internet's addresses, none of which is ours. */
    return is_inside ? FIT_NO : FIT_UNKNOWN;
}

static enum fit fit_port(struct str range, uint16_t port)
{
    struct str rest = range;
    const struct str low = str_cut(&rest, '-');
    const struct str high = rest.p == NULL ? low : rest;
    int64_t from = 0;
    int64_t to = 0;

    if (str_eq(range, STR("*")))
        return FIT_YES;
    AUTO(err) struct err *e = num_parse_i64(low, 0, 65535, &from);
    AUTO(err) struct err *e2 = num_parse_i64(high, 0, 65535, &to);

    if (e != NULL || e2 != NULL)
        return FIT_UNKNOWN;
    return port >= from && port <= to ? FIT_YES : FIT_NO;
}

struct question {
    const struct rules_flow *flow;
    const struct rules_net *net; /* NULL: the port is asked for */
};

static enum fit fit_one(const struct question *q, const json_t *value)
{
    const struct str text = str_of(json_string_value(value));

    return q->net == NULL ? fit_port(text, q->flow->port) : fit_prefix(text, *q->net, q->flow);
}

/* The member `name` and the list `names`: one that fits is enough. */
static enum fit fit_any(
        const struct question *q, const json_t *rule, const char *name, const char *names)
{
    const json_t *list = json_object_get(rule, names);
    const json_t *single = json_object_get(rule, name);
    enum fit best = FIT_NO;
    size_t i = 0;
    json_t *value = NULL;

    if (json_string_length(single) > 0)
        best = fit_one(q, single);
    json_array_foreach ((json_t *)(uintptr_t)list, i, value) {
        const enum fit fit = fit_one(q, value);

        if (best != FIT_YES && fit != FIT_NO)
            best = fit;
    }
    /* Groups of applications stand in place of addresses. */
    return json_string_length(single) == 0 && json_array_size(list) == 0 ? FIT_UNKNOWN : best;
}

static enum fit both(enum fit a, enum fit b)
{
    if (a == FIT_NO || b == FIT_NO)
        return FIT_NO;
    return a == FIT_YES && b == FIT_YES ? FIT_YES : FIT_UNKNOWN;
}

static enum fit fit_rule(const json_t *rule, const struct rules_flow *flow)
{
    const struct str direction = str_of(jsonx_text(rule, "direction"));
    const struct str protocol = str_of(jsonx_text(rule, "protocol"));
    const struct question port = { .flow = flow };
    const struct question from = { .flow = flow, .net = &flow->from };
    const struct question to = { .flow = flow, .net = &flow->to };

    if (!str_eq_ci(direction, flow->is_inbound ? STR("Inbound") : STR("Outbound")))
        return FIT_NO;
    if (!str_eq(protocol, STR("*")) && !str_eq_ci(protocol, STR("Tcp")))
        return FIT_NO;
    return both(fit_any(&port, rule, "destinationPortRange", "destinationPortRanges"),
            both(fit_any(&from, rule, "sourceAddressPrefix", "sourceAddressPrefixes"),
                    fit_any(&to, rule, "destinationAddressPrefix", "destinationAddressPrefixes")));
}

static int by_priority(const void *va, const void *vb)
{
    const json_t *const *a = va;
    const json_t *const *b = vb;
    const int64_t pa = jsonx_int(json_object_get(*a, "properties"), "priority", 65536);
    const int64_t pb = jsonx_int(json_object_get(*b, "properties"), "priority", 65536);

    return (pa > pb) - (pa < pb);
}

enum rules_answer rules_decide(
        const json_t *rules, const struct rules_flow *flow, const char **ret_rule)
{
    const size_t count = json_array_size(rules);
    AUTO(free) const json_t **sorted = xcalloc(count + 1, sizeof(*sorted));

    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(rules, i);
    if (count > 1)
        qsort(sorted, count, sizeof(*sorted), by_priority);
    for (size_t i = 0; i < count; i++) {
        const json_t *rule = json_object_get(sorted[i], "properties");
        const enum fit fit = fit_rule(rule, flow);

        if (fit == FIT_NO)
            continue;
        if (fit == FIT_UNKNOWN)
            return RULES_UNKNOWN;
        *ret_rule = jsonx_text(sorted[i], "name");
        return str_eq_ci(str_of(jsonx_text(rule, "access")), STR("Allow")) ? RULES_ALLOW
                                                                           : RULES_DENY;
    }
    return RULES_UNKNOWN;
}
