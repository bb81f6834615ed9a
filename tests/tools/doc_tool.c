/*
 * doc_tool - reads YAML files as the program reads them and prints one JSON line a file:
 * {"file", "json", "diagnostics": [{"severity", "code", "line", "column", "text"}]}; `json` is
 * absent where the file is no document. For tests that compare the tree with what it should be.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/jsonx.h"

static json_t *diagnostics(const struct diag_list *diags)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *d = &diags->items[i];

        json_array_append_new(list,
                jsonx_must(json_pack("{s:s, s:s, s:i, s:i, s:s}", "severity",
                        diag_severity_name(d->severity), "code", d->code, "line",
                        (int)d->place.line, "column", (int)d->place.column, "text", d->text)));
    }
    return list;
}

static struct err *read_one(const char *path)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;
    struct doc_node *root = NULL;
    json_auto_t *line = jsonx_must(json_pack("{s:s}", "file", path));

    diag_init(&diags, arena);
    TRY(doc_load(arena, path, &diags, &root));
    json_t *value = root == NULL ? NULL : doc_json(root, "", &diags);

    if (value != NULL && diags.errors == 0)
        json_object_set_new(line, "json", value);
    else
        json_decref(value);
    json_object_set_new(line, "diagnostics", diagnostics(&diags));
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    return NULL;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        struct err *e = read_one(argv[i]);

        if (e != NULL) {
            fprintf(stderr, "%s\n", err_text(e));
            status = 1;
        }
        err_free(e);
    }
    return status;
}
