/*
 * pack.c - run by the build: pack FILE... prints "FILE HEX" for each YAML or JSON file and each
 * Markdown file's front matter, as base/doc_pack.h packs them; other files are passed over. What
 * our reader complains of fails the build, with its place.
 */
#include <stdio.h>

#include "base/doc_pack.h"
#include "base/file.h"

static bool wanted(struct str path, struct str text, struct str *ret)
{
    struct str body;

    *ret = text;
    if (str_ends(path, STR(".md")))
        return doc_front(text, ret, &body);
    return str_ends(path, STR(".yaml")) || str_ends(path, STR(".json"));
}

static void print(const char *path, struct str packed)
{
    printf("%s ", path);
    for (size_t i = 0; i < packed.len; i++)
        printf("%02x", (unsigned)(unsigned char)packed.p[i]);
    printf("\n");
}

static struct err *pack(struct arena *arena, const char *path)
{
    AUTO(buf) struct buf text = BUF_INIT(DOC_BYTES_MAX);
    AUTO(buf) struct buf packed = BUF_INIT(DOC_BYTES_MAX);
    AUTO(diag) struct diag_list diags = { 0 };
    struct str yaml;

    diag_init(&diags, arena);
    TRY(file_read(path, DOC_BYTES_MAX, &text));
    if (!wanted(str_of(path), buf_str(&text), &yaml))
        return NULL;
    const struct doc_node *root = doc_parse(arena, yaml, path, &diags);

    if (root == NULL || diags.errors > 0)
        return err_new(ERR_CONFIG, 0, "%s:%d:%d: %s", path, diags.items[0].place.line,
                diags.items[0].place.column, diags.items[0].text);
    doc_pack(root, &packed);
    TRY(buf_check(&packed, path));
    print(path, buf_str(&packed));
    return NULL;
}

int main(int argc, char **argv)
{
    AUTO(arena) struct arena *arena = arena_new();

    for (int i = 1; i < argc; i++) {
        AUTO(err) struct err *e = pack(arena, argv[i]);

        if (e == NULL)
            continue;
        fprintf(stderr, "%s\n", err_text(e));
        return 1;
    }
    return 0;
}
