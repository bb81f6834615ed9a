/*
 * Picks the command, prints the error that ends it, maps it to an exit status; nothing else.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/json_memory.h"
#include "base/log.h"
#include "base/text.h"
#include "commands/command.h"
#include "commands/context.h"

/* In the order of `deployer --help`. */
static void print_help(FILE *to)
{
    fputs("deployer: takes a stack in one YAML file to running, verified services on Azure\n\n"
          "Usage: deployer COMMAND [ARGUMENTS]\n\nCommands:\n",
            to);
    for (size_t i = 0; command_table[i] != NULL; i++)
        fprintf(to, "  %-14s %s\n", command_table[i]->name, command_table[i]->summary);
    fputs("\n'deployer COMMAND --help' describes a command and its options.\n", to);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; command_table[i] != NULL; i++) {
        if (text_eq(command_table[i]->name, name))
            return command_table[i];
    }
    return NULL;
}

static struct err *unknown_command(const char *name)
{
    const char *names[COMMANDS_MAX];
    size_t count = 0;

    for (; command_table[count] != NULL && count < COMMANDS_MAX; count++)
        names[count] = command_table[count]->name;
    const char *meant = text_suggest(str_of(name), names, count);

    if (meant != NULL)
        return err_new(ERR_USAGE, 0, "'%s' is not a command (did you mean %s?)", name, meant);
    return err_new(ERR_USAGE, 0, "'%s' is not a command: see deployer --help", name);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (text_eq(argv[i], "--"))
            return false;
        if (text_eq(argv[i], "--help") || text_eq(argv[i], "-h"))
            return true;
    }
    return false;
}

/* What is wrong with the command line itself is told as its --log-format asks, too. */
static void look_for_log_format(int argc, char **argv)
{
    for (int i = 1; i < argc && !text_eq(argv[i], "--"); i++) {
        if (text_eq(argv[i], "--log-format=json")
                || (i + 1 < argc && text_eq(argv[i], "--log-format")
                        && text_eq(argv[i + 1], "json")))
            log_setup(LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    }
}

static int report(struct err *e)
{
    const int status = err_exit_status(e);

    context_print_error(e);
    err_free(e);
    return status;
}

static int finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("deployer: standard output can't be written\n", stderr);
        return status == 0 ? 1 : status;
    }
    return status;
}

int main(int argc, char **argv)
{
    /* A core dump would hold the secrets that are never written otherwise. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    json_memory_setup();
    if (argc < 2) {
        print_help(stderr);
        return 64;
    }
    if (text_eq(argv[1], "--help") || text_eq(argv[1], "-h") || text_eq(argv[1], "help")) {
        print_help(stdout);
        return finish(0);
    }
    look_for_log_format(argc, argv);
    const struct command *c =
            text_eq(argv[1], "--version") ? &command_version : find_command(argv[1]);

    if (c == NULL)
        return report(unknown_command(argv[1]));
    if (asks_for_help(argc - 1, argv + 1)) {
        fputs(c->usage, stdout);
        return finish(0);
    }
    cancel_install();
    struct err *e = c->run(argc - 1, argv + 1);

    return finish(e == NULL ? 0 : report(e));
}
