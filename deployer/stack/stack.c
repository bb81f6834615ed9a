#include "stack/stack.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "stack/inputs.h"
#include "stack/merge.h"
#include "stack/schema.h"
#include "stack/values.h"

struct loader {
    struct arena *arena;
    const struct stack_options *options;
    struct diag_list *diags;
    struct stack *stack;
};

/* The environment's overlay, NULL for the base alone. False after a complaint. */
static bool find_overlay(
        const struct loader *l, const struct doc_node *root, const struct doc_node **ret)
{
    const char *name = l->options->environment;
    const struct doc_node *all = doc_get(root, "environments");

    if (name == NULL || name[0] == '\0')
        return true;
    const struct doc_entry *e = doc_entry(all, name);

    if (e != NULL) {
        *ret = doc_is_null(e->value) ? NULL : e->value;
        return true;
    }
    const size_t count = all != NULL && all->kind == DOC_MAP ? all->count : 0;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));
    AUTO(buf) struct buf known = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < count; i++)
        names[i] = all->entries[i].key;
    const char *meant = text_suggest(str_of(name), names, count);
    struct diag *d = diag_add(l->diags, DIAG_ERROR, "stack.environment",
            all == NULL ? root->place : all->place, "environments",
            "there is no environment '%s'%s%s%s", name, meant == NULL ? "" : " (did you mean ",
            meant == NULL ? "" : meant, meant == NULL ? "" : "?)");

    text_add_list(&known, names, count, 12);
    if (count > 0)
        diag_set_hint(l->diags, d, "the file has %s", buf_text(&known));
    return false;
}

/* A copy of a base or overlay with its inputs written out and without the environments. */
static struct doc_node *prepare(struct arena *arena, const struct doc_node *map)
{
    struct doc_node *copy = doc_new_map(arena, map->place);

    for (size_t i = 0; map->kind == DOC_MAP && i < map->count; i++) {
        const struct doc_entry *e = &map->entries[i];
        const bool is_inputs = text_eq(e->key, "inputs") && e->value->kind == DOC_MAP;

        if (!text_eq(e->key, "environments"))
            doc_set(arena, copy, e->key, e->key_place,
                    is_inputs ? inputs_normalise(arena, e->value) : e->value);
    }
    return copy;
}

/* The value at a path when it is there and no null. */
static const struct doc_node *value_at(const struct doc_node *root, const char *path)
{
    const struct doc_node *node = doc_at(root, path);

    return doc_is_null(node) ? NULL : node;
}

static const struct doc_node *of_kind(const struct doc_node *node, enum doc_kind kind)
{
    return node != NULL && node->kind == kind ? node : NULL;
}

static void fill_needs(struct arena *arena, struct stack_service *s, const struct doc_node *needs)
{
    if (needs == NULL)
        return;
    s->needs = arena_alloc(arena, needs->count * sizeof(*s->needs));
    for (size_t i = 0; i < needs->count; i++) {
        const struct doc_entry *e = &needs->entries[i];

        if (e->value->kind == DOC_SCALAR && e->value->text_len > 0)
            s->needs[s->need_count++] = (struct stack_need){
                .name = e->key, .service = e->value->text, .place = e->value->place
            };
    }
}

/* Services that say nothing usable are left out: what is wrong with them is said already. */
static void fill_services(struct arena *arena, struct stack *s)
{
    const struct doc_node *all = of_kind(doc_get(s->root, "services"), DOC_MAP);

    if (all == NULL)
        return;
    s->services = arena_alloc(arena, all->count * sizeof(*s->services));
    for (size_t i = 0; i < all->count; i++) {
        const struct doc_entry *e = &all->entries[i];
        const struct doc_node *use = of_kind(value_at(e->value, "use"), DOC_SCALAR);

        if (use == NULL)
            continue;
        struct stack_service *service = &s->services[s->service_count++];

        *service = (struct stack_service){ .name = e->key,
            .use = use->text,
            .place = e->key_place,
            .use_place = use->place,
            .with = of_kind(value_at(e->value, "with"), DOC_MAP),
            .existing = value_at(e->value, "existing") };
        fill_needs(arena, service, of_kind(value_at(e->value, "needs"), DOC_MAP));
    }
}

static void fill_catalogs(struct arena *arena, struct stack *s, const struct stack_options *o,
        struct diag_list *diags)
{
    const struct doc_node *own = value_at(s->root, "catalog");
    const size_t own_count = own == NULL ? 0 : own->kind == DOC_LIST ? own->count : 1;
    const char **dirs = arena_alloc(arena, (own_count + o->catalog_count + 1) * sizeof(*dirs));

    for (size_t i = 0; i < own_count; i++) {
        const struct doc_node *one = own->kind == DOC_LIST ? own->items[i] : own;

        if (one->kind != DOC_SCALAR || one->text_len == 0)
            continue;
        AUTO(free) char *path = file_join(s->dir, one->text);

        if (!file_is_dir(path)) {
            diag_add(diags, DIAG_ERROR, "stack.catalog-folder", one->place, "catalog",
                    "'%s' is no folder: it is looked for beside the stack file", one->text);
            continue;
        }
        dirs[s->catalog_count++] = arena_text(arena, path);
    }
    for (size_t i = 0; i < o->catalog_count; i++)
        dirs[s->catalog_count++] = arena_text(arena, o->catalogs[i]);
    s->catalogs = dirs;
}

static void fill(struct arena *arena, struct stack *s)
{
    const struct doc_node *root = s->root;
    const struct doc_node *name = of_kind(value_at(root, "stack"), DOC_SCALAR);

    s->name = name == NULL ? "" : name->text;
    s->location = of_kind(value_at(root, "location"), DOC_SCALAR);
    s->subscription = of_kind(value_at(root, "azure.subscription"), DOC_SCALAR);
    s->tenant = of_kind(value_at(root, "azure.tenant"), DOC_SCALAR);
    s->resource_group = value_at(root, "azure.resource_group");
    s->tags = of_kind(value_at(root, "azure.tags"), DOC_MAP);
    s->network = of_kind(value_at(root, "network"), DOC_MAP);
    s->registry = of_kind(value_at(root, "registry"), DOC_MAP);
    s->state_node = of_kind(value_at(root, "state"), DOC_SCALAR);
    s->vault_node = of_kind(value_at(root, "vault"), DOC_SCALAR);
    s->state_url = s->state_node == NULL ? NULL : s->state_node->text;
    s->vault = s->vault_node == NULL ? NULL : s->vault_node->text;
    s->ignore = of_kind(value_at(root, "ignore"), DOC_LIST);
    fill_services(arena, s);
}

static void release_vars(void *object)
{
    json_decref(object);
}

/* Overlays that nobody chose are laid over the base only to see what is wrong with them. */
static void check_others(const struct loader *l, const struct stack *s)
{
    const struct doc_node *all = doc_get(s->file_root, "environments");

    if (!s->checks_overlays || all == NULL || all->kind != DOC_MAP)
        return;
    for (size_t i = 0; i < all->count; i++) {
        const struct doc_entry *e = &all->entries[i];
        AUTO(free) char *path = xasprintf("environments.%s", e->key);

        if (e->value->kind != DOC_MAP)
            continue;
        const struct doc_node *overlay = prepare(l->arena, e->value);

        schema_check_overlay(
                merge_overlay(l->arena, s->root, overlay, path, l->diags), overlay, path, l->diags);
    }
}

static struct err *read_values(struct loader *l)
{
    struct stack *s = l->stack;
    AUTO(free) char *dotenv = text_eq(s->dir, ".") ? xstrdup(".env") : file_join(s->dir, ".env");

    return values_load(l->arena, dotenv, l->diags, &s->values);
}

static struct stack *begin(struct loader *l)
{
    struct stack *s = arena_alloc(l->arena, sizeof(*s));
    AUTO(free) char *dir = file_dirname(l->options->file);

    s->arena = l->arena;
    s->file = arena_text(l->arena, l->options->file);
    s->dir = arena_text(l->arena, dir);
    s->checks_overlays = l->options->checks_overlays;
    s->environment =
            l->options->environment == NULL ? "" : arena_text(l->arena, l->options->environment);
    return s;
}

struct err *stack_load(struct arena *arena, const struct stack_options *o, struct diag_list *diags,
        struct stack **ret)
{
    struct loader l = { .arena = arena, .options = o, .diags = diags };
    struct doc_node *root = NULL;

    *ret = NULL;
    l.stack = begin(&l);
    TRY(doc_load(arena, o->file, diags, &root));
    TRY(read_values(&l));
    if (root == NULL)
        return NULL;
    if (root->kind != DOC_MAP) {
        diag_add(diags, DIAG_ERROR, "stack.no-map", root->place, "",
                "is no stack file: it must be a map that begins with 'deployer: %d'", STACK_FORMAT);
        return NULL;
    }
    if (root->count == 0) {
        diag_set_hint(diags,
                diag_add(diags, DIAG_ERROR, "stack.empty", root->place, "",
                        "there is nothing in it"),
                "deployer init writes a first stack.yaml");
        return NULL;
    }
    if (!schema_check_format(root, diags))
        return NULL;
    schema_check_file(root, diags);
    struct stack *s = l.stack;
    const struct doc_node *overlay = NULL;

    if (!find_overlay(&l, root, &overlay))
        return NULL; /* what it adds is not known, so what is missing is not either */
    s->file_root = root;
    s->root = prepare(arena, root);
    if (overlay != NULL) {
        const char *path = arena_printf(arena, "environments.%s", s->environment);

        diags->laid_over = path;
        s->overlay = prepare(arena, overlay);
        s->root = merge_overlay(arena, s->root, s->overlay, path, diags);
    }
    schema_check_merged(s->root, diags);
    check_others(&l, s);
    inputs_check_added(root, diags);
    fill(arena, s);
    fill_catalogs(arena, s, o, diags);
    s->vars = inputs_values(of_kind(doc_get(s->root, "inputs"), DOC_MAP),
            &(struct inputs_given){ .vars = o->vars, .var_count = o->var_count, .dir = s->dir },
            diags);
    arena_hook(arena, release_vars, s->vars);
    *ret = s;
    return NULL;
}
