#include "commands/command.h"

#include <stdio.h>

static struct err *run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("deployer %s\n", DEPLOYER_VERSION);
    return NULL;
}

const struct command command_version = {
    .name = "version",
    .summary = "print the version",
    .usage = "Usage: deployer version\n",
    .run = run,
};
