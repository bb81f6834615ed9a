/*
 * gateway.h - the backend health of an application gateway: what it would find at the names of its
 * pools, by the DNS zones and the apps of this sandbox. The gateway itself carries no traffic here.
 */
#ifndef SANDBOX_GATEWAY_H
#define SANDBOX_GATEWAY_H

#include "sandbox/backend_core.h"

extern const struct driver driver_gateway;

#endif
