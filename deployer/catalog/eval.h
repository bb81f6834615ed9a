/*
 * eval.h - evaluates an expression's tree. Values are JSON in which what is not plain stands in an
 * object with one key (a mark):
 *   {"$expr": TEXT}     expansion: known later; TEXT is what is left over, in normal form
 *   {"$unknown": WHAT}  resolving: known only after apply
 *   {"$secret": N}      resolving: an entry of the secret table
 *   {"$absent": WHAT}   a member that is not there; an error unless ?? or the like takes care of it
 *   {"$poison": true}   an error was reported already; passes through everything
 * Pure but for the callbacks. Values are shared: never change one.
 */
#ifndef CATALOG_EVAL_H
#define CATALOG_EVAL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "catalog/expr.h"
#include "catalog/expr_node.h"

enum eval_mark {
    EVAL_PLAIN,
    EVAL_SECRET,
    EVAL_UNKNOWN,
    EVAL_LEFT, /* {"$expr"} */
    EVAL_ABSENT,
    EVAL_POISON,
};

/* A step of a reference: a text or a whole number. */
struct eval_path {
    const json_t *const *keys;
    size_t count;
};

struct eval {
    void *arg;
    /*
     * The value of root.path...; *ret_used says how many steps it took, the rest is applied to
     * what it gives. ERR_CONFIG for an unknown root.
     */
    struct err *(*lookup)(
            void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret);
    /* A function of the table that only the host can do (file, image, environment ...). */
    struct err *(*call)(
            void *arg, const char *name, json_t *const *args, size_t count, json_t **ret);
    /* Something absent is used. Returns the error, or NULL when it is reported: poison. NULL: the
     * general error. */
    struct err *(*absent)(void *arg, const char *what);
    struct secret_table *secrets; /* resolving; NULL while expanding */
    struct str salt;
    struct str text; /* that the tree was made of */
    size_t offset;   /* of the node that failed */
};

/* Owned. Absent may come back as a mark. */
MUST_CHECK struct err *eval_node(struct eval *ev, const struct expr_node *n, json_t **ret);
/* As eval_node, but absent is an error (or poison). */
MUST_CHECK struct err *eval_value(struct eval *ev, const struct expr_node *n, json_t **ret);
/* What kind of thing `value` itself is. */
enum eval_mark eval_mark(const json_t *value);
/* The strongest mark in it at any depth. */
enum eval_mark eval_mark_deep(const json_t *value);
/* The first {"$unknown"} in it, or NULL. Borrowed. */
const char *eval_unknown_in(const json_t *value);
/* "a text", "a whole number", "a list" ... for messages. */
const char *eval_type_text(const json_t *value);
/* Owned marks. */
json_t *eval_left(struct buf *text);
json_t *eval_absent(const char *what);
json_t *eval_poison(void);
json_t *eval_unknown(const char *what);
/* "root.a[0]" of the first `count` steps. Adds to `out`. */
void eval_print_path(struct buf *out, const char *root, struct eval_path path, size_t count);
/* Whether a leftover expression can't be null (a secret, a text made of something). */
bool eval_is_never_null(const char *left);
/* null and false: false; true: true. ERR_CONFIG for others that are plain. */
MUST_CHECK struct err *eval_bool(const json_t *value, bool *ret);

/* A function as docs/expressions.md lists it. */
enum func_class {
    FUNC_STRUCT, /* looks at the outermost list or map only: marks inside pass through */
    FUNC_TEXT,   /* a text from texts: secrets are taken and give a secret */
    FUNC_JOIN,   /* as STRUCT when all arguments are lists, else as TEXT */
    FUNC_LOOK,   /* as STRUCT when the first argument is a map, else as PLAIN */
    FUNC_PLAIN,  /* needs everything plain */
    FUNC_LATE,   /* only when resolving */
    FUNC_HOST,   /* done by eval.call, while expanding */
};

struct func_call {
    struct eval *ev;
    json_t *const *args;
    size_t count;
    struct str source; /* the arguments as they are written */
};

struct func {
    const char *name;
    unsigned min_args, max_args; /* max 0: any number */
    enum func_class class;
    bool is_never_null;
    struct err *(*run)(const struct func_call *c, json_t **ret);
    const char *doc;
};

extern const struct func func_table[];
extern const size_t func_count;
const struct func *func_find(const char *name);
/* Text of a string, number, boolean or secret; ERR_CONFIG for others. */
MUST_CHECK struct err *func_text_of(
        const struct func_call *c, const json_t *value, struct buf *out);
/* A text, or a secret when an argument holds one. */
MUST_CHECK struct err *func_give(const struct func_call *c, const struct buf *text, json_t **ret);

/* Those of other files, for the table. */
struct err *func_cidrsubnet(const struct func_call *c, json_t **ret);
struct err *func_cidrhost(const struct func_call *c, json_t **ret);
struct err *func_url_host(const struct func_call *c, json_t **ret);
struct err *func_cidroverlaps(const struct func_call *c, json_t **ret);
struct err *func_cidrwithin(const struct func_call *c, json_t **ret);
struct err *func_cidrbits(const struct func_call *c, json_t **ret);
struct err *func_pluck(const struct func_call *c, json_t **ret);
struct err *func_where(const struct func_call *c, json_t **ret);
struct err *func_unique(const struct func_call *c, json_t **ret);
struct err *func_matches(const struct func_call *c, json_t **ret);
struct err *func_closest(const struct func_call *c, json_t **ret);
struct err *func_rewrite(const struct func_call *c, json_t **ret);
struct err *func_gibibytes(const struct func_call *c, json_t **ret);
struct err *func_sum(const struct func_call *c, json_t **ret);
struct err *func_product(const struct func_call *c, json_t **ret);
struct err *func_ratio(const struct func_call *c, json_t **ret);
struct err *func_url_password(const struct func_call *c, json_t **ret);
struct err *func_url_parts(const struct func_call *c, json_t **ret);
struct err *func_digest(const struct func_call *c, json_t **ret);
struct err *func_secret(const struct func_call *c, json_t **ret);
struct err *func_json(const struct func_call *c, json_t **ret);
/* The entry of {"$secret": N}; NULL for others or a number out of range. */
const struct secret_entry *secret_table_entry(const struct secret_table *t, const json_t *mark);
/* scrypt of a value by salt, kept for the process's life. Borrowed "scrypt:...". */
const char *secret_digest(const struct secret *s, struct str salt);

#endif
