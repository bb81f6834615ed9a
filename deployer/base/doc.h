/*
 * doc.h - a YAML document as a tree in which every key and value knows its file, line and column.
 * Read by libyaml's event interface. What makes YAML ambiguous is refused, each with its place:
 * anchors, aliases, tags, duplicate keys, several documents, tabs, keys that are no plain text.
 * Scalars stay text; doc_json gives them types by YAML 1.2's core schema, and refuses words that
 * YAML 1.1 reads differently (no, yes, on, off, 08, 1_000, 0x1f, 12:30) unless they are quoted.
 */
#ifndef BASE_DOC_H
#define BASE_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/str.h"

#define DOC_BYTES_MAX (1u << 20)
#define DOC_DEPTH_MAX 32u
#define DOC_NODES_MAX 50000u
#define DOC_KEYS_MAX 4000u /* in one map: its keys are looked up one by one */
#define DOC_SCALAR_MAX (256u << 10)

enum doc_kind { DOC_SCALAR, DOC_MAP, DOC_LIST };

struct doc_node;

struct doc_entry {
    const char *key;
    struct place key_place;
    struct doc_node *value;
};

struct doc_node {
    enum doc_kind kind;
    bool is_plain; /* DOC_SCALAR: written without quotes */
    struct place place;
    const char *text; /* DOC_SCALAR; NUL-terminated */
    size_t text_len;
    union {
        struct doc_entry *entries; /* DOC_MAP, in the order of the file */
        struct doc_node **items;   /* DOC_LIST */
    };
    size_t count; /* of them; 0 for DOC_SCALAR */
};

/*
 * Parses one document. Everything lives in `arena`. Returns NULL where nothing can be made of the
 * text; problems go to `diags`, and there may be some although a tree is returned. An empty
 * text gives an empty map.
 */
struct doc_node *doc_parse(
        struct arena *arena, struct str text, const char *file, struct diag_list *diags);
/*
 * The front matter of a Markdown file, between the line "---" that it begins with and the next one;
 * with an empty line before it, so that places are the file's. False if there is none. Points into
 * `text`, as *ret_body, which is what follows.
 */
bool doc_front(struct str text, struct str *ret_front, struct str *ret_body);
/* Reads and parses a file of at most DOC_BYTES_MAX. ERR_NOINPUT, ERR_LIMIT for the file itself. */
MUST_CHECK struct err *doc_load(
        struct arena *arena, const char *path, struct diag_list *diags, struct doc_node **ret);
/* The entry of a map, or NULL. */
struct doc_entry *doc_entry(const struct doc_node *map, const char *key);
/* The value of a map's key, or NULL. */
struct doc_node *doc_get(const struct doc_node *map, const char *key);
/* The value at a dotted path "a.b[2].c", or NULL. */
struct doc_node *doc_at(const struct doc_node *root, const char *path);
/* Whether it is a plain null (absent, empty, null, ~). NULL counts as null. */
bool doc_is_null(const struct doc_node *node);
/* A new map or list for merged trees; entries are added with doc_set, doc_append. */
struct doc_node *doc_new_map(struct arena *arena, struct place place);
void doc_set(struct arena *arena, struct doc_node *map, const char *key, struct place key_place,
        struct doc_node *value);
/* Removes a key; nothing there is no error. */
void doc_remove(struct doc_node *map, const char *key);
/*
 * The value as JSON, owned. `path` is what messages call this node. Ambiguous words become
 * diagnostics and strings.
 */
MUST_CHECK json_t *doc_json(const struct doc_node *node, const char *path, struct diag_list *diags);

#endif
