#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/doc_pack.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/embedded.h"
#include "catalog/load.h"
#include "catalog/reader.h"

#define CATALOG_FILE_MAX (1u << 20)

static void add_named(
        struct catalog *c, struct catalog_files *to, struct catalog_file *f, struct str name)
{
    f->name = arena_str(c->arena, name);
    struct catalog_file *before = index_put(&to->by_name, f->name, f);

    if (before != NULL) {
        for (size_t i = 0; i < to->count; i++) {
            if (to->items[i] == before)
                to->items[i] = f;
        }
        return;
    }
    if (to->count == to->capacity) {
        const size_t capacity = to->capacity == 0 ? 64 : to->capacity * 2;
        struct catalog_file **items =
                arena_alloc(c->arena, capacity * sizeof(struct catalog_file *));

        if (to->count > 0)
            memcpy(items, to->items, to->count * sizeof(struct catalog_file *));
        to->items = items;
        to->capacity = capacity;
    }
    to->items[to->count++] = f;
}

/* "templates/azure/redis.yaml" is the kind redis, "services/redis/service.yaml" the service. */
static void add_file(struct catalog *c, struct catalog_file *f)
{
    struct str rest = str_of(f->path);
    const struct str top = str_cut(&rest, '/');
    const struct str folder = str_cut(&rest, '/');

    index_put(&c->files, f->path, f);
    if (rest.p == NULL || memchr(rest.p, '/', rest.len) != NULL)
        return;
    if (str_eq(top, STR("templates")) && str_ends(rest, STR(".yaml")))
        add_named(c, &c->kinds, f, str_slice(rest, 0, rest.len - strlen(".yaml")));
    else if (str_eq(top, STR("services")) && str_eq(rest, STR("service.yaml")))
        add_named(c, &c->services, f, folder);
}

static void add_embedded(struct catalog *c)
{
    for (const struct embedded_file *e = embedded_files; e->path != NULL; e++) {
        struct catalog_file *f = arena_alloc(c->arena, sizeof(*f));

        *f = (struct catalog_file){ .path = e->path, .embedded = e };
        add_file(c, f);
    }
}

/* Walks DIR/templates and DIR/services. */
struct walk {
    struct catalog *c;
    const char *disk;
    const char *path;
    unsigned depth;
};

static struct err *visit(void *arg, const char *name)
{
    const struct walk *w = arg;
    struct walk sub = { .c = w->c, .depth = w->depth + 1 };

    if (name[0] == '.')
        return NULL;
    sub.disk = arena_printf(w->c->arena, "%s/%s", w->disk, name);
    sub.path = arena_printf(w->c->arena, "%s/%s", w->path, name);
    if (file_is_dir(sub.disk))
        return sub.depth > 4 ? NULL : file_each(sub.disk, NULL, visit, &sub);
    struct catalog_file *f = arena_alloc(w->c->arena, sizeof(*f));

    *f = (struct catalog_file){ .path = sub.path, .disk = sub.disk };
    add_file(w->c, f);
    return NULL;
}

static void add_folder(struct catalog *c, const char *dir, struct diag_list *diags)
{
    static const char *const tops[] = { "templates", "services" };
    /* Runbooks are others' to read; a folder of them alone is one, too. */
    const char *runbooks = arena_printf(c->arena, "%s/runbooks", dir);
    bool has_any = file_is_dir(runbooks);

    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        struct walk w = { .c = c, .path = tops[i] };

        w.disk = arena_printf(c->arena, "%s/%s", dir, tops[i]);
        if (!file_is_dir(w.disk))
            continue;
        has_any = true;
        struct err *e = file_each(w.disk, NULL, visit, &w);

        if (e != NULL)
            diag_add(diags, DIAG_ERROR, "catalog.folder", (struct place){ .file = dir }, "", "%s",
                    err_text(e));
        err_free(e);
    }
    if (!has_any)
        diag_add(diags, DIAG_ERROR, "catalog.folder", (struct place){ .file = dir }, "",
                file_is_dir(dir) ? "has none of templates/, services/, runbooks/" : "is no folder");
}

static const struct doc_node *read_yaml(
        const struct catalog *c, const struct catalog_file *f, struct diag_list *diags)
{
    const struct embedded_file *in = f->embedded;
    struct doc_node *root = NULL;

    if (in != NULL && in->packed != NULL)
        return doc_unpack(
                c->arena, (struct str){ .p = in->packed, .len = in->packed_len }, in->path);
    if (in != NULL)
        return doc_parse(c->arena, (struct str){ .p = in->text, .len = in->len }, in->path, diags);
    struct err *e = doc_load(c->arena, f->disk, diags, &root);

    if (e != NULL)
        diag_add(diags, DIAG_ERROR, "catalog.file", (struct place){ .file = f->disk }, "", "%s",
                err_text(e));
    err_free(e);
    return root;
}

/* Where messages say that the file is. */
static const char *shown(const struct catalog_file *f)
{
    return f->disk == NULL ? f->path : f->disk;
}

static void read_file(
        const struct catalog *c, struct catalog_file *f, bool is_kind, struct diag_list *diags)
{
    const size_t errors = diags->errors;
    const struct doc_node *root = read_yaml(c, f, diags);

    if (root != NULL && is_kind)
        f->kind = kind_parse(c->arena, root, f->name, diags);
    else if (root != NULL)
        f->service = service_parse(c->arena, root, f->name, shown(f), diags);
    f->state = diags->errors == errors ? CATALOG_READ : CATALOG_BROKEN;
}

const struct kind *load_kind(const struct catalog *c, const char *name, struct diag_list *diags)
{
    struct catalog_file *f = index_get(&c->kinds.by_name, name);

    if (f != NULL && f->state == CATALOG_FOUND)
        read_file(c, f, true, diags);
    return f == NULL || f->state != CATALOG_READ ? NULL : f->kind;
}

const struct service *load_service(
        const struct catalog *c, const char *name, struct diag_list *diags)
{
    struct catalog_file *f = index_get(&c->services.by_name, name);

    if (f != NULL && f->state == CATALOG_FOUND)
        read_file(c, f, false, diags);
    return f == NULL || f->state != CATALOG_READ ? NULL : f->service;
}

const char **load_names(const struct catalog_files *files)
{
    const char **names = xcalloc(files->count, sizeof(*names));

    for (size_t i = 0; i < files->count; i++)
        names[i] = files->items[i]->name;
    return names;
}

/* Whether the path stays below the service's folder. */
static bool is_inside(const char *path)
{
    struct str rest = str_of(path);

    if (path[0] == '/' || path[0] == '\0')
        return false;
    while (rest.p != NULL) {
        if (str_eq(str_cut(&rest, '/'), STR("..")))
            return false;
    }
    return true;
}

static struct err *find_beside(const struct catalog *c, const char *service, const char *path,
        const struct catalog_file **ret)
{
    AUTO(free) char *full = xasprintf("services/%s/%s", service, path);

    *ret = is_inside(path) ? index_get(&c->files, full) : NULL;
    return *ret == NULL ? err_new(ERR_CONFIG, 0, "there is no file %s", full) : NULL;
}

struct err *load_text(
        const struct catalog *c, const char *service, const char *path, struct buf *ret)
{
    const struct catalog_file *f = NULL;

    TRY(find_beside(c, service, path, &f));
    if (f->disk != NULL)
        return file_read(f->disk, CATALOG_FILE_MAX, ret);
    buf_add(ret, f->embedded->text, f->embedded->len);
    return buf_check(ret, f->path);
}

/* Reads and checks all files, or those on disk. */
static void check_files(const struct catalog *c, bool only_disk, struct diag_list *diags)
{
    for (size_t i = 0; i < c->kinds.count; i++) {
        const struct kind *k = only_disk && c->kinds.items[i]->disk == NULL
                                       ? NULL
                                       : load_kind(c, c->kinds.items[i]->name, diags);

        if (k != NULL)
            kind_check(c->arena, k, diags);
    }
    for (size_t i = 0; i < c->services.count; i++) {
        const struct service *s = only_disk && c->services.items[i]->disk == NULL
                                          ? NULL
                                          : load_service(c, c->services.items[i]->name, diags);

        if (s != NULL)
            service_check(c->arena, s, diags);
    }
}

static void catalog_release(void *object)
{
    struct catalog *c = object;

    diag_release(&c->diags);
}

struct catalog *catalog_load(
        struct arena *arena, const char *const *dirs, size_t dir_count, struct diag_list *diags)
{
    struct catalog *c = arena_alloc(arena, sizeof(*c));
    const size_t errors = diags->errors;

    c->arena = arena;
    c->files.arena = c->kinds.by_name.arena = c->services.by_name.arena = arena;
    diag_init(&c->diags, arena);
    arena_hook(arena, catalog_release, c);
    add_embedded(c);
    for (size_t i = 0; i < dir_count; i++)
        add_folder(c, dirs[i], diags);
    check_files(c, true, diags);
    return diags->errors == errors ? c : NULL;
}

void catalog_check(const struct catalog *c, struct diag_list *diags)
{
    check_files(c, false, diags);
}

/* Files that are read outside of a load: their errors were shown by it or belong to us. */
static struct diag_list *own_diags(const struct catalog *c)
{
    return (struct diag_list *)(uintptr_t)&c->diags;
}

const struct kind *catalog_kind(const struct catalog *c, const char *name)
{
    return load_kind(c, name, own_diags(c));
}

const struct kind *catalog_kind_by_type(const struct catalog *c, const char *arm_type)
{
    for (size_t i = 0; i < c->kinds.count; i++) {
        const struct kind *k = load_kind(c, c->kinds.items[i]->name, own_diags(c));

        if (k != NULL && str_eq_ci(str_of(k->type), str_of(arm_type)))
            return k;
    }
    return NULL;
}

size_t catalog_kind_count(const struct catalog *c)
{
    return c->kinds.count;
}

const struct kind *catalog_kind_at(const struct catalog *c, size_t at)
{
    return at < c->kinds.count ? load_kind(c, c->kinds.items[at]->name, own_diags(c)) : NULL;
}

size_t catalog_service_count(const struct catalog *c)
{
    return c->services.count;
}

const char *catalog_service_name(const struct catalog *c, size_t at)
{
    return at < c->services.count ? c->services.items[at]->name : NULL;
}

const json_t *catalog_service(const struct catalog *c, const char *name)
{
    struct diag_list *diags = own_diags(c);
    struct catalog_file *f = index_get(&c->services.by_name, name);
    const struct service *s = load_service(c, name, diags);

    if (s != NULL && f->document == NULL)
        f->document = reader_keep(c->arena, doc_json(s->root, "", diags));
    return s == NULL ? NULL : f->document;
}

static json_t *wanted_variables(
        const struct doc_node *all, const json_t *names, struct diag_list *diags)
{
    json_t *variables = jsonx_must(json_object());

    for (size_t i = 0; all->kind == DOC_MAP && i < all->count; i++) {
        const struct doc_entry *e = &all->entries[i];
        const bool is_wanted = names == NULL || json_object_get(names, e->key) != NULL
                               || doc_get(e->value, "required") != NULL;

        json_object_set_new(
                variables, e->key, is_wanted ? doc_json(e->value, e->key, diags) : json_null());
    }
    return variables;
}

/* A contract's variables may stand in a file of their own, YAML or JSON. */
static struct err *load_variables(const struct catalog *c, const char *service,
        const struct doc_node *contract, const json_t *names, struct diag_list *diags, json_t **ret)
{
    const struct doc_node *variables = doc_get(contract, "variables");
    const struct catalog_file *f = NULL;

    if (variables != NULL && variables->kind == DOC_SCALAR) {
        TRY(find_beside(c, service, variables->text, &f));
        variables = read_yaml(c, f, diags);
    }
    *ret = variables == NULL ? NULL : wanted_variables(variables, names, diags);
    return NULL;
}

struct place catalog_contract_place(const struct catalog *c, const char *service)
{
    const struct service *s = load_service(c, service, own_diags(c));
    const struct doc_node *named = s == NULL ? NULL : doc_get(s->root, "contract");

    return named == NULL ? (struct place){ 0 } : named->place;
}

const json_t *catalog_contract(
        const struct catalog *c, const char *service, const json_t *names, struct diag_list *diags)
{
    const struct service *s = load_service(c, service, own_diags(c));
    const struct doc_node *named = s == NULL ? NULL : doc_get(s->root, "contract");
    const struct catalog_file *f = NULL;

    if (named == NULL || named->text == NULL)
        return NULL;
    AUTO(err) struct err *e = find_beside(c, service, named->text, &f);

    if (e != NULL) {
        diag_add(diags, DIAG_ERROR, "catalog", named->place, "contract", "%s", err_text(e));
        return NULL;
    }
    const struct doc_node *root = read_yaml(c, f, diags);

    if (root == NULL)
        return NULL;
    json_t *contract = reader_keep(c->arena, doc_json(root, "", diags));
    json_t *variables = NULL;

    e = load_variables(c, service, root, names, diags, &variables);
    if (e != NULL) {
        diag_add(diags, DIAG_ERROR, "catalog", root->place, "variables", "%s", err_text(e));
        return NULL;
    }
    if (variables != NULL)
        json_object_set_new(contract, "variables", variables);
    return contract;
}
