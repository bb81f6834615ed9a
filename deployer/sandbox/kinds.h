/*
 * kinds.h - what the sandbox knows of resource types, read from its embedded files (kinds/). It is
 * knowledge of its own: the client's templates are never read, so that a mistake in one is seen by
 * the other.
 */
#ifndef SANDBOX_KINDS_H
#define SANDBOX_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "sandbox/spec.h"

/* How a write that takes time is announced. */
enum kind_shape {
    KIND_SYNC,
    KIND_ASYNC,    /* Azure-AsyncOperation */
    KIND_LOCATION, /* Location */
    KIND_BOTH,
    KIND_STATE, /* neither: the resource's provisioningState */
};

enum kind_location { KIND_LOCATION_REQUIRED, KIND_LOCATION_OPTIONAL, KIND_LOCATION_NONE };
enum kind_scope { KIND_GROUP, KIND_SUBSCRIPTION, KIND_PARENT, KIND_EXTENSION };
enum kind_patch { KIND_PATCH_NONE, KIND_PATCH_TAGS, KIND_PATCH_MERGE };
enum kind_verb { KIND_CREATE, KIND_UPDATE, KIND_DELETE };

struct kind_namespace {
    const char *name;
    const char **versions;
    size_t version_count;
    json_t *codes; /* "unknown", "missing", "type", "enum" -> ARM's code; borrowed */
};

struct kind {
    const char *type; /* canonical spelling */
    const struct kind_namespace *ns;
    const char **versions; /* NULL: the namespace's */
    size_t version_count;
    enum kind_scope scope;
    enum kind_location location;
    const char *fixed_location; /* "global", or NULL */
    bool has_tags;
    bool has_system_data;
    bool has_type_in_answer; /* some types answer without `type` */
    bool is_id_lower;        /* the whole id comes back in lower case */
    bool is_name_lower;
    bool is_name_joined; /* name: "parent/child" */
    bool is_tracked;     /* shown by /resources */
    bool has_etag, checks_etag;
    bool is_global_name; /* unique in the world */
    bool is_deletable;
    bool is_readable; /* false: no GET (405) */
    struct spec *name;
    const char *name_forbids; /* a text that may not occur, such as "--" */
    struct spec *body;        /* NULL: anything goes */
    enum kind_shape put_shape, patch_shape, delete_shape;
    enum kind_patch patch;
    int create_status, update_status, patch_status, delete_status;
    bool has_no_body_while_busy; /* 202 without a document */
    double minutes[3];           /* by kind_verb */
    const char *state_path;      /* "properties.provisioningState"; NULL: none */
    const char *state_words[3];  /* by kind_verb */
    const char *state_done;
    json_t *data; /* the file: generate, actions, inline, implicit, guards ...; borrowed */
};

struct kinds;

/* Reads the embedded files. ERR_CONFIG with file and line for what is wrong in one. */
MUST_CHECK struct err *kinds_load(struct kinds **ret);
void kinds_free(struct kinds *k);
/* Without regard to case; NULL if there is none. */
const struct kind *kinds_find(const struct kinds *k, const char *type);
/* NULL if no kind has this namespace. */
const struct kind_namespace *kinds_namespace(const struct kinds *k, const char *ns);
size_t kinds_count(const struct kinds *k);
const struct kind *kinds_at(const struct kinds *k, size_t i);
size_t kinds_namespace_count(const struct kinds *k);
const struct kind_namespace *kinds_namespace_at(const struct kinds *k, size_t i);
/* The file `offers.yaml`: what services say of regions and subscriptions. */
const json_t *kinds_offers(const struct kinds *k);
/* Built-in roles: [{id, name, doc, actions, not_actions, data_actions}]. */
const json_t *kinds_roles(const struct kinds *k);
/* Rights on what a document names: [{from, to, at, action}], the first that fits. */
const json_t *kinds_linked(const struct kinds *k);
/* The file `general.yaml`: namespaces, regions, shared parts. */
const json_t *kinds_general(const struct kinds *k);
/* A database server's parameters: [name, default, type, allowed values, takes effect at once]. */
const json_t *kinds_settings(const struct kinds *k);
/* The versions that a kind is served by, newest first. */
const char *const *kind_versions(const struct kind *kind, size_t *ret_count);
bool kind_has_version(const struct kind *kind, const char *version);
/* A flag of the file's further data, e.g. "hooks". */
bool kind_has_word(const struct kind *kind, const char *list, const char *word);

#endif
