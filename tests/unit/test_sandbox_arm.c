/* The sandbox without sockets: requests in, replies out, on a clock that stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "sandbox/auth.h"
#include "sandbox/sandbox.h"

#define START_MS 1800000000000

struct world {
    struct sandbox *s;
    char dir[64];
    char *token; /* "Bearer ..." */
    char *group;
    int64_t now_ms;
};

struct got {
    struct arena *arena;
    struct reply r;
};

static void ask(struct world *w, struct got *g, const char *method, const char *path,
        const char *version, const char *body)
{
    struct request q;

    g->arena = arena_new();
    const char *uri = arena_printf(g->arena, "%s%s%s%s", path, version == NULL ? "" : "?",
            version == NULL ? "" : "api-version=", version == NULL ? "" : version);

    assert_null(request_parse(g->arena, method, uri, &q));
    q.host = "localhost:1";
    q.authorization = w->token;
    q.body = str_of(body);
    sandbox_handle(w->s, &q, &g->r);
}

static void drop(struct got *g)
{
    reply_release(&g->r);
    arena_free(g->arena);
}

static void expect(struct world *w, const char *method, const char *tail, const char *version,
        const char *body, int status)
{
    struct got g = { 0 };
    AUTO(free) char *path = xasprintf("%s%s", w->group, tail);

    ask(w, &g, method, path, version, body);
    if (g.r.status != status) {
        AUTO(free) char *text = g.r.body == NULL ? xstrdup("") : jsonx_dump(g.r.body);

        fail_msg("%s %s: %d, not %d: %s", method, path, g.r.status, status, text);
    }
    drop(&g);
}

static void step(struct world *w, int64_t ms)
{
    w->now_ms += ms;
    clock_fake(w->now_ms, START_MS + w->now_ms);
}

static void open_sandbox(struct world *w, double latency)
{
    assert_null(
            sandbox_open(&(struct sandbox_options){ .dir = w->dir, .latency = latency }, &w->s));
}

static void login(struct world *w)
{
    AUTO(buf) struct buf secret = BUF_INIT(4096);
    AUTO(free) char *path = file_join(w->dir, "client-secret");
    struct got g = { 0 };

    assert_null(file_read(path, 4096, &secret));
    AUTO(free)
    char *form = xasprintf(
            "grant_type=client_credentials&client_id=%s&client_secret=%s&scope=x/.default",
            auth_client_id(w->s->auth), buf_text(&secret));
    AUTO(free) char *url = xasprintf("/%s/oauth2/v2.0/token", auth_tenant(w->s->auth));

    ask(w, &g, "POST", url, NULL, form);
    assert_int_equal(g.r.status, 200);
    w->token = xasprintf("Bearer %s", jsonx_text(g.r.body, "access_token"));
    drop(&g);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    snprintf(w->dir, sizeof(w->dir), "/tmp/sandbox-test.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    step(w, 1000);
    open_sandbox(w, 1);
    login(w);
    w->group = xasprintf("/subscriptions/%s/resourceGroups/rg", auth_subscription(w->s->auth));
    expect(w, "PUT", "", "2021-04-01", "{\"location\":\"westeurope\"}", 201);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct err *e = NULL;

    sandbox_close(w->s);
    e = file_remove_tree(w->dir);
    assert_null(e);
    free(w->token);
    free(w->group);
    free(w);
    clock_fake(-1, -1);
    return 0;
}

#define VNET "/providers/Microsoft.Network/virtualNetworks/vnet"
#define VNET_BODY                                                                                  \
    "{\"location\":\"westeurope\",\"properties\":{\"addressSpace\":{\"addressPrefixes\":[\"10.0."  \
    "0.0/"                                                                                         \
    "16\"]}}}"

static void operations_take_their_time(void **state)
{
    struct world *w = *state;
    struct got g = { 0 };
    AUTO(free) char *path = xasprintf("%s%s", w->group, VNET);

    ask(w, &g, "PUT", path, "2024-05-01", VNET_BODY);
    assert_int_equal(g.r.status, 201);
    const char *url = reply_find_header(&g.r, "Azure-AsyncOperation");

    assert_non_null(url);
    assert_true(strncmp(url, "https://localhost:1/", 20) == 0);
    AUTO(free) char *status = xmemdup0(url + 19, strcspn(url + 19, "?"));

    drop(&g);
    step(w, 11999); /* 0.2 minutes */
    g = (struct got){ 0 };
    ask(w, &g, "GET", status, "2024-05-01", NULL);
    assert_string_equal(jsonx_text(g.r.body, "status"), "InProgress");
    assert_non_null(reply_find_header(&g.r, "Retry-After"));
    drop(&g);
    step(w, 1);
    g = (struct got){ 0 };
    ask(w, &g, "GET", status, "2024-05-01", NULL);
    assert_string_equal(jsonx_text(g.r.body, "status"), "Succeeded");
    drop(&g);
}

static void a_restart_remembers(void **state)
{
    struct world *w = *state;

    expect(w, "PUT", VNET, "2024-05-01", VNET_BODY, 201);
    sandbox_close(w->s);
    open_sandbox(w, 1);
    expect(w, "GET", VNET, "2024-05-01", NULL, 200);
    expect(w, "PUT", VNET, "2024-05-01", VNET_BODY, 429); /* still under way */
    step(w, 60000);
    expect(w, "PUT", VNET, "2024-05-01", VNET_BODY, 200);
}

static void tokens_run_out(void **state)
{
    struct world *w = *state;

    expect(w, "GET", "", "2021-04-01", NULL, 200);
    step(w, 3600 * 1000);
    expect(w, "GET", "", "2021-04-01", NULL, 401);
}

static void answers_by_path(void **state)
{
    static const struct {
        const char *method, *tail, *version, *body;
        int status;
    } rows[] = {
        { "GET", "", NULL, NULL, 400 },
        { "POST", "", "2021-04-01", NULL, 405 },
        { "GET", "/resources", "2021-04-01", NULL, 200 },
        { "GET", "/providers/No.Such/things", "2021-04-01", NULL, 404 },
        { "GET", "/providers/Microsoft.Network/nothings/x", "2024-05-01", NULL, 404 },
        { "GET", VNET, "2024-05-01", NULL, 404 },
        { "GET", VNET, "1999-01-01", NULL, 400 },
        { "DELETE", VNET, "2024-05-01", NULL, 204 },
        { "PATCH", VNET, "2024-05-01", "{\"tags\":{}}", 404 },
        { "PUT", VNET, "2024-05-01", "", 400 },
        { "PUT", "/providers/Microsoft.Network/virtualNetworks", "2024-05-01", "{}", 405 },
        { "PUT", VNET "/subnets/a", "2024-05-01",
                "{\"properties\":{\"addressPrefix\":\"10.0.0.0/24\"}}", 404 },
        { "POST", VNET "/listKeys", "2024-05-01", NULL, 404 },
        { "GET", "/providers/Microsoft.Authorization/permissions", "2022-04-01", NULL, 200 },
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect(w, rows[i].method, rows[i].tail, rows[i].version, rows[i].body, rows[i].status);
}

static void the_root_is_no_resource(void **state)
{
    static const char *const methods[] = { "GET", "PUT", "PATCH", "POST", "DELETE" };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct got g = { 0 };

        ask(w, &g, methods[i], i % 2 == 0 ? "/" : "", "2021-04-01", "{}");
        assert_int_equal(g.r.status, 404);
        drop(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(operations_take_their_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_run_out, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_by_path, setup, teardown),
        cmocka_unit_test_setup_teardown(the_root_is_no_resource, setup, teardown),
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
