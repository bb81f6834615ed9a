/*
 * spec.h - what a request body may hold: a tree of members read from a kind's `body`, in which a
 * text such as "enum:Enabled|Disabled required =Enabled" describes one value (docs/sandbox.md).
 */
#ifndef SANDBOX_SPEC_H
#define SANDBOX_SPEC_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"

enum spec_type {
    SPEC_ANY,
    SPEC_OBJECT,
    SPEC_LIST,
    SPEC_MAP, /* free keys */
    SPEC_STRING,
    SPEC_INT,
    SPEC_NUMBER,
    SPEC_BOOL,
};

/* How a server rewrites a value. */
enum spec_case {
    SPEC_CASE_KEEP,
    SPEC_CASE_LOWER,
    SPEC_CASE_ONOFF,    /* on, off -> ON, OFF */
    SPEC_CASE_CIDR,     /* 1.2.3.4 -> 1.2.3.4/32 */
    SPEC_CASE_QUANTITY, /* 1.0Gi -> 1Gi */
    SPEC_CASE_ROLE,     /* a role definition loses its subscription */
};

struct spec {
    const char *name; /* canonical spelling */
    enum spec_type type;
    bool is_required;
    bool is_required_on_create; /* PUT of what exists may leave it out */
    bool is_read_only;          /* ignored when sent; the server's value stays */
    bool is_secret;             /* kept, never shown */
    bool is_create_only;        /* taken, not kept */
    bool is_immutable;          /* a change is refused */
    bool is_open;               /* OBJECT: unknown members pass */
    bool is_id;                 /* a resource id */
    bool is_ref;                /* ... of something that must exist */
    bool is_ip, is_cidr;
    bool is_subresource; /* LIST: elements have ids of their own below the resource */
    bool drops_empty;    /* "", false: not kept */
    enum spec_case rewrite;
    json_t *otherwise; /* the default, or NULL */
    const char **words;
    size_t word_count;
    bool has_min, has_max;
    double min, max; /* of a number, of a text's length, of a list's count */
    regex_t *pattern;
    const char *pattern_text;
    struct spec **members; /* OBJECT */
    size_t member_count;
    struct spec *element; /* LIST, MAP */
};

/* Builds the tree; everything lives in the arena. ERR_CONFIG names the path that is wrong. */
MUST_CHECK struct err *spec_build(
        struct arena *arena, const char *path, const json_t *body, struct spec **ret);
/* Names without regard to case; NULL if there is none. */
struct spec *spec_member(const struct spec *object, const char *name);

#endif
