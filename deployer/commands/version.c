#include "commands/command.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "commands/context.h"

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };

    TRY(context_parse(&c, argc, argv, &(struct context_spec){ .formats = "text json" }));
    json_auto_t *document =
            jsonx_must(json_pack("{s:i, s:s}", "format_version", 1, "version", DEPLOYER_VERSION));

    TRY(context_write(&c, "text", STR("deployer " DEPLOYER_VERSION "\n")));
    return context_write_json(&c, document);
}

const struct command command_version = {
    .name = "version",
    .summary = "print the version",
    .usage = "Usage: deployer version [OPTIONS]\n" CONTEXT_USAGE,
    .run = run,
};
