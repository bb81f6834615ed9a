/*
 * schema.h - what a stack file may hold: keys, their types and the form of names. Says all that is
 * wrong; changes nothing. What a service's inputs may be is the catalog's to say.
 */
#ifndef STACK_SCHEMA_H
#define STACK_SCHEMA_H

#include <stdbool.h>

#include "base/diag.h"
#include "base/doc.h"

/* The format that this program writes and the newest that it reads. */
#define STACK_FORMAT 1

/* False when the file says that it is written for a newer deployer: nothing else is then checked.
 */
bool schema_check_format(const struct doc_node *root, struct diag_list *diags);
/* The base and each of its environments. */
void schema_check_file(const struct doc_node *root, struct diag_list *diags);
/*
 * The same of an overlay that nobody chose, cheaply: services that it would add without saying what
 * they are, needs that name nothing. `merged` is what it makes, `path` its own ("environments.x").
 */
void schema_check_overlay(const struct doc_node *merged, const struct doc_node *overlay,
        const char *path, struct diag_list *diags);
/* The name of a Key Vault. */
void schema_check_vault(
        const char *name, struct place place, const char *path, struct diag_list *diags);
/* What only the merged tree can tell: what is required is there, needs name services. */
void schema_check_merged(const struct doc_node *root, struct diag_list *diags);

#endif
