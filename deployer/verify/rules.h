/*
 * rules.h - whether a network's rules let a connection through: lists of allow and deny rules in
 * order of priority, the first that fits decides. Pure; which documents hold the rules is for the
 * caller to know. A rule: {"name", "properties": {"priority", "direction", "access", "protocol",
 * "sourceAddressPrefix(es)", "destinationAddressPrefix(es)", "destinationPortRange(s)"}}.
 */
#ifndef VERIFY_RULES_H
#define VERIFY_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"

/* IPv4, host byte order. */
struct rules_net {
    uint32_t address;
    unsigned prefix; /* bits */
};

/* "10.20.0.0/16" or "10.20.0.4". */
bool rules_net_parse(struct str text, struct rules_net *ret);
bool rules_net_covers(struct rules_net outer, struct rules_net inner);

struct rules_flow {
    struct rules_net from; /* a whole subnet: a rule fits when it covers all of it */
    struct rules_net to;
    uint16_t port;
    bool is_inbound;
    const struct rules_net *network; /* what the word VirtualNetwork means */
    size_t network_count;
};

enum rules_answer {
    RULES_UNKNOWN, /* no rule decides, or one that can't be judged (a group, another tag) comes
                    * first
                    */
    RULES_ALLOW,
    RULES_DENY,
};

/* The decision of a list of rules (TCP). *ret_rule is the deciding rule's name, borrowed. */
enum rules_answer rules_decide(
        const json_t *rules, const struct rules_flow *flow, const char **ret_rule);

#endif
