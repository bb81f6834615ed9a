#include "stack/references.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"

struct found {
    struct item {
        enum reference_root of;
        char *name;
    } * items;
    size_t count;
    size_t capacity;
};

static const char *const root_names[] = {
    [REFERENCE_ENV] = "env", [REFERENCE_SECRET] = "secret", [REFERENCE_VAR] = "var"
};

const char *reference_root_name(enum reference_root of)
{
    return root_names[of];
}

static bool is_word(char ch)
{
    return ch == '_' || ((unsigned char)ch < 128 && isalnum((unsigned char)ch));
}

static void add(struct found *f, enum reference_root of, struct str name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].of == of && str_eq(str_of(f->items[i].name), name))
            return;
    }
    GROW(f->items, f->count, f->capacity);
    f->items[f->count++] = (struct item){ .of = of, .name = str_dup(name) };
}

static void look_for(struct found *f, struct str inner, size_t at, enum reference_root of)
{
    const struct str rest = str_slice(inner, at, inner.len);
    const struct str root = str_of(root_names[of]);
    size_t n = root.len + 1;

    if (!str_starts(rest, root) || (at > 0 && (is_word(inner.p[at - 1]) || inner.p[at - 1] == '.'))
            || (rest.len > root.len && is_word(rest.p[root.len])))
        return;
    if (rest.len <= root.len || rest.p[root.len] != '.') {
        add(f, of, STR(""));
        return;
    }
    while (n < rest.len && is_word(rest.p[n]))
        n++;
    add(f, of, str_slice(rest, root.len + 1, n));
}

/*
 * The inside of a ${...} up to the } that ends it; skips 'text' and "text". Returns what follows.
 */
static struct str scan_expression(struct found *f, struct str inner)
{
    char quote = '\0';
    unsigned depth = 0;

    for (size_t i = 0; i < inner.len; i++) {
        const char ch = inner.p[i];

        if (quote != '\0') {
            quote = ch == quote ? '\0' : quote;
        } else if (ch == '\'' || ch == '"') {
            quote = ch;
        } else if (ch == '}' && depth == 0) {
            return str_slice(inner, i, inner.len);
        } else if (ch == '{' || ch == '}') {
            depth = ch == '{' ? depth + 1 : depth - 1;
        } else {
            for (size_t of = 0; of < ARRAY_LEN(root_names); of++)
                look_for(f, inner, i, (enum reference_root)of);
        }
    }
    return str_slice(inner, inner.len, inner.len);
}

static void scan_text(struct found *f, struct str text)
{
    for (ptrdiff_t at = str_find(text, STR("${")); at >= 0; at = str_find(text, STR("${"))) {
        const bool is_literal = at > 0 && text.p[at - 1] == '$';
        const struct str rest = str_slice(text, (size_t)at + 2, text.len);

        text = is_literal ? rest : scan_expression(f, rest);
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
        void (*fn)(void *arg, enum reference_root of, const char *name), void *arg)
{
    struct found f = { 0 };

    scan_node(&f, root);
    for (size_t i = 0; i < f.count; i++) {
        fn(arg, f.items[i].of, f.items[i].name);
        free(f.items[i].name);
    }
    free(f.items);
}
