#include "base/doc.h"

#include <stdint.h>

#include <yaml.h>

#include "base/alloc.h"
#include "base/doc_syntax.h"
#include "base/file.h"
#include "base/num.h"

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct diag_list *diags;
    const char *file;
    struct str text;
    size_t nodes;
    size_t at_byte, at_character; /* how far the text was walked: marks count characters */
    bool is_broken;               /* a syntax error or a limit: nothing more can be read */
};

static struct place place_of(const struct reader *r, yaml_mark_t mark)
{
    return (struct place){
        .file = r->file, .line = (int)mark.line + 1, .column = (int)mark.column + 1
    };
}

static bool next_event(struct reader *r, yaml_event_t *ev)
{
    if (r->is_broken)
        return false;
    if (yaml_parser_parse(&r->parser, ev) != 1) {
        doc_syntax_explain(&r->parser, r->text, r->file, r->diags);
        r->is_broken = true;
        return false;
    }
    return true;
}

static void check_anchor_and_tag(
        struct reader *r, const yaml_event_t *ev, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        diag_add(r->diags, DIAG_ERROR, "yaml.anchor", place_of(r, ev->start_mark), "",
                "anchors (&%s) are not used here: write the value out", (const char *)anchor);
    if (tag != NULL)
        diag_add(r->diags, DIAG_ERROR, "yaml.tag", place_of(r, ev->start_mark), "",
                "tags (%s) are not used here: quote the value to make it text", (const char *)tag);
}

static struct doc_node *new_node(struct reader *r, enum doc_kind kind, yaml_mark_t mark)
{
    struct doc_node *n = arena_alloc(r->arena, sizeof(*n));

    n->kind = kind;
    n->place = place_of(r, mark);
    if (++r->nodes > DOC_NODES_MAX) {
        diag_add(r->diags, DIAG_ERROR, "yaml.limit", n->place, "", "more than %u values",
                DOC_NODES_MAX);
        r->is_broken = true;
    }
    return n;
}

static struct doc_node *read_node(struct reader *r, yaml_event_t *ev, unsigned depth);

/* Appends in an arena: doubles, leaving the old array behind. */
static void *arena_grow(struct arena *arena, void *old, size_t count, size_t size_bytes)
{
    if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
        return old;
    const size_t capacity = count == 0 ? 4 : count * 2;
    void *grown = arena_alloc(arena, capacity * size_bytes);

    if (count > 0)
        memcpy(grown, old, count * size_bytes);
    return grown;
}

void doc_set(struct arena *arena, struct doc_node *map, const char *key, struct place key_place,
        struct doc_node *value)
{
    struct doc_entry *there = doc_entry(map, key);

    if (there == NULL) {
        map->entries = arena_grow(arena, map->entries, map->count, sizeof(map->entries[0]));
        there = &map->entries[map->count++];
    }
    *there = (struct doc_entry){ .key = key, .key_place = key_place, .value = value };
}

static void read_list(struct reader *r, struct doc_node *list, unsigned depth)
{
    yaml_event_t ev;

    while (next_event(r, &ev)) {
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return;
        }
        struct doc_node *item = read_node(r, &ev, depth + 1);

        if (item == NULL)
            continue;
        list->items = arena_grow(r->arena, list->items, list->count, sizeof(list->items[0]));
        list->items[list->count++] = item;
    }
}

static const char *read_key(struct reader *r, const struct doc_node *key)
{
    if (key == NULL)
        return NULL;
    if (key->kind != DOC_SCALAR || key->text_len == 0) {
        diag_add(r->diags, DIAG_ERROR, "yaml.key", key->place, "", "a key must be a plain word");
        return NULL;
    }
    if (key->is_plain && text_eq(key->text, "<<")) {
        diag_set_hint(r->diags,
                diag_add(r->diags, DIAG_ERROR, "yaml.merge", key->place, "",
                        "merge keys (<<) are not used here"),
                "write the keys out, or use an environment of the stack");
        return NULL;
    }
    return key->text;
}

static void read_map(struct reader *r, struct doc_node *map, unsigned depth)
{
    yaml_event_t ev;

    while (next_event(r, &ev)) {
        if (ev.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&ev);
            return;
        }
        const struct doc_node *key_node = read_node(r, &ev, depth + 1);
        const char *key = read_key(r, key_node);

        if (!next_event(r, &ev))
            return;
        struct doc_node *value = read_node(r, &ev, depth + 1);

        if (key == NULL || value == NULL)
            continue;
        const struct doc_entry *first = doc_entry(map, key);

        if (map->count == DOC_KEYS_MAX) {
            diag_add(r->diags, DIAG_ERROR, "yaml.limit", key_node->place, "",
                    "more than %u keys in one map", DOC_KEYS_MAX);
            r->is_broken = true;
        } else if (first != NULL)
            diag_add(r->diags, DIAG_ERROR, "yaml.duplicate-key", key_node->place, key,
                    "is there twice: the first one is in line %d", first->key_place.line);
        else
            doc_set(r->arena, map, key, key_node->place, value);
    }
}

/* The byte before a mark. Marks come in the order of the text, so that it is walked once. */
static char byte_before(struct reader *r, yaml_mark_t mark)
{
    while (r->at_character < mark.index && r->at_byte < r->text.len) {
        r->at_byte++;
        if (r->at_byte == r->text.len || ((unsigned char)r->text.p[r->at_byte] & 0xc0u) != 0x80u)
            r->at_character++;
    }
    return r->at_byte == 0 || r->at_character != mark.index ? '\0' : r->text.p[r->at_byte - 1];
}

static struct doc_node *read_scalar(struct reader *r, const yaml_event_t *ev)
{
    struct doc_node *n = new_node(r, DOC_SCALAR, ev->start_mark);
    const struct str text = { .p = (const char *)ev->data.scalar.value,
        .len = ev->data.scalar.length };

    n->is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    /* libyaml takes {?a: b} for the key a, YAML 1.2 for ?a. */
    if (byte_before(r, ev->start_mark) == '?')
        diag_set_hint(r->diags,
                diag_add(r->diags, DIAG_ERROR, "yaml.question", n->place, "",
                        "a '?' right before a value is read differently by YAML's versions"),
                "quote the value with its '?'");
    if (text.len > DOC_SCALAR_MAX)
        diag_add(r->diags, DIAG_ERROR, "yaml.limit", n->place, "", "a value exceeds %u bytes",
                DOC_SCALAR_MAX);
    else if (memchr(text.p, '\0', text.len) != NULL)
        diag_add(r->diags, DIAG_ERROR, "yaml.nul", n->place, "", "a value holds a NUL byte");
    else
        n->text_len = text.len;
    n->text = arena_str(r->arena, str_slice(text, 0, n->text_len));
    return n;
}

/* Reads the node that `ev` begins; takes `ev`. NULL for an alias and after a limit. */
static struct doc_node *read_node(struct reader *r, yaml_event_t *ev, unsigned depth)
{
    struct doc_node *n = NULL;

    if (depth > DOC_DEPTH_MAX) {
        diag_add(r->diags, DIAG_ERROR, "yaml.limit", place_of(r, ev->start_mark), "",
                "nested deeper than %u", DOC_DEPTH_MAX);
        r->is_broken = true;
    } else if (ev->type == YAML_SCALAR_EVENT) {
        check_anchor_and_tag(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
        n = read_scalar(r, ev);
    } else if (ev->type == YAML_SEQUENCE_START_EVENT) {
        check_anchor_and_tag(r, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
        n = new_node(r, DOC_LIST, ev->start_mark);
        read_list(r, n, depth);
    } else if (ev->type == YAML_MAPPING_START_EVENT) {
        check_anchor_and_tag(r, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
        n = new_node(r, DOC_MAP, ev->start_mark);
        read_map(r, n, depth);
    } else if (ev->type == YAML_ALIAS_EVENT) {
        diag_add(r->diags, DIAG_ERROR, "yaml.anchor", place_of(r, ev->start_mark), "",
                "aliases (*%s) are not used here: write the value out",
                (const char *)ev->data.alias.anchor);
    }
    yaml_event_delete(ev);
    return n;
}

static struct doc_node *read_stream(struct reader *r)
{
    struct doc_node *root = NULL;
    yaml_event_t ev;

    while (next_event(r, &ev)) {
        const yaml_event_type_t type = ev.type;
        const bool is_node = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT
                             || type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT;

        if (type == YAML_DOCUMENT_START_EVENT && root != NULL) {
            diag_add(r->diags, DIAG_ERROR, "yaml.documents", place_of(r, ev.start_mark), "",
                    "a second document ('---') begins here: one file holds one");
            yaml_event_delete(&ev);
            break;
        }
        if (is_node)
            root = read_node(r, &ev, 1);
        else
            yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT)
            break;
    }
    return root;
}

struct doc_node *doc_parse(
        struct arena *arena, struct str text, const char *file, struct diag_list *diags)
{
    struct reader r = { .arena = arena, .diags = diags, .file = arena_text(arena, file) };

    if (yaml_parser_initialize(&r.parser) != 1)
        die_oom();
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_slice(text, 3, text.len);
    r.text = text;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.len);
    struct doc_node *root = read_stream(&r);

    yaml_parser_delete(&r.parser);
    if (r.is_broken)
        return NULL;
    return root != NULL && !doc_is_null(root)
                   ? root
                   : doc_new_map(arena, (struct place){ .file = r.file, .line = 1, .column = 1 });
}

bool doc_front(struct str text, struct str *ret_front, struct str *ret_body)
{
    const ptrdiff_t end = str_find(text, STR("\n---\n"));

    if (!str_starts(text, STR("---\n")) || end < 0)
        return false;
    *ret_front = str_slice(text, 3, (size_t)end + 1);
    *ret_body = str_slice(text, (size_t)end + 5, text.len);
    return true;
}

struct err *doc_load(
        struct arena *arena, const char *path, struct diag_list *diags, struct doc_node **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(DOC_BYTES_MAX);

    TRY(file_read(path, DOC_BYTES_MAX, &text));
    *ret = doc_parse(arena, buf_str(&text), path, diags);
    return NULL;
}

struct doc_entry *doc_entry(const struct doc_node *map, const char *key)
{
    if (map == NULL || map->kind != DOC_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++) {
        const char *own = map->entries[i].key;

        if (own[0] == key[0] && strcmp(own, key) == 0)
            return &map->entries[i];
    }
    return NULL;
}

struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
    const struct doc_entry *e = doc_entry(map, key);

    return e == NULL ? NULL : e->value;
}

struct doc_node *doc_at(const struct doc_node *root, const char *path)
{
    struct doc_node *at = (struct doc_node *)(uintptr_t)root;
    struct str rest = str_of(path);

    while (at != NULL && rest.len > 0) {
        if (rest.p[0] == '.')
            rest = str_slice(rest, 1, rest.len);
        if (rest.len > 0 && rest.p[0] == '[') {
            const ptrdiff_t end = str_find(rest, STR("]"));
            int64_t index = 0;
            struct err *e =
                    end < 0 ? err_new(ERR_INTERNAL, 0, "path")
                            : num_parse_i64(str_slice(rest, 1, (size_t)end), 0, INT32_MAX, &index);

            if (e != NULL || at->kind != DOC_LIST || (size_t)index >= at->count) {
                err_ignore(e, "a path that leads nowhere has no value");
                return NULL;
            }
            at = at->items[index];
            rest = str_slice(rest, (size_t)end + 1, rest.len);
            continue;
        }
        size_t n = 0;

        while (n < rest.len && rest.p[n] != '.' && rest.p[n] != '[')
            n++;
        AUTO(free) char *key = str_dup(str_slice(rest, 0, n));

        at = doc_get(at, key);
        rest = str_slice(rest, n, rest.len);
    }
    return at;
}

bool doc_is_null(const struct doc_node *node)
{
    if (node == NULL)
        return true;
    return node->kind == DOC_SCALAR && node->is_plain
           && (node->text_len == 0 || text_eq(node->text, "~") || text_eq(node->text, "null")
                   || text_eq(node->text, "Null") || text_eq(node->text, "NULL"));
}

struct doc_node *doc_new_map(struct arena *arena, struct place place)
{
    struct doc_node *n = arena_alloc(arena, sizeof(*n));

    *n = (struct doc_node){ .kind = DOC_MAP, .place = place };
    return n;
}

void doc_remove(struct doc_node *map, const char *key)
{
    struct doc_entry *e = doc_entry(map, key);

    if (e == NULL)
        return;
    const size_t at = (size_t)(e - map->entries);

    memmove(e, e + 1, (map->count - at - 1) * sizeof(*e));
    map->count--;
}
