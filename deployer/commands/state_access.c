#include "commands/state_access.h"

#include <stdlib.h>

#include "base/address_map.h"
#include "base/doc.h"
#include "catalog/model.h"
#include "cloud/arm/arm.h"
#include "cloud/arm/auth.h"
#include "http/loop.h"
#include "stack/stack.h"

#define STORAGE_SCOPE "https://storage.azure.com/.default"

const char *state_access_url(const struct context *c)
{
    if (c->state_url != NULL)
        return c->state_url;
    return c->stack == NULL ? NULL : c->stack->state_url;
}

/* The stack's view of the environment (with its .env), or the process's. */
static const char *env_of(void *arg, const char *name)
{
    const struct context *c = arg;

    return c->stack != NULL ? stack_env(c->stack, name) : getenv(name);
}

static void ask_token(void *arg, int64_t deadline_ms, state_token_done *done, void *done_arg)
{
    const struct state_access *a = arg;

    auth_get(a->auth, STORAGE_SCOPE, NULL, deadline_ms, done, done_arg);
}

struct err *state_access_dial(struct context *c, struct http_options *h)
{
    h->dial.resolver = c->resolver;
    if (c->address_maps.count == 0)
        return NULL;
    struct address_map *map = arena_alloc(c->arena, sizeof(*map));

    for (size_t i = 0; i < c->address_maps.count; i++) {
        if (!text_eq(c->address_maps.items[i], "none")) /* not even the sandbox's */
            TRY(address_map_parse(map, str_of(c->address_maps.items[i])));
    }
    h->dial.map = map;
    return NULL;
}

/* The way to the account, and who asks, as far as the target says more than the environment. */
struct way {
    struct http_options http;
    struct arm_options arm;
    const char *authority;
};

static struct err *find_way(struct context *c, const char *auth_method, struct way *w)
{
    TRY(state_access_dial(c, &w->http));
    if (c->model != NULL && c->model->tenant != NULL && c->model->tenant[0] != '\0')
        w->arm.tenant = c->model->tenant;
    w->authority = env_of(c, "AZURE_AUTHORITY_HOST");
    if (!text_eq(c->target, "sandbox"))
        return NULL;
    TRY(arm_sandbox_options(c->arena, c->sandbox_dir, &w->arm, &w->http));
    w->authority = w->arm.endpoint; /* it gives the tokens, too */
    if (auth_method != NULL)        /* that login, and not the sandbox's own */
        w->arm.client_id = NULL, w->arm.client_secret = NULL;
    return NULL;
}

static struct err *fill_login(struct state_access *a, struct context *c, const struct way *w,
        const char *auth_method, struct state_open *o)
{
    const char *key = env_of(c, "AZURE_STORAGE_KEY");

    if (key != NULL && key[0] != '\0') {
        a->key = secret_new(str_of(key));
        o->storage_key = a->key;
        return NULL;
    }
    const struct auth_options options = { .loop = o->loop,
        .method = auth_method,
        .tenant = w->arm.tenant,
        .client_id = w->arm.client_id,
        .client_secret = w->arm.client_secret,
        .env = env_of,
        .env_arg = c };

    TRY(auth_new(&options, &a->auth));
    if (w->authority != NULL && w->authority[0] != '\0')
        auth_set_authority(a->auth, w->authority);
    o->token = ask_token;
    o->token_arg = a;
    return NULL;
}

struct err *state_access_fill(struct state_access *a, struct context *c, struct http_loop *loop,
        const char *auth_method, struct state_open *o)
{
    const bool is_blob = o->url != NULL && str_starts(str_of(o->url), STR("azblob://"));
    struct way w = { 0 };

    o->loop = loop;
    if (!is_blob)
        return NULL;
    TRY(find_way(c, auth_method, &w));
    if (loop == NULL) {
        TRY(http_loop_new(&w.http, &a->own_loop));
        o->loop = a->own_loop;
    }
    return fill_login(a, c, &w, auth_method, o);
}

void state_access_release(struct state_access *a)
{
    auth_free(a->auth);
    secret_unref(a->key);
    http_loop_free(a->own_loop);
    *a = (struct state_access){ 0 };
}
