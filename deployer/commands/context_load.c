/* The loading half of context.h: stack file, catalog, model. */
#include "commands/context.h"

#include "base/alloc.h"
#include "base/file.h"
#include "catalog/catalog.h"
#include "catalog/model.h"
#include "commands/vault.h"
#include "probe/probe.h"
#include "stack/stack.h"
#include "state/state.h"

static struct err *judge_state_url(const struct stack *s)
{
    return str_trim(str_of(s->state_url)).len == 0
                   ? err_new(ERR_CONFIG, 0, "names no place: it is empty")
                   : state_check_url(s->state_url);
}

/* Where the state is kept is asked for late: what can't be a place is said with the rest. */
static void check_state_url(struct context *c)
{
    const struct stack *s = c->stack;

    if (c->state_url != NULL || s->state_node == NULL || diag_explains(&c->diags, "state"))
        return;
    AUTO(err) struct err *e = judge_state_url(s);

    if (e == NULL)
        return;
    struct diag *d = diag_add(
            &c->diags, DIAG_ERROR, "stack.state", s->state_node->place, "state", "%s", err_text(e));

    if (err_hint(e)[0] != '\0')
        diag_set_hint(&c->diags, d, "%s", err_hint(e));
    else if (s->environment[0] == '\0' && strstr(s->state_node->text, "stack.environment") != NULL)
        diag_set_hint(&c->diags, d, CATALOG_BASE_HINT);
}

/* What a stack of some dozen resources, its catalog and its model take. */
#define MODEL_BYTES (6u << 20)

static struct err *load_stack(struct context *c, const char *file)
{
    alloc_expect(MODEL_BYTES);

    AUTO(free)
    char *inside = text_eq(file, ".") ? xstrdup("stack.yaml") : file_join(file, "stack.yaml");
    AUTO(free) char *path = file_is_dir(file) ? TAKE(inside) : xstrdup(file);
    const struct stack_options o = { .file = path,
        .environment = c->environment,
        .checks_overlays = c->checks_overlays && c->environment == NULL,
        .vars = c->vars.items,
        .var_count = c->vars.count,
        .catalogs = c->catalogs.items,
        .catalog_count = c->catalogs.count };
    struct err *e = stack_load(c->arena, &o, &c->diags, &c->stack);

    if (e != NULL && err_kind(e) == ERR_NOINPUT)
        err_set_hint(e, "deployer init writes a first stack.yaml");
    if (e == NULL && c->stack != NULL) {
        catalog_settle(c->stack, &c->diags);
        check_state_url(c);
        vault_tell(c);
    }
    return e;
}

struct err *context_load_stack(struct context *c, const char *file)
{
    TRY(load_stack(c, file));
    return context_check_diags(c, c->stack != NULL ? c->stack->file : file);
}

static void load_catalog(struct context *c)
{
    const struct stack *s = c->stack;

    c->catalog = catalog_load(c->arena, s != NULL ? s->catalogs : c->catalogs.items,
            s != NULL ? s->catalog_count : c->catalogs.count, &c->diags);
}

struct err *context_load_catalog(struct context *c)
{
    load_catalog(c);
    return context_check_diags(c, "the catalog");
}

/* Only here both are known: what a service asks for, and what there is. */
static void check_probes(struct context *c)
{
    for (size_t i = 0; c->model != NULL && i < c->model->check_count; i++) {
        const struct check *k = &c->model->checks[i];
        AUTO(free) char *path = xasprintf("checks.%s", k->name);

        if (probe_find(k->probe) == NULL)
            diag_add(&c->diags, DIAG_ERROR, "catalog.probe", k->place, path,
                    "there is no probe '%s': docs/probes.md lists them", k->probe);
    }
}

static void release_model(struct context *c)
{
    if (c->model != NULL)
        arena_free(c->model->arena);
    c->model = NULL;
}

struct err *context_load_model(struct context *c, const char *file)
{
    TRY(load_stack(c, file));
    load_catalog(c);
    if (c->stack != NULL && c->catalog != NULL) {
        const struct catalog_options o = {
            .target = c->target, .suffix = c->suffix, .ids = c->ids, .labels = c->labels
        };

        c->release_model = release_model;
        c->model = catalog_expand(c->catalog, c->stack, &o, &c->diags);
        check_probes(c);
    }
    TRY(context_check_diags(c, c->stack != NULL ? c->stack->file : file));
    if (c->model == NULL)
        return err_new(ERR_INTERNAL, 0, "%s: no model and no error", file);
    return NULL;
}
