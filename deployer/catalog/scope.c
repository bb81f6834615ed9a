/*
 * What the roots of an expression mean, in the stack file and in a service's file.
 */
#include "catalog/expand.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/reader.h"

struct err *scope_no_such(
        const char *what, const char *name, const char *const *words, size_t count)
{
    const char *meant = text_suggest(str_of(name), words, count);
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);

    text_add_list(&list, words, count, 12);
    struct err *e = err_new(ERR_CONFIG, 0, "there is no %s '%s'%s%s%s", what, name,
            meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?)");

    if (meant == NULL && count > 0)
        err_set_hint(e, "there are: %s", buf_text(&list));
    return e;
}

json_t *scope_share(const json_t *value)
{
    return value == NULL ? json_null() : json_incref((json_t *)(uintptr_t)value);
}

/* The text of a step, or NULL. */
const char *scope_step(struct eval_path path, size_t at)
{
    return at < path.count ? json_string_value(path.keys[at]) : NULL;
}

struct err *scope_need_step(struct eval_path path, const char *root)
{
    return scope_step(path, 0) != NULL
                   ? NULL
                   : err_new(ERR_CONFIG, 0, "%s needs a name: %s.NAME", root, root);
}

/* --- variables and secrets --- */

/* A list of names in the model that grows by one; it holds each once. */
static void add_name(struct expansion *x, const char *name, const char *const **list, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp((*list)[i], name) == 0)
            return;
    }
    const char **all = arena_alloc(x->arena, (*count + 1) * sizeof(*all));

    if (*count > 0)
        memcpy(all, *list, *count * sizeof(*all));
    all[(*count)++] = arena_text(x->arena, name);
    *list = all;
}

json_t *scope_secret(struct expansion *x, const char *name)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);

    buf_addf(&text, "secret.%s", name);
    if (stack_secret(x->stack, name) == NULL && !stack_is_in_doubt(x->stack, name))
        return eval_absent(buf_text(&text));
    add_name(x, name, &x->model->secrets, &x->model->secret_count);
    return eval_left(&text);
}

json_t *scope_optional_secret(struct expansion *x, const char *name)
{
    AUTO(free) char *what = xasprintf("secret.%s", name);

    if (!stack_is_in_doubt(x->stack, name))
        return scope_secret(x, name);
    add_name(x, name, &x->model->doubtful, &x->model->doubtful_count);
    return eval_absent(what);
}

static json_t *env_value(const struct expansion *x, const char *name)
{
    const char *value = stack_env(x->stack, name);
    AUTO(free) char *what = xasprintf("env.%s", name);

    return value == NULL ? eval_absent(what) : text_json(str_of(value));
}

static int place_cmp(const struct place *a, const struct place *b)
{
    const int file = strcmp(a->file, b->file);

    return file != 0 ? file : a->line != b->line ? a->line - b->line : a->column - b->column;
}

/* Used but not set: collected, so that all of them are told at once. */
void scope_missing(struct scope *s, const char *what, const char *path)
{
    struct expansion *x = s->x;
    struct missing *m = index_get(&x->missing, what);

    if (m == NULL) {
        m = arena_alloc(x->arena, sizeof(*m));
        m->what = arena_text(x->arena, what);
        index_put(&x->missing, m->what, m);
        x->missing_items = arena_grow(x->arena, x->missing_items, x->missing_count,
                &x->missing_capacity, sizeof(struct missing *));
        x->missing_items[x->missing_count++] = m;
    }
    m->places = arena_grow(x->arena, m->places, m->count, &m->capacity, sizeof(*m->places));
    size_t at = m->count++;

    for (; at > 0 && place_cmp(&s->place, &m->places[at - 1]) < 0; at--)
        m->places[at] = m->places[at - 1];
    m->places[at] = s->place;
    if (at == 0)
        m->path = arena_text(x->arena, path);
}

struct err *scope_absent(void *arg, const char *what)
{
    struct scope *s = arg;
    AUTO(buf) struct buf path = BUF_INIT(BUF_TEXT_MAX);

    if (strncmp(what, "env.", 4) == 0 || strncmp(what, "secret.", 7) == 0) {
        value_path(s, &path);
        scope_missing(s, what, buf_text(&path));
        return NULL;
    }
    struct err *e = err_new(ERR_CONFIG, 0, "%s is not there", what);

    if (strncmp(what, "resource.", 9) == 0)
        err_set_hint(e, "its `when` is false here; %s ?? OTHER says what to take then", what);
    return e;
}

/* --- services and needs --- */

static struct err *provided_by(struct scope *s, struct instance *in, struct eval_path path,
        const char *prefix, size_t *ret_used, json_t **ret)
{
    const char *name = scope_step(path, 1);

    *ret_used = path.count > 1 ? 2 : 1;
    if (name == NULL || text_eq(name, "service")) {
        *ret = name == NULL ? jsonx_must(json_pack("{s:s}", "service", in->name))
                            : jsonx_must(json_string(in->name));
        return NULL;
    }
    json_t *value = provided_value(in, s->x, name, s->deps);

    if (value == NULL) {
        AUTO(free)
        char *what = xasprintf(
                "%s.%s (service '%s' provides no such value)", prefix, name, in->spec->name);

        *ret = eval_absent(what);
        return NULL;
    }
    *ret = scope_share(value);
    return NULL;
}

static struct err *lookup_services(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    struct expansion *x = s->x;

    TRY(scope_need_step(path, "services"));
    const char *name = scope_step(path, 0);
    struct instance *in = index_get(&x->by_name, name);
    AUTO(free) char *prefix = xasprintf("services.%s", name);

    if (in != NULL)
        return provided_by(s, in, path, prefix, ret_used, ret);
    if (doc_get(doc_get(x->stack->root, "services"), name) != NULL
            || diag_explains(x->diags, prefix)) {
        *ret_used = path.count;
        *ret = eval_poison();
        return NULL;
    }
    AUTO(free) const char **names = xcalloc(x->instance_count, sizeof(*names));

    for (size_t i = 0; i < x->instance_count; i++)
        names[i] = x->instances[i]->name;
    return scope_no_such("service", name, names, x->instance_count);
}

static struct err *lookup_need(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const struct service *spec = s->in->spec;

    TRY(scope_need_step(path, "need"));
    for (size_t i = 0; i < spec->need_count; i++) {
        AUTO(free) char *prefix = NULL;

        if (!text_eq(spec->needs[i].name, scope_step(path, 0)))
            continue;
        if (s->in->bound[i] == NULL) { /* optional, or reported already */
            *ret_used = 1;
            *ret = spec->needs[i].is_optional ? json_null() : eval_poison();
            return NULL;
        }
        prefix = xasprintf("need.%s", spec->needs[i].name);
        return provided_by(s, s->in->bound[i], path, prefix, ret_used, ret);
    }
    AUTO(free) const char **names = xcalloc(spec->need_count, sizeof(*names));

    for (size_t i = 0; i < spec->need_count; i++)
        names[i] = spec->needs[i].name;
    return scope_no_such("need", scope_step(path, 0), names, spec->need_count);
}

/* --- of the service itself --- */

static struct err *lookup_input(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const struct service *spec = s->in->spec;

    TRY(scope_need_step(path, "input"));
    for (size_t i = 0; i < spec->input_count; i++) {
        if (text_eq(spec->inputs[i].name, scope_step(path, 0))) {
            *ret_used = 1;
            *ret = scope_share(input_value(s->in, s->x, i, s->deps));
            return NULL;
        }
    }
    AUTO(free) const char **names = xcalloc(spec->input_count, sizeof(*names));

    for (size_t i = 0; i < spec->input_count; i++)
        names[i] = spec->inputs[i].name;
    return scope_no_such("input", scope_step(path, 0), names, spec->input_count);
}

struct named {
    struct instance *in;
    const struct doc_entry *entry;
    const char *section;
};

static json_t *compute_named(struct expansion *x, void *arg, struct deps *deps)
{
    const struct named *n = arg;
    struct scope s = { .x = x, .in = n->in, .deps = deps };
    const struct doc_node *node = n->entry->value;
    AUTO(free) char *path = xasprintf("%s.%s", n->section, n->entry->key);

    if (text_eq(n->section, "provides") && doc_get(node, "value") != NULL)
        node = doc_get(node, "value");
    return value_of(&s, node, path);
}

/* An entry of `locals` or `provides`; NULL if there is none. */
static json_t *named_value(struct expansion *x, struct instance *in, const char *section,
        const char *name, struct deps *deps)
{
    const bool is_local = text_eq(section, "locals");
    const struct doc_node *map = is_local ? in->spec->locals : in->spec->provides;

    for (size_t i = 0; map != NULL && i < map->count; i++) {
        if (strcmp(map->entries[i].key, name) != 0)
            continue;
        struct named n = { .in = in, .entry = &map->entries[i], .section = section };
        struct slot *slot = is_local ? &in->locals[i] : &in->provides[i];
        AUTO(free)
        char *what = slot->state == SLOT_DONE
                             ? NULL
                             : xasprintf("services.%s.%s.%s", in->name, section, name);

        return slot_value(x, slot, what, deps, compute_named, &n);
    }
    return NULL;
}

json_t *provided_value(
        struct instance *in, struct expansion *x, const char *name, struct deps *deps)
{
    return named_value(x, in, "provides", name, deps);
}

static struct err *lookup_named(
        struct scope *s, const char *section, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const bool is_local = text_eq(section, "locals");
    const struct doc_node *map = is_local ? s->in->spec->locals : s->in->spec->provides;

    TRY(scope_need_step(path, is_local ? "local" : "provides"));
    json_t *value = named_value(s->x, s->in, section, scope_step(path, 0), s->deps);

    *ret_used = 1;
    if (value != NULL) {
        *ret = scope_share(value);
        return NULL;
    }
    const size_t count = map == NULL ? 0 : map->count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));

    for (size_t i = 0; i < count; i++)
        names[i] = map->entries[i].key;
    return scope_no_such(is_local ? "local" : "provided value", scope_step(path, 0), names, count);
}

void existing_path(const struct instance *in, struct buf *ret)
{
    buf_addf(ret, "%s%s.existing", in->entry == NULL ? "" : "services.",
            in->entry == NULL ? in->with_path : in->name);
}

static json_t *compute_existing(struct expansion *x, void *arg, struct deps *deps)
{
    const struct instance *in = arg;
    struct scope s = { .x = x, .deps = deps };
    AUTO(buf) struct buf path = BUF_INIT(BUF_TEXT_MAX);

    existing_path(in, &path);
    if (diag_explains(x->diags, buf_text(&path)))
        return eval_poison();
    json_t *ids = value_of(&s, in->existing, buf_text(&path));

    if (!json_is_object(ids) || eval_mark(ids) != EVAL_PLAIN)
        return ids;
    json_t *good = jsonx_must(json_copy(ids)); /* values are shared */

    json_decref(ids);
    for (size_t i = 0; i < in->existing->count && in->existing->kind == DOC_MAP; i++) {
        const char *key = in->existing->entries[i].key;
        AUTO(free) char *sub = xasprintf("%s.%s", buf_text(&path), key);

        if (diag_explains(x->diags, sub))
            json_object_set_new(good, key, eval_poison());
    }
    return good;
}

/* {part: id}; a lone id means the service's main resource. */
static json_t *existing_ids(struct expansion *x, struct instance *in)
{
    AUTO(free) char *what = xasprintf("services.%s.existing", in->name);

    return slot_value(x, &in->existing_ids, what, NULL, compute_existing, in);
}

static const char *main_part(const struct service *spec)
{
    if (spec->main != NULL)
        return spec->main;
    return spec->resource_count == 1 ? spec->resources[0].name : NULL;
}

json_t *existing_id(struct expansion *x, struct instance *in, const char *resource)
{
    json_t *ids = existing_ids(x, in);

    if (eval_mark(ids) == EVAL_PLAIN && json_is_object(ids))
        return json_object_get(ids, resource);
    return eval_mark(ids) == EVAL_POISON || text_eq(main_part(in->spec), resource) ? ids : NULL;
}

static struct err *lookup_existing(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const struct service *spec = s->in->spec;

    TRY(scope_need_step(path, "existing"));
    if (service_resource(spec, scope_step(path, 0)) == NULL) {
        AUTO(free) const char **names = xcalloc(spec->resource_count, sizeof(*names));

        for (size_t i = 0; i < spec->resource_count; i++)
            names[i] = spec->resources[i].name;
        return scope_no_such("resource", scope_step(path, 0), names, spec->resource_count);
    }
    *ret_used = 1;
    *ret = scope_share(existing_id(s->x, s->in, scope_step(path, 0)));
    return NULL;
}

/* --- all roots --- */

static struct err *lookup_pair(const char *root, const json_t *key, const json_t *value,
        struct eval_path path, size_t *ret_used, json_t **ret)
{
    if (key == NULL)
        return err_new(ERR_CONFIG, 0, "there is no '%s' here", root);
    if (!text_eq(scope_step(path, 0), "key") && !text_eq(scope_step(path, 0), "value"))
        return err_new(ERR_CONFIG, 0, "%s has only %s.key and %s.value", root, root, root);
    *ret_used = 1;
    *ret = scope_share(text_eq(scope_step(path, 0), "key") ? key : value);
    return NULL;
}

static struct err *lookup_own(
        struct scope *s, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    static const char *const names[] = { "input", "need", "resource", "local", "provides",
        "existing", "each", "item", "service", "stack", "azure", "registry", "target" };

    if (text_eq(root, "input"))
        return lookup_input(s, path, ret_used, ret);
    if (text_eq(root, "resource"))
        return scope_resource(s, path, ret_used, ret);
    if (text_eq(root, "need"))
        return lookup_need(s, path, ret_used, ret);
    if (text_eq(root, "local"))
        return lookup_named(s, "locals", path, ret_used, ret);
    if (text_eq(root, "provides"))
        return lookup_named(s, "provides", path, ret_used, ret);
    if (text_eq(root, "existing"))
        return lookup_existing(s, path, ret_used, ret);
    if (text_eq(root, "each"))
        return lookup_pair(root, s->each_key, s->each_value, path, ret_used, ret);
    if (text_eq(root, "item"))
        return lookup_pair(root, s->item_key, s->item_value, path, ret_used, ret);
    if (text_eq(root, "registry"))
        return scope_lookup_registry(s, path, ret_used, ret);
    if (text_eq(root, "target")) {
        *ret = jsonx_must(json_string(s->x->options->target));
        return NULL;
    }
    if (text_eq(root, "service") && text_eq(scope_step(path, 0), "name")) {
        *ret_used = 1;
        *ret = jsonx_must(json_string(s->in->name));
        return NULL;
    }
    if (text_eq(root, "service") && text_eq(scope_step(path, 0), "label")) {
        *ret_used = 1;
        *ret = jsonx_must(json_string(s->in->label));
        return NULL;
    }
    if (text_eq(root, "env") || text_eq(root, "secret") || text_eq(root, "var"))
        return err_new(
                ERR_CONFIG, 0, "%s can be used in the stack file only: declare an input", root);
    return scope_no_such("root", root, names, ARRAY_LEN(names));
}

static struct err *lookup_var(
        struct scope *s, struct eval_path path, size_t *ret_used, json_t **ret)
{
    const json_t *vars = s->x->stack->vars;
    const char *key = NULL;
    json_t *member = NULL;
    size_t n = 0;

    TRY(scope_need_step(path, "var"));
    const json_t *value = json_object_get(vars, scope_step(path, 0));

    *ret_used = 1;
    AUTO(free) char *input = xasprintf("inputs.%s", scope_step(path, 0));

    if (value != NULL || diag_explains(s->x->diags, input)) {
        *ret = value != NULL ? scope_share(value) : eval_poison();
        return NULL;
    }
    AUTO(free) const char **names = xcalloc(json_object_size(vars), sizeof(*names));

    json_object_foreach ((json_t *)(uintptr_t)vars, key, member) {
        names[n++] = key;
    }
    return scope_no_such("input of the stack called", scope_step(path, 0), names, n);
}

static struct err *lookup_file(
        struct scope *s, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    static const char *const names[] = { "env", "secret", "var", "stack", "azure", "services" };

    if (text_eq(root, "env") || text_eq(root, "secret")) {
        TRY(scope_need_step(path, root));
        *ret_used = 1;
        *ret = root[0] == 'e' ? env_value(s->x, scope_step(path, 0))
                              : scope_secret(s->x, scope_step(path, 0));
        return NULL;
    }
    if (text_eq(root, "var"))
        return lookup_var(s, path, ret_used, ret);
    if (text_eq(root, "services"))
        return lookup_services(s, path, ret_used, ret);
    return scope_no_such("root", root, names, ARRAY_LEN(names));
}

struct err *scope_lookup(
        void *arg, const char *root, struct eval_path path, size_t *ret_used, json_t **ret)
{
    struct scope *s = arg;

    static const char *const early[] = { "env", "var", "stack" };

    *ret_used = 0;
    if (s->is_early && !text_eq(root, "env") && !text_eq(root, "var") && !text_eq(root, "stack"))
        return scope_no_such("value that is known this early:", root, early, ARRAY_LEN(early));
    if (text_eq(root, "azure"))
        return scope_lookup_azure(s, path, ret_used, ret);
    if (text_eq(root, "stack"))
        return scope_lookup_stack(s, path, ret_used, ret);
    return s->in == NULL ? lookup_file(s, root, path, ret_used, ret)
                         : lookup_own(s, root, path, ret_used, ret);
}

json_t *scope_setting(struct expansion *x, const char *root, const char *name)
{
    json_auto_t *key = jsonx_must(json_string(name));
    const json_t *keys[] = { key };
    struct scope s = { .x = x };
    json_t *value = NULL;
    size_t used = 0;
    const struct eval_path path = { .keys = keys, .count = 1 };
    struct err *e = text_eq(root, "registry") ? scope_lookup_registry(&s, path, &used, &value)
                                              : scope_lookup(&s, root, path, &used, &value);

    err_ignore(e, "our own names are known");
    return value;
}
