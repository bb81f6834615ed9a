#include "commands/runbook_set.h"

#include "base/alloc.h"
#include "base/file.h"
#include "catalog/embedded.h"

static bool has_lint(struct str text)
{
    const ptrdiff_t end = str_find(text, STR("\n---\n"));

    return str_find(str_slice(text, 0, end < 0 ? 0 : (size_t)end), STR("\nlint:")) >= 0;
}

static struct err *load(struct context *c, bool only_lints, struct runbooks *ret)
{
    *ret = (struct runbooks){ .arena = c->arena };
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        const struct str path = str_of(f->path);

        if (str_starts(path, STR("runbooks/")) && str_ends(path, STR(".md"))
                && str_find(path, STR("/README")) < 0
                && (!only_lints || has_lint((struct str){ .p = f->text, .len = f->len })))
            runbook_add(ret, (struct str){ .p = f->text, .len = f->len }, f->path, &c->diags);
    }
    for (size_t i = 0; i < c->catalogs.count; i++) {
        AUTO(free) char *dir = file_join(c->catalogs.items[i], "runbooks");

        if (file_is_dir(dir))
            TRY(runbook_add_folder(ret, dir, &c->diags));
    }
    if (!only_lints) /* which names others that are not here */
        runbook_finish(ret, &c->diags);
    return context_check_diags(c, "the runbooks");
}

struct err *runbook_set_load(struct context *c, struct runbooks *ret)
{
    return load(c, false, ret);
}

struct err *runbook_set_load_lints(struct context *c, struct runbooks *ret)
{
    return load(c, true, ret);
}
