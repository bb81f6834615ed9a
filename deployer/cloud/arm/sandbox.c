/* Where a running sandbox is: DIR/sandbox.json (docs/sandbox.md). */
#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "cloud/arm/arm.h"

#define FILE_MAX (64u << 10)
#define SECRET_MAX 4096u

/* "file:NAME", {"file": NAME} or a name: a file in `dir` or an absolute one. NULL: none is told. */
static const char *secret_file(const json_t *doc)
{
    const json_t *ref = json_object_get(doc, "client_secret");
    const char *text = json_string_value(ref);

    if (json_is_object(ref))
        return jsonx_text(ref, "file");
    if (text != NULL && str_starts(str_of(text), STR("file:")))
        return text + strlen("file:");
    return text;
}

static void unref_secret(void *s)
{
    secret_unref(s);
}

static struct err *read_secret(
        struct arena *arena, const char *dir, const json_t *doc, struct secret **ret)
{
    const char *name = secret_file(doc);
    AUTO(buf) struct buf text = { .max_bytes = SECRET_MAX, .is_secret = true };

    AUTO(free) char *path = file_join(dir, name);

    TRY(file_read(path, SECRET_MAX, &text));
    *ret = secret_new(str_trim(buf_str(&text)));
    arena_hook(arena, unref_secret, *ret);
    return NULL;
}

static const char *text_of(struct arena *arena, const json_t *doc, const char *key)
{
    const char *text = jsonx_text(doc, key);

    return text == NULL || text[0] == '\0' ? NULL : arena_text(arena, text);
}

static struct err *incomplete(const char *path)
{
    struct err *e = err_new(ERR_CONFIG, 0, "%s: wants the endpoint and client_secret", path);

    err_set_hint(e, "a sandbox that starts writes it anew: deployer sandbox start");
    return e;
}

struct err *arm_sandbox_load(const char *dir, json_t **ret)
{
    json_auto_t *doc = NULL;
    AUTO(free) char *path = file_join(dir, "sandbox.json");
    struct err *e = jsonx_load_file(path, FILE_MAX, &doc);

    if (e != NULL && err_kind(e) == ERR_NOINPUT) {
        err_free(e);
        e = err_new(ERR_NOINPUT, 0, "no sandbox runs in %s", dir);
        err_set_hint(e, "deployer sandbox start --dir %s", dir);
    }
    TRY(e);
    if (jsonx_text(doc, "endpoint") == NULL || secret_file(doc) == NULL)
        return incomplete(path);
    *ret = TAKE(doc);
    return NULL;
}

static struct err *fill_http(struct arena *arena, const json_t *doc, struct http_options *h)
{
    const char *map = jsonx_text(doc, "address_map");
    const char *resolver = text_of(arena, doc, "dns");

    h->ca_file = text_of(arena, doc, "ca");
    if (h->dial.resolver == NULL)
        h->dial.resolver = resolver;
    if (h->dial.map == NULL && map != NULL && map[0] != '\0') {
        struct address_map *rules = arena_alloc(arena, sizeof(*rules));

        TRY(address_map_parse(rules, str_of(map)));
        h->dial.map = rules;
    }
    return NULL;
}

struct err *arm_sandbox_options(
        struct arena *arena, const char *dir, struct arm_options *o, struct http_options *h)
{
    json_auto_t *doc = NULL;
    const json_t *latency = NULL;

    TRY(arm_sandbox_load(dir, &doc));
    o->endpoint = text_of(arena, doc, "endpoint");
    o->tenant = text_of(arena, doc, "tenant");
    o->client_id = text_of(arena, doc, "client_id");
    if (o->subscription == NULL)
        o->subscription = text_of(arena, doc, "subscription");
    latency = json_object_get(doc, "latency");
    if (json_is_number(latency))
        o->time_scale = json_number_value(latency) > 0.0001 ? json_number_value(latency) : 0.0001;
    TRY(read_secret(arena, dir, doc, &o->client_secret));
    return fill_http(arena, doc, h);
}
