/*
 * A node: its tag, line, column, then of a scalar its length and bytes with a NUL, of a list its
 * count and items, of a map its count and for each entry the key as a scalar and the value. Numbers
 * are seven bits a byte, low ones first; the high bit says that more follow.
 */
#include "base/doc_pack.h"

#include "base/alloc.h"

enum tag { TAG_QUOTED, TAG_PLAIN, TAG_LIST, TAG_MAP };

/* ---- writing ---- */

static void put_number(struct buf *out, size_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_add_char(out, (char)(n | 0x80));
    buf_add_char(out, (char)n);
}

static void put_head(struct buf *out, enum tag tag, struct place place, size_t count)
{
    buf_add_char(out, (char)tag);
    put_number(out, (size_t)place.line);
    put_number(out, (size_t)place.column);
    put_number(out, count);
}

static void put_text(
        struct buf *out, enum tag tag, struct place place, const char *text, size_t len)
{
    put_head(out, tag, place, len);
    buf_add(out, text, len);
    buf_add_char(out, '\0');
}

void doc_pack(const struct doc_node *n, struct buf *out)
{
    if (n->kind == DOC_SCALAR) {
        put_text(out, n->is_plain ? TAG_PLAIN : TAG_QUOTED, n->place, n->text, n->text_len);
        return;
    }
    put_head(out, n->kind == DOC_MAP ? TAG_MAP : TAG_LIST, n->place, n->count);
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == DOC_LIST) {
            doc_pack(n->items[i], out);
            continue;
        }
        const struct doc_entry *e = &n->entries[i];

        put_text(out, TAG_PLAIN, e->key_place, e->key, strlen(e->key));
        doc_pack(e->value, out);
    }
}

/* ---- reading ---- */

struct unpacker {
    struct arena *arena;
    const char *file;
    const unsigned char *at, *end;
};

static const unsigned char *take(struct unpacker *u, size_t len)
{
    const unsigned char *p = u->at;

    if ((size_t)(u->end - p) < len)
        abort();
    u->at += len;
    return p;
}

static size_t take_number(struct unpacker *u)
{
    size_t n = 0;
    unsigned shift = 0;
    unsigned char byte = 0;

    do {
        byte = *take(u, 1);
        n |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80);
    return n;
}

static void take_head(struct unpacker *u, struct doc_node *n)
{
    static const enum doc_kind kinds[] = { [TAG_QUOTED] = DOC_SCALAR,
        [TAG_PLAIN] = DOC_SCALAR,
        [TAG_LIST] = DOC_LIST,
        [TAG_MAP] = DOC_MAP };
    const unsigned char tag = *take(u, 1);

    if (tag >= ARRAY_LEN(kinds))
        abort();
    n->kind = kinds[tag];
    n->is_plain = tag == TAG_PLAIN;
    n->place.file = u->file;
    n->place.line = (int)take_number(u);
    n->place.column = (int)take_number(u);
    n->count = take_number(u);
    if (n->kind != DOC_SCALAR)
        return;
    n->text_len = n->count;
    n->text = (const char *)take(u, n->text_len + 1);
    n->count = 0;
}

static struct doc_node *take_node(struct unpacker *u)
{
    struct doc_node *n = arena_alloc(u->arena, sizeof(*n));

    take_head(u, n);
    if (n->kind == DOC_LIST && n->count > 0)
        n->items = arena_alloc(u->arena, n->count * sizeof(struct doc_node *));
    if (n->kind == DOC_MAP && n->count > 0)
        n->entries = arena_alloc(u->arena, n->count * sizeof(n->entries[0]));
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == DOC_LIST) {
            n->items[i] = take_node(u);
            continue;
        }
        struct doc_node key = { 0 };

        take_head(u, &key);
        n->entries[i] = (struct doc_entry){
            .key = key.text, .key_place = key.place, .value = take_node(u)
        };
    }
    return n;
}

const struct doc_node *doc_unpack(struct arena *arena, struct str packed, const char *file)
{
    const unsigned char *at = (const unsigned char *)packed.p;
    struct unpacker u = {
        .arena = arena, .file = arena_text(arena, file), .at = at, .end = at + packed.len
    };

    return take_node(&u);
}
