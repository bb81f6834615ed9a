/*
 * The functions that need the stack or the catalog: image, file, environment.
 */
#include "catalog/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"

static struct err *text_arg(const char *name, const json_t *value, const char **ret)
{
    if (!json_is_string(value))
        return err_new(ERR_CONFIG, 0, "%s() wants a text that is known, got %s", name,
                eval_type_text(value));
    *ret = json_string_value(value);
    return NULL;
}

/* server/prefix/path, without the host that the image names itself. */
static struct err *call_image(struct scope *s, const char *image, json_t **ret)
{
    json_auto_t *server_value = scope_setting(s->x, "registry", "server");
    json_auto_t *prefix_value = scope_setting(s->x, "registry", "prefix");
    const char *server = json_string_value(server_value);
    const char *prefix = json_string_value(prefix_value);
    struct str rest = str_of(image);
    struct str after = rest;
    const struct str first = str_cut(&after, '/');
    const bool has_host =
            after.p != NULL
            && (memchr(first.p, '.', first.len) != NULL || memchr(first.p, ':', first.len) != NULL
                    || str_eq(first, STR("localhost")));
    AUTO(buf) struct buf text = BUF_INIT(4096);

    if (server == NULL) {
        *ret = jsonx_must(json_string(image));
        return NULL;
    }
    rest = has_host ? after : rest;
    buf_addf(&text, "%s/", server);
    if (prefix != NULL && prefix[0] != '\0')
        buf_addf(&text, "%s%s", prefix, prefix[strlen(prefix) - 1] == '/' ? "" : "/");
    buf_add_str(&text, rest);
    *ret = jsonx_must(json_string(buf_text(&text)));
    return NULL;
}

static struct err *call_file(const struct scope *s, const char *path, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    TRY(load_text(s->x->catalog, s->in->spec->name, path, &text));
    if (!text_is_utf8(buf_str(&text)) || memchr(buf_text(&text), '\0', text.len) != NULL)
        return err_new(ERR_CONFIG, 0, "%s is no UTF-8 text", path);
    *ret = jsonx_must(json_stringn(buf_text(&text), text.len));
    return NULL;
}

static struct err *find_container(const struct scope *s, const char *name, struct container **ret)
{
    const struct doc_node *map = s->in->spec->environment;

    *ret = container_of(s->x, s->in, name, s->deps);
    if (*ret != NULL)
        return NULL;
    const size_t count = map == NULL ? 0 : map->count;
    AUTO(free) const char **names = xcalloc(count, sizeof(*names));

    for (size_t i = 0; i < count; i++)
        names[i] = map->entries[i].key;
    return scope_no_such("container", name, names, count);
}

static struct err *call_environment(struct scope *s, const char *name, json_t **ret)
{
    struct container *c = NULL;

    TRY(find_container(s, name, &c));
    *ret = environment_list(s->x, c);
    return NULL;
}

static struct err *call_environment_secrets(
        struct scope *s, json_t *const *args, size_t count, json_t **ret)
{
    AUTO(free) struct container **list = xcalloc(count, sizeof(struct container *));

    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;

        TRY(text_arg("environment_secrets", args[i], &name));
        TRY(find_container(s, name, &list[i]));
    }
    return environment_secrets(list, count, ret);
}

struct err *scope_call(void *arg, const char *name, json_t *const *args, size_t count, json_t **ret)
{
    struct scope *s = arg;
    const char *text = NULL;

    if (s->in == NULL)
        return err_new(ERR_CONFIG, 0, "%s() can be used in a service's file only", name);
    if (text_eq(name, "environment_secrets"))
        return call_environment_secrets(s, args, count, ret);
    TRY(text_arg(name, args[0], &text));
    if (text_eq(name, "image"))
        return call_image(s, text, ret);
    if (text_eq(name, "file"))
        return call_file(s, text, ret);
    return call_environment(s, text, ret);
}
