/* All commands, in the order of `deployer --help`. */
#include "commands/command.h"

#include "base/alloc.h"

const struct command *const command_table[] = {
    &command_init,
    &command_validate,
    &command_config,
    &command_plan,
    &command_apply,
    &command_destroy,
    &command_status,
    &command_outputs,
    &command_env,
    &command_import,
    &command_bootstrap,
    &command_diff,
    &command_explain,
    &command_probe,
    &command_runbooks,
    &command_verify,
    &command_sandbox,
    &command_state,
    &command_force_unlock,
    &command_completion,
    &command_version,
    NULL,
};
_Static_assert(ARRAY_LEN(command_table) <= COMMANDS_MAX, "main.c has room for all");
