/*
 * template.h - values that a service makes, written in a kind's file as texts with ${...}:
 * "${name}.postgres.database.azure.com". A text that is one ${...} keeps the type of its value.
 * New values: ${new.uuid}, ${new.key64} (base64 of 64 bytes), ${new.key32}, ${new.hex16},
 * ${new.word} (a word as in a default domain), ${now}, ${public.ip}.
 */
#ifndef SANDBOX_TEMPLATE_H
#define SANDBOX_TEMPLATE_H

#include <jansson.h>

#include "base/compiler.h"

/* Owned. A path that leads nowhere gives null, or "" inside a longer text. */
MUST_CHECK json_t *template_expand(const json_t *template, const json_t *context);

#endif
