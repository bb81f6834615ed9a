#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "sandbox/backend.h"

#define APP "/subscriptions/s/resourceGroups/rg/providers/Microsoft.App/containerApps/web"
#define APP_TYPE "Microsoft.App/containerApps"
#define JOB "/subscriptions/s/resourceGroups/rg/providers/Microsoft.App/jobs/migrate"
#define JOB_TYPE "Microsoft.App/jobs"

struct world {
    struct backend *b;
    char dir[64];
};

static void open_backend(struct world *w)
{
    const struct backend_options o = { .dir = w->dir, .ca_cert = "", .ca_key = "" };

    assert_null(backend_open(&o, &w->b));
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    snprintf(w->dir, sizeof(w->dir), "/tmp/backend-test.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_backend(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    backend_close(w->b);
    err_ignore(file_remove_tree(w->dir), "test folder");
    free(w);
    return 0;
}

static void put_app(struct world *w, const char *image, const char *secret)
{
    json_auto_t *doc = json_pack("{s:{s:{s:[{s:s, s:s}]}, s:{s:[{s:s, s:s}]}}}", "properties",
            "configuration", "secrets", "name", "password", "value", secret, "template",
            "containers", "name", "web", "image", image);

    backend_put(w->b, APP, APP_TYPE, doc);
    for (int i = 0; i < 3; i++)
        backend_tick(w->b, clock_now_ms());
}

static json_t *call(struct world *w, const char *method, const char *sub, int want)
{
    json_t *body = NULL;
    int status = 0;

    assert_true(backend_handle(w->b, APP, APP_TYPE, method, sub, NULL, &status, &body));
    assert_int_equal(status, want);
    return body;
}

static void latest_is(struct world *w, const char *latest, const char *ready)
{
    json_auto_t *view = backend_view(w->b, APP, APP_TYPE);
    const json_t *p = json_object_get(view, "properties");

    assert_string_equal(jsonx_text(p, "latestRevisionName"), latest);
    assert_string_equal(jsonx_text(p, "latestReadyRevisionName"), ready);
}

static void template_makes_revision(void **state)
{
    struct world *w = *state;

    put_app(w, "a:1", "x");
    latest_is(w, "web--0000001", "web--0000001");
    put_app(w, "a:1", "y"); /* a secret alone does not */
    latest_is(w, "web--0000001", "web--0000001");
    put_app(w, "a:2", "y");
    latest_is(w, "web--0000002", "web--0000002");
    json_auto_t *list = call(w, "GET", "revisions", 200);
    const json_t *value = json_object_get(list, "value");

    assert_int_equal(json_array_size(value), 2);
    assert_true(jsonx_bool(jsonx_at(json_array_get(value, 0), "properties"), "active", false));
    assert_false(jsonx_bool(jsonx_at(json_array_get(value, 1), "properties"), "active", true));
}

static void revisions_survive_restart(void **state)
{
    struct world *w = *state;

    put_app(w, "a:1", "x");
    put_app(w, "a:2", "x");
    backend_close(w->b);
    open_backend(w);
    put_app(w, "a:2", "x");
    latest_is(w, "web--0000002", "web--0000002");
}

static void revision_can_be_stopped(void **state)
{
    struct world *w = *state;

    put_app(w, "a:1", "x");
    json_auto_t *none = call(w, "POST", "revisions/web--0000001/deactivate", 200);

    assert_null(none);
    backend_tick(w->b, clock_now_ms());
    json_auto_t *one = call(w, "GET", "revisions/web--0000001", 200);
    const json_t *p = json_object_get(one, "properties");

    assert_int_equal(jsonx_int(p, "replicas", -1), 0);
    assert_string_equal(jsonx_text(p, "provisioningState"), "Deprovisioned");
    json_auto_t *gone = call(w, "GET", "revisions/nope", 404);

    assert_string_equal(
            jsonx_text(json_object_get(gone, "error"), "code"), "ContainerAppRevisionNotFound");
}

static void running_is_healthy(void **state)
{
    struct world *w = *state;

    put_app(w, "a:1", "x");
    json_auto_t *one = call(w, "GET", "revisions/web--0000001", 200);
    const json_t *p = json_object_get(one, "properties");

    assert_string_equal(jsonx_text(p, "runningState"), "Running");
    assert_string_equal(jsonx_text(p, "healthState"), "Healthy");
    assert_string_equal(jsonx_text(p, "provisioningState"), "Provisioned");
    json_auto_t *replicas = call(w, "GET", "revisions/web--0000001/replicas", 200);

    assert_int_equal(json_array_size(json_object_get(replicas, "value")), 1);
}

static void job_runs(void **state)
{
    struct world *w = *state;
    json_auto_t *doc = json_pack("{s:{s:{s:[{s:s, s:s}]}}}", "properties", "template", "containers",
            "name", "m", "image", "a:1");
    json_t *body = NULL;
    int status = 0;

    backend_put(w->b, JOB, JOB_TYPE, doc);
    assert_true(backend_handle(w->b, JOB, JOB_TYPE, "POST", "start", NULL, &status, &body));
    AUTO(free) char *sub = NULL;

    {
        json_auto_t *started = body;

        assert_non_null(jsonx_text(started, "name"));
        json_auto_t *path = jsonx_textf("executions/%s", jsonx_text(started, "name"));

        sub = strdup(json_string_value(path));
    }
    backend_tick(w->b, clock_now_ms());
    assert_true(backend_handle(w->b, JOB, JOB_TYPE, "GET", sub, NULL, &status, &body));
    json_auto_t *execution = body;

    assert_string_equal(
            jsonx_text(json_object_get(execution, "properties"), "status"), "Succeeded");
}

static void nothing_behind_others(void **state)
{
    struct world *w = *state;
    json_auto_t *doc = json_object();
    int status = 0;
    json_t *body = NULL;

    backend_put(
            w->b, "/subscriptions/s/resourceGroups/rg", "Microsoft.Resources/resourceGroups", doc);
    assert_int_equal(
            backend_status(w->b, "/SUBSCRIPTIONS/s/resourcegroups/RG", NULL), BACKEND_NONE);
    assert_false(backend_handle(
            w->b, "/subscriptions/s/resourceGroups/rg", "x", "GET", "y", NULL, &status, &body));
    backend_remove(w->b, APP, APP_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(template_makes_revision, setup, teardown),
        cmocka_unit_test_setup_teardown(revisions_survive_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(revision_can_be_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(running_is_healthy, setup, teardown),
        cmocka_unit_test_setup_teardown(job_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_behind_others, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
