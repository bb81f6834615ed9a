/* YAML: a tree or an error with a place; nothing is dropped in silence. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_node(const struct doc_node *n, unsigned depth)
{
    require(depth <= DOC_DEPTH_MAX);
    require(n->place.line >= 1 && n->place.column >= 1);
    if (n->kind == DOC_SCALAR) {
        require(n->text != NULL && strlen(n->text) == n->text_len);
        require(n->text_len <= DOC_SCALAR_MAX);
    }
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == DOC_LIST) {
            check_node(n->items[i], depth + 1);
        } else {
            require(n->entries[i].key[0] != '\0');
            require(doc_get(n, n->entries[i].key) == n->entries[i].value);
            check_node(n->entries[i].value, depth + 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;
    const struct str text = { .p = (const char *)data, .len = size };

    diag_init(&diags, arena);
    const struct doc_node *root = doc_parse(arena, text, "f", &diags);

    require(root != NULL || diags.errors > 0);
    for (size_t i = 0; i < diags.count; i++)
        require(diags.items[i].place.line >= 1 && diags.items[i].place.column >= 1
                && diags.items[i].text[0] != '\0');
    if (root != NULL) {
        check_node(root, 1);
        json_decref(doc_json(root, "", &diags));
    }
    return 0;
}
