/*
 * adopt.h - which of the resources in a group are those that a stack describes, although their ids
 * are not what the stack's names make: by the tag that deployer writes, by type and name where it
 * is another group, or because somebody says so. Pure; what leaves a doubt is told and not taken.
 */
#ifndef COMMANDS_ADOPT_H
#define COMMANDS_ADOPT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"

struct cloud;
struct engine;
struct engine_node;

struct adopt_search {
    const struct cloud *cloud;
    const struct engine *engine; /* refreshed: what is at its own id is not looked for */
    const json_t *members;       /* of the group, as the cloud lists them */
    const char *group_id;        /* set where the group is not the stack's */
    const char *suffix;          /* of the model's unique names, or NULL */
    bool (*is_asked_for)(const void *arg, const char *address);
    const void *arg;
};

/*
 * {"ids": {ADDRESS: ID}, "how": {ADDRESS: "tag"|"name"}, "told": [{"address", "why", "ids":
 * [ID]}]}. Owned.
 */
MUST_CHECK json_t *adopt_find(const struct adopt_search *a);

/* Whether the tags of what is at the node's own id name another stack or environment as its maker.
 */
bool adopt_is_of_another_stack(const struct engine_node *n);

/*
 * Splits "ADDRESS=ID" and checks that the id can be one of the node's kind: ERR_USAGE otherwise.
 * *ret_id points into `word`, NULL when it is an address alone; ret_address is owned.
 */
MUST_CHECK struct err *adopt_split(const char *word, char **ret_address, const char **ret_id);
MUST_CHECK struct err *adopt_check_id(
        const struct cloud *cloud, const struct engine_node *n, const char *id);

#endif
