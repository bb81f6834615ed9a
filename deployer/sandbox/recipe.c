#include "sandbox/recipe.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/embedded.h"

#define FOLDER "deployer/sandbox/services/"

struct recipes {
    json_t *files; /* array of trees */
    json_t *images;
};

static struct err *first_problem(const struct diag_list *diags)
{
    if (diags->count == 0)
        return NULL;
    const struct diag *d = &diags->items[0];

    return err_new(ERR_CONFIG, 0, "%s:%d:%d: %s: %s", d->place.file, d->place.line, d->place.column,
            d->path, d->text);
}

static struct err *parse(struct str text, const char *path, json_t **ret)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;

    diag_init(&diags, arena);
    const struct doc_node *root = doc_parse(arena, text, path, &diags);

    TRY(first_problem(&diags));
    json_auto_t *tree = doc_json(root, "", &diags);

    TRY(first_problem(&diags));
    *ret = TAKE(tree);
    return NULL;
}

static struct err *load_one(struct recipes *r, const struct sandbox_file *file)
{
    json_t *tree = NULL;
    const json_t *image = NULL;
    size_t i = 0;

    TRY(parse((struct str){ file->data, file->size_bytes }, file->path, &tree));
    json_array_append_new(r->files, tree);
    json_array_foreach (json_object_get(tree, "images"), i, image) {
        json_array_append(r->images, (json_t *)(uintptr_t)image);
    }
    return NULL;
}

struct err *recipes_load(struct recipes **ret)
{
    struct recipes *r = xcalloc(1, sizeof(*r));
    struct err *e = NULL;

    r->files = jsonx_must(json_array());
    r->images = jsonx_must(json_array());
    for (const struct sandbox_file *f = sandbox_files; e == NULL && f->path != NULL; f++)
        if (str_starts(str_of(f->path), STR(FOLDER)))
            e = load_one(r, f);
    if (e != NULL) {
        recipes_free(r);
        return e;
    }
    *ret = r;
    return NULL;
}

void recipes_free(struct recipes *r)
{
    if (r == NULL)
        return;
    json_decref(r->files);
    json_decref(r->images);
    free(r);
}

static const json_t *find_by(const json_t *list, const char *key, const char *value)
{
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (list, i, item) {
        const char *text = jsonx_text(item, key);

        if (text != NULL && str_eq_ci(str_of(text), str_of(value)))
            return item;
    }
    return NULL;
}

const json_t *recipes_for(const struct recipes *r, const char *type)
{
    return find_by(r->files, "type", type);
}

const json_t *recipes_named(const struct recipes *r, const char *service)
{
    return find_by(r->files, "service", service);
}

const json_t *recipes_child(const struct recipes *r, const char *type)
{
    const json_t *file = NULL;
    const json_t *child = NULL;
    size_t i = 0;

    json_array_foreach (r->files, i, file) {
        child = find_by(json_object_get(file, "children"), "type", type);
        if (child != NULL)
            return child;
    }
    return NULL;
}

const json_t *recipes_images(const struct recipes *r)
{
    return r->images;
}

struct err *recipes_add_images(struct recipes *r, const char *path)
{
    AUTO(buf) struct buf text = BUF_INIT(DOC_BYTES_MAX);
    json_auto_t *tree = NULL;

    TRY(file_read(path, DOC_BYTES_MAX, &text));
    TRY(parse(buf_str(&text), path, &tree));
    const json_t *images = json_object_get(tree, "images");

    if (!json_is_array(images))
        return err_new(ERR_CONFIG, 0, "%s: images: is no list", path);
    for (size_t i = json_array_size(images); i-- > 0;)
        json_array_insert(r->images, 0, json_array_get(images, i));
    return NULL;
}

static void add_value(struct buf *out, const json_t *value)
{
    if (json_is_string(value))
        buf_add(out, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        buf_addf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        buf_add_text(out, json_is_true(value) ? "true" : "false");
}

char *scope_expand(const json_t *scope, const char *text)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const char *at = text == NULL ? "" : text;

    for (const char *open = strstr(at, "${"); open != NULL; open = strstr(at, "${")) {
        const char *close = strchr(open, '}');

        if (close == NULL)
            break;
        AUTO(free) char *path = xmemdup0(open + 2, (size_t)(close - open) - 2);

        buf_add(&out, at, (size_t)(open - at));
        add_value(&out, jsonx_at(scope, path));
        at = close + 1;
    }
    buf_add_text(&out, at);
    return out.p == NULL ? xstrdup("") : buf_take(&out);
}

json_t *scope_expand_list(const json_t *scope, const json_t *list)
{
    json_t *expanded = jsonx_must(json_array());
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (list, i, item) {
        AUTO(buf) struct buf plain = BUF_INIT(BUF_TEXT_MAX);

        add_value(&plain, item);
        AUTO(free) char *text = scope_expand(scope, buf_text(&plain));

        json_array_append_new(expanded, jsonx_must(json_string(text)));
    }
    return expanded;
}

static bool is_one_of(const json_t *scope, const char *of, const json_t *words)
{
    json_auto_t *one = json_is_string(words)
                               ? jsonx_must(json_pack("[s]", json_string_value(words)))
                               : json_incref((json_t *)(uintptr_t)words);
    json_auto_t *list = scope_expand_list(scope, one);

    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq_ci(str_of(of), str_of(json_string_value(json_array_get(list, i)))))
            return true;
    return false;
}

bool scope_holds(const json_t *scope, const json_t *condition)
{
    const json_t *is = json_object_get(condition, "is");
    const json_t *is_not = json_object_get(condition, "is_not");

    if (condition == NULL)
        return true;
    AUTO(free) char *of = scope_expand(scope, jsonx_text(condition, "of"));

    return (is == NULL || is_one_of(scope, of, is))
           && (is_not == NULL || !is_one_of(scope, of, is_not));
}

char *scope_map(const json_t *scope, const json_t *rule)
{
    AUTO(free) char *of = scope_expand(scope, jsonx_text(rule, "of"));
    const char *to = json_string_value(jsonx_get_ci(json_object_get(rule, "map"), of));

    return scope_expand(scope, to != NULL ? to : jsonx_text(rule, "otherwise"));
}
