/*
 * load.h - the inside of struct catalog: files by their path, read when they are asked for (a stack
 * uses a few of them, and reading all would take longer than expanding it).
 */
#ifndef CATALOG_LOAD_H
#define CATALOG_LOAD_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "catalog/index.h"
#include "catalog/kind.h"
#include "catalog/service.h"

struct embedded_file;

enum catalog_state { CATALOG_FOUND, CATALOG_READ, CATALOG_BROKEN };

/* A file of templates/ or services/, embedded or on disk. */
struct catalog_file {
    const char *path;                     /* "services/redis/service.yaml" */
    const char *disk;                     /* where it is on disk, or NULL */
    const struct embedded_file *embedded; /* or NULL: on disk */
    const char *name;                     /* of the kind or service */
    enum catalog_state state;
    struct kind *kind;
    struct service *service;
    const json_t *document; /* of a service, made when it is asked for */
};

struct catalog_files {
    struct index by_name;
    struct catalog_file **items;
    size_t count, capacity;
};

struct catalog {
    struct arena *arena;
    struct index files; /* by path; catalog_file */
    struct catalog_files kinds, services;
    struct diag_list diags; /* of files that were read after the load */
};

/* NULL if there is none or it has errors, which go to `diags` the first time. */
const struct kind *load_kind(const struct catalog *c, const char *name, struct diag_list *diags);
const struct service *load_service(
        const struct catalog *c, const char *name, struct diag_list *diags);
/* The text of a file beside a service's file. ERR_CONFIG, ERR_NOINPUT. */
MUST_CHECK struct err *load_text(
        const struct catalog *c, const char *service, const char *path, struct buf *ret);
/* "(did you mean X?)" candidates: names of kinds or services. Borrowed words; free() the array. */
const char **load_names(const struct catalog_files *files);

#endif
