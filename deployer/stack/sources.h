/*
 * sources.h - inputs of a stack that are read from elsewhere: the outputs of a Terraform folder or
 * state file, a file, the output of a command. Paths are relative to the stack file.
 */
#ifndef STACK_SOURCES_H
#define STACK_SOURCES_H

#include <jansson.h>

#include "base/doc.h"
#include "base/err.h"

#define SOURCES_BYTES_MAX (1u << 20)
#define SOURCES_TIME_MS 30000

/* The key of the declaration that names its source ("terraform"), or NULL. */
const char *sources_key(const struct doc_node *declaration);
/*
 * Reads the source: a map of outputs for terraform (without the sensitive ones: those are secrets,
 * and secrets come from the environment), a text without its last line end for the others. Owned.
 * Errors: those of the file or program, ERR_CONFIG where it does not give what it should.
 */
MUST_CHECK struct err *sources_read(
        const struct doc_node *declaration, const char *dir, json_t **ret);

#endif
