/*
 * kind.h - what is known of one resource type: a file of templates/ read into a struct. The engine
 * knows no type but through this. docs/catalog.md describes the file.
 */
#ifndef CATALOG_KIND_H
#define CATALOG_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/doc.h"

/* Where a resource of the kind lives, and so how its id begins. */
enum kind_scope {
    KIND_SCOPE_SUBSCRIPTION, /* /subscriptions/S/... */
    KIND_SCOPE_GROUP,        /* /subscriptions/S/resourceGroups/G/providers/NS/TYPE/NAME */
    KIND_SCOPE_PARENT,       /* PARENT_ID/LAST_TYPE_SEGMENT/NAME */
    KIND_SCOPE_EXTENSION,    /* SCOPE_ID/providers/NS/TYPE/NAME */
};

enum kind_update { KIND_UPDATE_PUT, KIND_UPDATE_PATCH };

/* What is known of one property; path in kind_property's form. */
struct kind_property {
    const char *path;     /* "properties.template.containers[].env[].value" */
    const char *type;     /* "string", "integer", "number", "boolean", "object", "array", NULL */
    const json_t *values; /* enum: array of allowed values, or NULL */
    const char *pattern;  /* PCRE-like; checked with regcomp(3) REG_EXTENDED, or NULL */
    bool has_min, has_max;
    double min, max;     /* numbers: value; strings and arrays: length */
    bool is_open;        /* the cloud may take more than these limits say: beyond is a doubt */
    bool is_required;    /* in what is sent, where its parent object is present */
    bool is_read_only;   /* set by the server; never sent, never compared */
    bool is_write_only;  /* never returned: compared by digest of what was sent last */
    bool is_create_only; /* counts at creation only: a later change is no change */
    bool is_secret;      /* its value is a secret from the first byte */
    bool is_immutable;   /* a change means replace */
    bool ignores_case;   /* the server spells it its own way */
    bool is_id;          /* a resource id: compared by segments without case */
    bool is_set;         /* list whose order does not count */
    const char *map_by;  /* list of objects that is a map by this member ("name"), or NULL */
    const char *alias;   /* the other path under which the server returns it, or NULL */
    const char *format;  /* "quantity" (1Gi = 1.0Gi), "duration", "location", "cidr", "csv-set",
                            "last-segment", "version-prefix", "image", NULL */
    const json_t *default_value; /* what the server fills in when it is absent, or NULL */
    const json_t *added;         /* list: keys (globs) of elements that the server adds; or NULL */
    const json_t *at_least;      /* {path: value}: a larger number is no change while these hold */
    const char *swaps_with;      /* path of the member it changes places with by itself, or NULL */
    bool is_not_resent;   /* list: elements of others can't be sent again: a secret is not told */
    bool is_shared;       /* list or map that others write too: read again right before a write */
    const json_t *resend; /* list: {action, list}: the answer has the secrets of its elements */
    bool may_be_dropped;  /* not always answered: then compared by what was sent last */
    const json_t *immutable_unless; /* {from: [...], to: [...]}: such a step is possible, or NULL */
    const char *doc;                /* one line, or NULL */
};

/* A POST (or GET) on the resource that an expression can ask for; its answer is secret by default.
 */
struct kind_action {
    const char *name;   /* "listKeys" */
    const char *method; /* "POST" */
    const char *path;   /* below the resource: "listKeys" */
    bool is_secret;
    const json_t *body; /* or NULL */
};

struct kind_index {
    const char *path;
    const struct kind_property *property;
};

struct kind {
    const char *name;  /* "container_app": the file's name */
    const char *title; /* "container app" */
    const char *cloud; /* "arm" */
    const char *type;  /* "Microsoft.App/containerApps" */
    const char *api_version;
    enum kind_scope scope;
    enum kind_update update;
    bool holds_data;            /* delete or replace loses data: protected */
    bool has_location;          /* a location is sent; the stack's unless the resource says one */
    const char *fixed_location; /* "global", or NULL */
    bool has_tags;
    bool is_unique_name; /* unique in the world: gets the derived suffix */
    bool is_group; /* holds the stack's resources: deleted last, only if nothing foreign is in it */
    bool is_deleted_first;     /* its parent's deletion does not take it along, or fails while it is
                                * there
                                */
    bool is_barrier;           /* while it is there, nothing in its scope can be deleted */
    bool is_deletable;         /* false: DELETE does not exist; it goes with its parent */
    bool has_etag;             /* If-Match is honoured: 412 when it was changed meanwhile */
    const char *name_pattern;  /* or NULL */
    size_t name_min, name_max; /* 0: not known */
    const char
            *list_path; /* collection URL template if it is not the id without its name, or NULL */
    double create_min, update_min, delete_min; /* usual minutes */
    struct kind_property *properties;
    size_t property_count;
    struct kind_action *actions;
    size_t action_count;
    const json_t *conflicts; /* [{status, code, wait_s, for_s, give_up}] */
    const json_t *serial; /* ["parent", "ref:properties.subnet.id"]: writes that must not overlap */
    const json_t *ready;  /* procedure after a write (docs/catalog.md, "Procedures"), or NULL */
    const json_t *run;    /* procedure after a create or a changed document, or NULL */
    const json_t *resume; /* procedure before `ready` where an earlier run's wait failed, or NULL */
    const json_t *rollouts;    /* {"stop-first": procedure before an update} or NULL */
    const json_t *facts;       /* what verify tells of it (docs/catalog.md, "facts"), or NULL */
    const json_t *soft_delete; /* how a deleted namesake is found, recovered, purged, or NULL */
    const json_t *reset;       /* not deletable: the body that sets it back (docs), or NULL */
    const json_t *before;      /* what is asked before the first write (docs/catalog.md), or NULL */
    const json_t *rights;      /* actions that a write needs besides its own, or NULL */
    const char *rights_type;   /* the type as actions spell it where that differs, or NULL */
    const json_t *rules;       /* preflight rules between properties (docs/catalog.md), or NULL */
    struct place rules_place;
    const json_t *document; /* the file without `properties`, for keys that are not here */
    struct place place;
    /* for kind_property */
    const struct kind_index *index; /* paths and aliases, sorted */
    size_t index_count;
    bool has_free_maps; /* a path holds {} */
};

/* Lists of steps in each other: the procedure itself, and `do` in `do`. */
#define KIND_STEPS_DEPTH_MAX 4u

/*
 * The knowledge of a property by its path: "properties.template.containers[].image"; list indexes
 * are written [] (an index or a key between them is dropped), keys of free maps {} or as they
 * are. Also finds aliases. NULL: nothing is known. What a property hands down to those below it
 * (docs/catalog.md, "properties") is for the caller to carry along.
 */
const struct kind_property *kind_property(const struct kind *k, const char *path);
/* Case-insensitively by ARM type, e.g. for `diff`; NULL where no kind describes it. */
struct catalog;
const struct kind *catalog_kind_by_type(const struct catalog *c, const char *arm_type);
const struct kind *catalog_kind(const struct catalog *c, const char *name);
/* Reads one kind's file. NULL where it has errors (in `diags`). */
struct kind *kind_parse(struct arena *arena, const struct doc_node *root, const char *name,
        struct diag_list *diags);
/* What kind_parse leaves out because it takes long: whether the patterns are expressions. */
void kind_check(struct arena *arena, const struct kind *k, struct diag_list *diags);

#endif
