#include "commands/runbook_set.h"

#include "base/alloc.h"
#include "base/file.h"
#include "catalog/embedded.h"

struct err *runbook_set_load(struct context *c, struct runbooks *ret)
{
    *ret = (struct runbooks){ .arena = c->arena };
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        const struct str path = str_of(f->path);

        if (str_starts(path, STR("runbooks/")) && str_ends(path, STR(".md"))
                && str_find(path, STR("/README")) < 0)
            runbook_add(ret, (struct str){ .p = f->text, .len = f->len }, f->path, &c->diags);
    }
    for (size_t i = 0; i < c->catalogs.count; i++) {
        AUTO(free) char *dir = file_join(c->catalogs.items[i], "runbooks");

        if (file_is_dir(dir))
            TRY(runbook_add_folder(ret, dir, &c->diags));
    }
    runbook_finish(ret, &c->diags);
    return context_check_diags(c, "the runbooks");
}
