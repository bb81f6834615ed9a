/*
 * relay_carry.h - one connection of the relay, from its first byte to its last; blocking, in a
 * thread of its own. A rule is shared by the connections that began under it and never changes.
 */
#ifndef SANDBOX_RELAY_CARRY_H
#define SANDBOX_RELAY_CARRY_H

#include "base/str.h"
#include "sandbox/relay.h"

struct carry_rule;

/* A counted copy. A certificate that cannot be read makes every handshake fail, nothing else. */
struct carry_rule *carry_rule_new(const struct relay_rule *rule);
struct carry_rule *carry_rule_ref(struct carry_rule *rule);
/* NULL is accepted. */
void carry_rule_unref(struct carry_rule *rule);
/* Carries `fd` (non-blocking) until an end closes or `stop_fd` is readable. */
void carry_run(const struct carry_rule *rule, int fd, int stop_fd);

/* The Host of a request's head without its port, and the request's target; empty if absent. */
void carry_parse_head(struct str head, struct str *ret_host, struct str *ret_target);

#endif
