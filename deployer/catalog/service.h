/*
 * service.h - a service.yaml read into a struct; what is an expression stays YAML with its places.
 * docs/catalog.md describes the file.
 */
#ifndef CATALOG_SERVICE_H
#define CATALOG_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/doc.h"
#include "stack/input_type.h"

struct service_input {
    const char *name;
    enum input_type type;
    const char *items;             /* type of elements, or NULL */
    struct service_input *members; /* of a map, or NULL */
    size_t member_count;
    const json_t *values; /* enum, or NULL */
    const char *pattern;
    bool has_min, has_max;
    double min, max;
    bool is_open;                         /* the limits above are told, not judged */
    const struct doc_node *default_value; /* or NULL */
    bool is_required, is_secret, is_rotatable;
    const char *loss;
    const char *env;
    struct place place;
};

struct service_need {
    const char *name;
    const char *service;         /* kind of service, or NULL */
    const char *const *provides; /* names; with no service */
    size_t provides_count;
    bool is_implied, is_optional;
    struct place place;
};

struct service_resource {
    const char *name;
    const char *kind;
    const struct doc_node *node; /* the whole entry */
    const struct doc_node *body; /* or NULL */
    const char *rollout;
    bool is_shared; /* one with what other services declare alike */
    struct place place;
};

struct service {
    const char *name;
    const char *title;
    const char *file; /* for messages and file() */
    bool is_always;
    const char *stack_key;
    const char *main;
    struct service_input *inputs;
    size_t input_count;
    struct service_need *needs;
    size_t need_count;
    struct service_resource *resources;
    size_t resource_count;
    const struct doc_node *locals, *provides, *environment, *checks, *notes; /* maps or NULL */
    const json_t *versions; /* {input, steps, text} or NULL */
    const struct doc_node *root;
};

/* NULL where it has errors (in `diags`). */
struct service *service_parse(struct arena *arena, const struct doc_node *root, const char *name,
        const char *file, struct diag_list *diags);
/* What service_parse leaves out because it takes long: whether the patterns are expressions. */
void service_check(struct arena *arena, const struct service *s, struct diag_list *diags);
/* By name; NULL if there is none. */
const struct service_input *service_input(const struct service *s, const char *name);
const struct service_need *service_need(const struct service *s, const char *name);
const struct service_resource *service_resource(const struct service *s, const char *name);

#endif
