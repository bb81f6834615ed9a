/*
 * expr_node.h - the tree of a ${...} expression and its parser. Pure; knows no value and no root.
 * docs/expressions.md has the grammar.
 */
#ifndef CATALOG_EXPR_NODE_H
#define CATALOG_EXPR_NODE_H

#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Of a text in a file. What expansion leaves over may be longer and deeper. */
#define EXPR_TEXT_MAX (64u << 10)
#define EXPR_DEPTH_MAX 64u
#define EXPR_LEFT_TEXT_MAX (4u << 20)
#define EXPR_LEFT_DEPTH_MAX 512u

enum expr_op {
    EXPR_LITERAL, /* literal */
    EXPR_LIST,    /* items */
    EXPR_MAP,     /* keys, items */
    EXPR_TEXT,    /* items, joined to one text: "a${b}c" */
    EXPR_PATH,    /* root `name` or items[0], then accessors items[1..]; their literals are texts */
    EXPR_CALL,    /* name, items */
    EXPR_NOT,     /* items[0] */
    EXPR_BINARY,  /* name is the operator; items[0], items[1] */
    EXPR_COND,    /* items[0] ? items[1] : items[2] */
};

struct expr_node {
    enum expr_op op;
    size_t offset, end; /* in the text */
    unsigned depth;
    json_t *literal;  /* released with the arena */
    const char *name; /* EXPR_PATH: the root, or NULL when items[0] is the base */
    struct expr_node **items;
    const char **keys;
    size_t count;
    json_t **steps; /* EXPR_PATH: the literals of items[1..] when all are; else NULL */
};

/* Whether `text` holds a "${" (also an escaped one), so that it is more than itself. */
bool expr_is_template(struct str text);
/*
 * Parses a text of a file, ${...} within other text. On failure *ret_offset is where.
 * Everything lives in `arena`. ERR_CONFIG, ERR_LIMIT.
 */
MUST_CHECK struct err *expr_parse_template(
        struct arena *arena, struct str text, struct expr_node **ret, size_t *ret_offset);
/* Parses the inside of a ${...}: what stands in {"$expr"}. */
MUST_CHECK struct err *expr_parse(
        struct arena *arena, struct str text, struct expr_node **ret, size_t *ret_offset);
/* Whether `s` can stand behind a dot: a letter or _, then letters, digits, _ or -. */
bool expr_is_name(struct str s);
/* Adds a value as it is written in an expression: {"$expr"} as its text, texts in double quotes. */
void expr_print_value(struct buf *out, const json_t *value);
/* Adds ".name", ["key"] or [0]. */
void expr_print_accessor(struct buf *out, const json_t *key);

#endif
