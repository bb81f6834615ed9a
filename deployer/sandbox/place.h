/*
 * place.h - where the services keep their data: DIR/services, unless we are root and a service's
 * own user could not reach it there (a home that only root may enter); then a folder of
 * /var/lib/deployer-sandbox, which goes when DIR is gone.
 */
#ifndef SANDBOX_PLACE_H
#define SANDBOX_PLACE_H

#include "sandbox/backend.h"

/* The folder's path, owned. Makes DIR itself (ours) passable for others: its files are 0600. */
MUST_CHECK struct err *place_open(const struct backend_options *o, char **ret);

#endif
