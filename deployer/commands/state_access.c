#include "commands/state_access.h"

#include <stdlib.h>

#include "base/doc.h"
#include "cloud/arm/auth.h"
#include "http/loop.h"
#include "stack/stack.h"

#define STORAGE_SCOPE "https://storage.azure.com/.default"

const char *state_access_url(const struct context *c)
{
    if (c->state_url != NULL)
        return c->state_url;
    return c->stack == NULL || c->stack->state_url == NULL ? NULL : c->stack->state_url->text;
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

static struct err *fill_login(struct state_access *a, const struct context *c,
        const char *auth_method, struct state_open *o)
{
    const char *key = env_of((void *)(uintptr_t)c, "AZURE_STORAGE_KEY");

    if (key != NULL && key[0] != '\0') {
        a->key = secret_new(str_of(key));
        o->storage_key = a->key;
        return NULL;
    }
    const struct auth_options options = {
        .loop = o->loop, .method = auth_method, .env = env_of, .env_arg = (void *)(uintptr_t)c
    };

    TRY(auth_new(&options, &a->auth));
    const char *authority = env_of((void *)(uintptr_t)c, "AZURE_AUTHORITY_HOST");

    if (authority != NULL && authority[0] != '\0')
        auth_set_authority(a->auth, authority);
    o->token = ask_token;
    o->token_arg = a;
    return NULL;
}

struct err *state_access_fill(struct state_access *a, const struct context *c,
        struct http_loop *loop, const char *auth_method, struct state_open *o)
{
    const bool is_blob = o->url != NULL && str_starts(str_of(o->url), STR("azblob://"));

    o->loop = loop;
    if (loop == NULL && is_blob) {
        TRY(http_loop_new(&(struct http_options){ .ca_file = NULL }, &a->own_loop));
        o->loop = a->own_loop;
    }
    return is_blob ? fill_login(a, c, auth_method, o) : NULL;
}

void state_access_release(struct state_access *a)
{
    auth_free(a->auth);
    secret_unref(a->key);
    http_loop_free(a->own_loop);
    *a = (struct state_access){ 0 };
}
