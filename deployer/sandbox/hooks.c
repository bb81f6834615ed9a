#include "sandbox/hooks.h"

#include <ctype.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "sandbox/auth.h"

static const struct hook *const tables[] = { hooks_network, hooks_link, hooks_app, hooks_data,
    hooks_other };

static const struct hook *find_hook(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        for (const struct hook *h = tables[i]; h->word != NULL; h++) {
            if (text_eq(h->word, word))
                return h;
        }
    }
    return NULL;
}

/* The i-th hook of a kind, or NULL at the end; words without code are skipped. */
static const struct hook *next_hook(const struct kind *kind, size_t *i)
{
    const json_t *words = json_object_get(kind->data, "hooks");

    while (*i < json_array_size(words)) {
        const struct hook *h = find_hook(json_string_value(json_array_get(words, (*i)++)));

        if (h != NULL)
            return h;
    }
    return NULL;
}

const char *hook_text(const struct resource *r, const char *path)
{
    const char *text = json_string_value(jsonx_at(r->doc, path));

    return text != NULL ? text : json_string_value(jsonx_at(r->made, path));
}

void hook_make(struct resource *r, const char *path, json_t *value)
{
    jsonx_set_at(r->made, path, value);
}

struct resource *hook_find(const struct sandbox *s, const char *id)
{
    AUTO(free) char *key = xstrdup(id == NULL ? "" : id);

    for (char *c = key; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return store_find(&s->store, key);
}

struct err *hooks_check(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    size_t i = 0;

    for (const struct hook *h = next_hook(c->kind, &i); h != NULL; h = next_hook(c->kind, &i)) {
        if (h->check != NULL)
            TRY(h->check(c, body, doc, old));
    }
    return NULL;
}

static json_t *user_identity(const struct sandbox *s, const char *id)
{
    const struct resource *identity = hook_find(s, id);
    const json_t *made = identity == NULL ? NULL : json_object_get(identity->made, "properties");

    return jsonx_must(json_pack("{s:O?, s:O?}", "principalId", json_object_get(made, "principalId"),
            "clientId", json_object_get(made, "clientId")));
}

/* Every type that takes an identity shows whose it is. */
static void make_identity(struct sandbox *s, struct resource *r)
{
    const json_t *identity = json_object_get(r->doc, "identity");
    const char *type = jsonx_text(identity, "type");
    char uuid[DIGEST_UUID_SIZE];
    const char *id = NULL;
    json_t *value = NULL;

    if (type == NULL) {
        json_object_del(r->made, "identity");
        return;
    }
    if (strcasestr(type, "SystemAssigned") != NULL
            && jsonx_at(r->made, "identity.principalId") == NULL) {
        digest_uuid4(uuid);
        hook_make(r, "identity.principalId", jsonx_textf("%s", uuid));
        hook_make(r, "identity.tenantId", jsonx_textf("%s", auth_tenant(s->auth)));
    }
    json_object_foreach (json_object_get(identity, "userAssignedIdentities"), id, value) {
        json_t *made = json_object_get(r->made, "identity");

        if (made == NULL) {
            made = jsonx_must(json_object());
            json_object_set_new(r->made, "identity", made);
        }
        json_t *map = json_object_get(made, "userAssignedIdentities");

        if (map == NULL) {
            map = jsonx_must(json_object());
            json_object_set_new(made, "userAssignedIdentities", map);
        }
        json_object_set_new(map, id, user_identity(s, id));
    }
}

void hooks_made(struct sandbox *s, struct resource *r, bool is_new)
{
    size_t i = 0;

    make_identity(s, r);
    for (const struct hook *h = next_hook(r->kind, &i); h != NULL; h = next_hook(r->kind, &i)) {
        if (h->made != NULL)
            h->made(s, r, is_new);
    }
}

void hooks_removed(struct sandbox *s, struct resource *r)
{
    size_t i = 0;

    for (const struct hook *h = next_hook(r->kind, &i); h != NULL; h = next_hook(r->kind, &i)) {
        if (h->removed != NULL)
            h->removed(s, r);
    }
}

void hooks_view(struct sandbox *s, const struct resource *r, json_t *out)
{
    size_t i = 0;

    for (const struct hook *h = next_hook(r->kind, &i); h != NULL; h = next_hook(r->kind, &i)) {
        if (h->view != NULL)
            h->view(s, r, out);
    }
}
