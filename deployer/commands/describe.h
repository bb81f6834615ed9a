/*
 * describe.h - what a command takes, for whoever writes it down elsewhere (completion, the man
 * page): its options from its own table (context_describe), their values' names and meaning from
 * its help. There is no list besides these two.
 */
#ifndef COMMANDS_DESCRIBE_H
#define COMMANDS_DESCRIBE_H

#include <jansson.h>

#include "commands/command.h"

/*
 * {"name", "summary", "usage", "argument": "STACK", "verbs": [], "formats": [], "options":
 * [{"name", "letter", "has_value", "words", "value": "FILE", "doc"}]}. `value` and `doc` are ""
 * where the help says nothing; `argument` is what stands first behind the name in the help. Owned.
 */
MUST_CHECK json_t *describe_command(const struct command *c);

#endif
