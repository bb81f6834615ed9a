/*
 * verify_env.h - verify of an application's environment file, without a stack.
 */
#ifndef COMMANDS_VERIFY_ENV_H
#define COMMANDS_VERIFY_ENV_H

#include "commands/context.h"

/* Checks that the values agree, then that what they lead to works, and writes the verdict. */
MUST_CHECK struct err *verify_env_file(struct context *c, const char *file, const char *fail_on);

#endif
