/*
 * recipe.h - the files of deployer/sandbox/services: which resource type is served by which local
 * program and how, and which image by which command. Each is one JSON tree;
 * docs/sandbox-services.md has the format. Texts in it hold `${path}` references into a scope (a
 * JSON object).
 */
#ifndef SANDBOX_RECIPE_H
#define SANDBOX_RECIPE_H

#include <jansson.h>

#include "base/err.h"

struct recipes;

/* Reads the embedded files. ERR_CONFIG with file and line for what is wrong in one. */
MUST_CHECK struct err *recipes_load(struct recipes **ret);
void recipes_free(struct recipes *r);
/* The recipe whose `type` this is (in any case), or NULL; borrowed. */
const json_t *recipes_for(const struct recipes *r, const char *type);
/* The entry of a recipe's `children` of this type, or NULL; borrowed. */
const json_t *recipes_child(const struct recipes *r, const char *type);
/* The recipe called so, or NULL; borrowed. */
const json_t *recipes_named(const struct recipes *r, const char *service);
/* The `images` of every file, first to last; borrowed. */
const json_t *recipes_images(const struct recipes *r);
/* Reads a file of `images` (--images) before the built-in ones. */
MUST_CHECK struct err *recipes_add_images(struct recipes *r, const char *path);

/*
 * `text` with each `${path}` replaced by the scope's value there: text, number or boolean; what is
 * absent becomes empty. Owned.
 */
MUST_CHECK char *scope_expand(const json_t *scope, const char *text);
/* A list of texts, each expanded; owned. */
MUST_CHECK json_t *scope_expand_list(const json_t *scope, const json_t *list);
/*
 * {"of": text, "is": text or list, "is_not": likewise}: whether it is one of them, in any case of
 * its letters, or none. A NULL condition holds.
 */
bool scope_holds(const json_t *scope, const json_t *condition);
/* {"of": text, "map": {from: to}, "otherwise": text}; owned. */
MUST_CHECK char *scope_map(const json_t *scope, const json_t *rule);

#endif
