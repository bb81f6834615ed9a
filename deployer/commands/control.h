/*
 * control.h - what verify/control.h asks of the control plane, answered by a session's engine.
 */
#ifndef COMMANDS_CONTROL_H
#define COMMANDS_CONTROL_H

#include "commands/session.h"
#include "verify/control.h"

/* After session_refresh. `not_running` as verify_source has it. */
struct control_source control_source_of(
        struct session *s, const char *(*not_running)(void *arg, const char *service));

#endif
