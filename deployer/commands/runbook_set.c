#include "commands/runbook_set.h"

#include "base/alloc.h"
#include "base/doc_pack.h"
#include "base/file.h"
#include "catalog/embedded.h"

static void add_embedded(
        struct context *c, const struct embedded_file *f, bool only_lints, struct runbooks *set)
{
    const struct str packed = { .p = f->packed, .len = f->packed_len };
    const struct doc_node *front = doc_unpack(c->arena, packed, f->path);
    struct str yaml, body;

    if ((!only_lints || doc_get(front, "lint") != NULL)
            && doc_front((struct str){ .p = f->text, .len = f->len }, &yaml, &body))
        runbook_add_read(set, front, body.p, f->path, &c->diags);
}

static struct err *load(struct context *c, bool only_lints, struct runbooks *ret)
{
    *ret = (struct runbooks){ .arena = c->arena };
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (str_starts(str_of(f->path), STR("runbooks/")) && f->packed != NULL)
            add_embedded(c, f, only_lints, ret);
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

#define HINTS_MAX 2u

static void hint_one(struct runbooks *set, struct err *error)
{
    const struct runbook *found[HINTS_MAX];
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const size_t count = runbook_explain(set, str_of(err_text(error)), found, HINTS_MAX);

    for (size_t i = 0; i < count; i++)
        buf_addf(&out, "%sdeployer explain %s (%s)", i == 0 ? "" : "; ", found[i]->id,
                found[i]->title);
    if (count > 0)
        err_set_hint(error, "%s", buf_text(&out));
}

void runbook_set_hint(struct context *c, struct engine *e)
{
    struct runbooks set = { 0 };
    bool is_loaded = false;

    for (size_t i = 0; i < engine_count(e); i++) {
        const struct engine_node *n = engine_node(e, i);

        if (n->status != NODE_FAILED || err_hint(n->error)[0] != '\0')
            continue;
        struct err *failed = is_loaded ? NULL : runbook_set_load(c, &set);

        if (failed != NULL) {
            err_ignore(failed, "without runbooks there is no hint");
            return;
        }
        is_loaded = true;
        hint_one(&set, n->error);
    }
}
