#include "stack/references.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"

struct found {
    struct item {
        bool is_secret;
        char *name;
    } * items;
    size_t count;
    size_t capacity;
};

static bool is_word(char ch)
{
    return ch == '_' || ((unsigned char)ch < 128 && isalnum((unsigned char)ch));
}

static void add(struct found *f, bool is_secret, struct str name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].is_secret == is_secret && str_eq(str_of(f->items[i].name), name))
            return;
    }
    GROW(f->items, f->count, f->capacity);
    f->items[f->count++] = (struct item){ .is_secret = is_secret, .name = str_dup(name) };
}

static void look_for(struct found *f, struct str inner, size_t at, struct str root)
{
    const struct str rest = str_slice(inner, at, inner.len);
    size_t n = root.len;

    if (!str_starts(rest, root) || (at > 0 && (is_word(inner.p[at - 1]) || inner.p[at - 1] == '.')))
        return;
    while (n < rest.len && is_word(rest.p[n]))
        n++;
    if (n > root.len)
        add(f, str_eq(root, STR("secret.")), str_slice(rest, root.len, n));
}

/* Skips 'text' and "text" inside an expression. */
static void scan_expression(struct found *f, struct str inner)
{
    char quote = '\0';

    for (size_t i = 0; i < inner.len; i++) {
        const char ch = inner.p[i];

        if (quote != '\0')
            quote = ch == quote ? '\0' : quote;
        else if (ch == '\'' || ch == '"')
            quote = ch;
        else {
            look_for(f, inner, i, STR("env."));
            look_for(f, inner, i, STR("secret."));
        }
    }
}

static void scan_text(struct found *f, struct str text)
{
    for (ptrdiff_t at = str_find(text, STR("${")); at >= 0; at = str_find(text, STR("${"))) {
        const bool is_literal = at > 0 && text.p[at - 1] == '$';
        const struct str rest = str_slice(text, (size_t)at + 2, text.len);
        const ptrdiff_t end = str_find(rest, STR("}"));

        if (!is_literal)
            scan_expression(f, end < 0 ? rest : str_slice(rest, 0, (size_t)end));
        text = rest;
    }
}

static void scan_node(struct found *f, const struct doc_node *node)
{
    if (node->kind == DOC_SCALAR)
        scan_text(f, (struct str){ .p = node->text, .len = node->text_len });
    for (size_t i = 0; i < node->count; i++)
        scan_node(f, node->kind == DOC_MAP ? node->entries[i].value : node->items[i]);
}

void references_each(const struct doc_node *root,
        void (*fn)(void *arg, bool is_secret, const char *name), void *arg)
{
    struct found f = { 0 };

    scan_node(&f, root);
    for (size_t i = 0; i < f.count; i++) {
        fn(arg, f.items[i].is_secret, f.items[i].name);
        free(f.items[i].name);
    }
    free(f.items);
}
