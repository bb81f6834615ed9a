/*
 * ingress.h - how traffic enters a container apps environment: HTTP apps by host name on 80 and 443
 * of its static address, TCP apps on their exposed ports, additional port mappings likewise.
 */
#ifndef SANDBOX_INGRESS_H
#define SANDBOX_INGRESS_H

#include "sandbox/backend_core.h"
#include "sandbox/rules.h"

extern const struct driver driver_environment;

void ingress_add_rules(struct backend *b, struct rules *rules);
/* A row for each app that has an ingress. */
void ingress_report(struct backend *b, json_t *list);

#endif
