/*
 * names.h - what names are made of and the state records, so that it is never computed again: the
 * suffix of names that are unique in the world, and the labels of services of one kind.
 */
#ifndef COMMANDS_NAMES_H
#define COMMANDS_NAMES_H

#include <jansson.h>

struct model;
struct state;

/*
 * {SERVICE: {"label", "use" where it is known}} of what the state has something of. Nothing
 * recorded means that the service has none. Owned.
 */
json_t *names_labels(const json_t *state_document);
/* Puts the model's suffix and labels into the state, before the first write. */
void names_record(struct state *state, const struct model *m);

#endif
