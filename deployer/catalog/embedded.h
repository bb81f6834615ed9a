/*
 * embedded.h - the files of templates/, services/ and runbooks/ that were built into the binary
 * (tools/embed.py). The last entry has a NULL path.
 */
#ifndef CATALOG_EMBEDDED_H
#define CATALOG_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *path; /* as in the repository: "services/redis/service.yaml" */
    const char *text; /* NUL behind it */
    size_t len;
    const char *packed; /* YAML, JSON and front matter: for doc_unpack; NULL: neither */
    size_t packed_len;
};

extern const struct embedded_file embedded_files[];

#endif
