/*
 * command.h - one subcommand a file: a const table entry, found by main.c. What several commands
 * share (options, opening a stack) is in commands/context.h.
 */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "base/err.h"

struct command {
    const char *name;    /* "apply" */
    const char *summary; /* one line for `deployer --help` */
    const char *usage;   /* the text of `deployer NAME --help`, options included */
    /* argv[0] is the command's name. Results are printed by it; errors are returned. */
    struct err *(*run)(int argc, char **argv);
};

#define COMMANDS_MAX 40u

/* All of them, in the order of the help; the last is NULL. */
extern const struct command *const command_table[];

extern const struct command command_completion;
extern const struct command command_config;
extern const struct command command_diff;
extern const struct command command_init;
extern const struct command command_validate;
extern const struct command command_plan;
extern const struct command command_apply;
extern const struct command command_bootstrap;
extern const struct command command_destroy;
extern const struct command command_status;
extern const struct command command_outputs;
extern const struct command command_env;
extern const struct command command_import;
extern const struct command command_explain;
extern const struct command command_probe;
extern const struct command command_runbooks;
extern const struct command command_verify;
extern const struct command command_sandbox;
extern const struct command command_force_unlock;
extern const struct command command_state;
extern const struct command command_version;

#endif
