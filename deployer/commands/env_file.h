/*
 * env_file.h - the halves of `deployer env` that need no stack: an existing .env judged by a
 * service's contract or completed from it, the template and the table that are made of a contract.
 */
#ifndef COMMANDS_ENV_FILE_H
#define COMMANDS_ENV_FILE_H

#include <jansson.h>

#include "commands/context.h"

struct env_file_options {
    const char *check;   /* FILE to judge */
    const char *file;    /* FILE to complete and print */
    const char *service; /* whose contract; NULL: the only one, langfuse's */
    const char *fail_on;
    struct context_list context; /* NAME=VALUE */
    bool is_template, is_table;
};

bool env_file_is_asked(const struct env_file_options *o);
MUST_CHECK struct err *env_file_run(struct context *c, const struct env_file_options *o);
/*
 * {CONTAINER: {NAME: {"value", "secret"}}} as lines for docker's --env-file, and as a ConfigMap and
 * a Secret for each container. Values that are not known are comments.
 */
MUST_CHECK struct err *env_file_docker(const json_t *all, struct buf *out);
void env_file_k8s(const char *service, const json_t *all, struct buf *out);

#endif
