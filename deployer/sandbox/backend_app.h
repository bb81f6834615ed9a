/*
 * backend_app.h - container apps as the ingress sees them: which replicas serve an app now.
 */
#ifndef SANDBOX_BACKEND_APP_H
#define SANDBOX_BACKEND_APP_H

#include "sandbox/backend_core.h"

/*
 * The addresses ("127.x.y.z") of the ready replicas that traffic goes to, appended to `list` as
 * strings.
 */
void app_serving_addresses(const struct entry *e, json_t *list);
/* Whether no active revision's replicas are on their way. */
bool app_is_settled(const struct entry *e);

#endif
