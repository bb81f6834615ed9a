/*
 * image.h - names of container images, as Docker reads them, and what a registry says of them.
 * Pure. https://github.com/distribution/reference,
 * https://github.com/opencontainers/distribution-spec
 */
#ifndef PRECHECK_IMAGE_H
#define PRECHECK_IMAGE_H

#include <stdbool.h>

#include "base/str.h"

struct image_name {
    char *registry;   /* "docker.io", "ghcr.io", "127.0.0.1:5000" */
    char *repository; /* "library/redis" */
    char *reference;  /* tag or digest: "latest", "sha256:..." */
};

/* False for a text that is no image's name; `ret` is then untouched. */
bool image_parse(const char *text, struct image_name *ret);
void image_release(struct image_name *n);
/* The manifest's URL. Registries on the loopback are asked without TLS, as Docker does. Owned. */
char *image_url(const struct image_name *n);
/*
 * The URL of a token for nobody in particular, from `WWW-Authenticate: Bearer realm=..., ...`.
 * Owned; NULL where the header asks for something else.
 */
char *image_token_url(struct str challenge);

static inline void auto_image(struct image_name *n)
{
    image_release(n);
}

#endif
