/* What is asked before the first write, and how answers are read: rights, offers, images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/jsonx.h"
#include "cloud/arm/locks.h"
#include "cloud/arm/rights.h"
#include "precheck/image.h"
#include "precheck/precheck.h"
#include "precheck/question.h"
#include "precheck/terms.h"

static json_t *json_of(const char *text)
{
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(j);
    return j;
}

/* ---- rights ---- */

static void rights_by_pattern(void **state)
{
    static const struct {
        const char *permissions;
        const char *action;
        bool allowed;
    } rows[] = {
        { "[{\"actions\":[\"*\"],\"notActions\":[]}]", "Microsoft.App/containerApps/write", true },
        { "[{\"actions\":[\"*/read\"],\"notActions\":[]}]", "Microsoft.App/jobs/read", true },
        { "[{\"actions\":[\"*/read\"]}]", "Microsoft.App/jobs/write", false },
        { "[{\"actions\":[\"microsoft.app/*\"]}]", "Microsoft.App/jobs/write", true },
        { "[{\"actions\":[\"Microsoft.App/*/write\"]}]", "Microsoft.App/a/b/write", true },
        { "[{\"actions\":[\"Microsoft.App/*/write\"]}]", "Microsoft.App/a/writer", false },
        { "[{\"actions\":[\"*\"],\"notActions\":[\"Microsoft.Authorization/*/Write\"]}]",
                "Microsoft.Authorization/roleAssignments/write", false },
        { "[{\"actions\":[\"*\"],\"notActions\":[\"Microsoft.Authorization/*/Write\"]}]",
                "Microsoft.Authorization/roleAssignments/read", true },
        /* another role gives what the first takes away */
        { "[{\"actions\":[\"*\"],\"notActions\":[\"Microsoft.Authorization/*\"]},"
          "{\"actions\":[\"Microsoft.Authorization/roleAssignments/write\"]}]",
                "Microsoft.Authorization/roleAssignments/write", true },
        { "[{\"actions\":[\"Microsoft.M/ids/*/assign/action\"]}]", "Microsoft.M/ids/assign/action",
                true },
        { "[{\"actions\":[\"Microsoft.M/ids/*/read\"]}]", "Microsoft.M/ids/read", true },
        { "[{\"actions\":[\"Microsoft.M/ids/*/read\"]}]", "Microsoft.M/idsread", false },
        { "[]", "Microsoft.App/jobs/read", false },
        { "[{}]", "Microsoft.App/jobs/read", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *permissions = json_of(rows[i].permissions);

        if (arm_rights_allow(permissions, rows[i].action) != rows[i].allowed)
            fail_msg("row %zu: %s", i, rows[i].action);
    }
}

static void scopes(void **state)
{
    static const struct {
        const char *id;
        const char *scope; /* NULL: none */
    } rows[] = {
        { "/subscriptions/S/resourceGroups/G/providers/A.B/c/d",
                "/subscriptions/S/resourceGroups/G" },
        { "/subscriptions/S/resourcegroups/G", "/subscriptions/S/resourcegroups/G" },
        { "/subscriptions/S/providers/A.B/c/d", "/subscriptions/S" },
        { "/subscriptions/S", "/subscriptions/S" },
        { "/providers/A.B/c/d", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *scope = arm_rights_scope(rows[i].id);

        if (rows[i].scope == NULL)
            assert_null(scope);
        else
            assert_string_equal(scope, rows[i].scope);
    }
    assert_null(arm_rights_scope(NULL));
}

static void providers(void **state)
{
    const struct kind k = { .type = "Microsoft.App/jobs", .api_version = "2026-01-01" };
    const struct kind other = { .type = "Microsoft.App/others", .api_version = "1" };
    json_auto_t *p = json_of("{\"registrationState\":\"NotRegistered\",\"resourceTypes\":["
                             "{\"resourceType\":\"Jobs\",\"locations\":[\"West Europe\"],"
                             "\"apiVersions\":[\"2026-01-01\"]}]}");

    (void)state;
    assert_false(arm_provider_is_registered(p));
    assert_true(arm_provider_has_region(p, &k, "westeurope"));
    assert_false(arm_provider_has_region(p, &k, "westeurope2"));
    assert_true(arm_provider_has_region(p, &other, "anywhere"));
    assert_true(arm_provider_has_version(p, &k));
    json_object_set_new(p, "registrationState", json_string("registered"));
    assert_true(arm_provider_is_registered(p));
}

/* ---- questions ---- */

#define CAPABILITIES                                                                               \
    "[{\"restricted\":\"Disabled\",\"editions\":[{\"skus\":[{\"name\":\"D2\",\"ha\":[\"Same\"]},"  \
    "{\"name\":\"D4\",\"ha\":[]}]},{\"skus\":[{\"name\":\"E2\",\"ha\":[\"Zone\"]}]}]}]"

static void answers(void **state)
{
    static const struct {
        const char *question;
        const char *answer;
        long status;
        size_t count;
        enum question_verdict verdict;
        const char *text; /* of a failure */
    } rows[] = {
        { "{\"expect\":{\"nameAvailable\":true},\"text\":\"{name} is "
          "taken\",\"reason\":\"message\"}",
                "{\"nameAvailable\":false,\"message\":\"in use\"}", 200, 1, QUESTION_FAILS,
                "n1 is taken: in use" },
        { "{\"expect\":{\"nameAvailable\":true}}", "{\"nameAvailable\":true}", 200, 1,
                QUESTION_HOLDS, NULL },
        { "{\"some\":\"[].editions[].skus[]\",\"where\":{\"name\":\"{sku.name}\"}}", CAPABILITIES,
                200, 1, QUESTION_HOLDS, NULL },
        { "{\"some\":\"[].editions[].skus[]\",\"where\":{\"name\":\"{sku.name}\",\"ha[]\":\"Zone\"}"
          ","
          "\"text\":\"no\"}",
                CAPABILITIES, 200, 1, QUESTION_FAILS, "no" },
        { "{\"some\":\"[].editions[].skus[]\",\"where\":{\"name\":\"{location}\"},\"text\":\"no\","
          "\"wanted\":\"D22\",\"offer\":\"name\"}",
                CAPABILITIES, 200, 1, QUESTION_FAILS, "no (D2 is)" },
        /* another shape than expected: nothing is concluded */
        { "{\"some\":\"[].other[]\",\"where\":{\"name\":\"x\"},\"text\":\"no\"}", CAPABILITIES, 200,
                1, QUESTION_OPEN, NULL },
        { "{\"some\":\"[].editions[]\",\"where\":{\"name\":\"{absent.member}\"}}", CAPABILITIES,
                200, 1, QUESTION_OPEN, NULL },
        { "{\"none\":\"[]\",\"where\":{\"restricted\":\"Enabled\"}}", CAPABILITIES, 200, 1,
                QUESTION_HOLDS, NULL },
        { "{\"none\":\"[]\",\"where\":{\"restricted\":\"disabled\"},\"text\":\"closed\"}",
                CAPABILITIES, 200, 1, QUESTION_FAILS, "closed" },
        { "{\"quota\":\"[]\",\"where\":{\"name.value\":\"A\"},\"used\":\"n\",\"limit\":\"m\","
          "\"text\":\"As\"}",
                "[{\"name\":{\"value\":\"A\"},\"n\":9,\"m\":10}]", 200, 1, QUESTION_HOLDS, NULL },
        { "{\"quota\":\"[]\",\"where\":{\"name.value\":\"A\"},\"used\":\"n\",\"limit\":\"m\","
          "\"text\":\"As\"}",
                "[{\"name\":{\"value\":\"A\"},\"n\":9,\"m\":10}]", 200, 2, QUESTION_FAILS,
                "As: 9 of 10 are in use, 2 more are planned" },
        /* -1: no limit */
        { "{\"quota\":\"[]\",\"where\":{},\"used\":\"n\",\"limit\":\"m\"}", "[{\"n\":9,\"m\":-1}]",
                200, 2, QUESTION_OPEN, NULL },
        /* the first of two names; half a core */
        { "{\"quota\":\"[]\",\"where\":{},\"used\":\"usage|n\",\"limit\":\"m\",\"text\":\"t\"}",
                "[{\"n\":9.5,\"m\":10}]", 200, 1, QUESTION_FAILS,
                "t: 9.5 of 10 are in use, 1 more are planned" },
        { "{\"some\":\"[].editions[name={sku.name}].skus[]\",\"where\":{\"name\":\"E2\"}}",
                "[{\"editions\":[{\"name\":\"D2\",\"skus\":[{\"name\":\"E2\"}]}]}]", 200, 1,
                QUESTION_HOLDS, NULL },
        { "{\"some\":\"[].editions[name=E].skus[]\",\"where\":{\"name\":\"x\"},\"text\":\"t\"}",
                "[{\"editions\":[{\"name\":\"D\",\"skus\":[{\"name\":\"x\"}]},{\"name\":\"E\","
                "\"skus\":[{\"name\":\"y\"}]}]}]",
                200, 1, QUESTION_FAILS, "t" },
        { "{\"some\":\"[]\",\"where\":{\"from\":\"<=33\",\"to\":\">=33\"}}",
                "[{\"from\":8,\"to\":32},{\"from\":32,\"to\":64}]", 200, 1, QUESTION_HOLDS, NULL },
        { "{\"some\":\"[]\",\"where\":{\"from\":\"<=31\",\"to\":\">=33\"},\"text\":\"t\"}",
                "[{\"from\":8,\"to\":32},{\"from\":32,\"to\":64}]", 200, 1, QUESTION_FAILS, "t" },
        /* the reason stands beside the list */
        { "{\"none\":\"[].f[]\",\"where\":{\"name\":\"R\"},\"text\":\"t\",\"reason\":\"^[].why\"}",
                "[{\"why\":\"full\",\"f\":[{\"name\":\"R\"}]}]", 200, 1, QUESTION_FAILS,
                "t: full" },
        { "{\"fails_with\":409,\"text\":\"taken\"}", "null", 409, 1, QUESTION_FAILS, "taken" },
        { "{\"fails_with\":409,\"text\":\"taken\"}", "null", 200, 1, QUESTION_HOLDS, NULL },
        { "{\"text\":\"asks nothing\"}", "{}", 200, 1, QUESTION_OPEN, NULL },
    };
    json_auto_t *desired = json_of("{\"sku\":{\"name\":\"d2\"}}");
    const struct kind k = { .name = "k" };
    const struct precheck_subject s = { .kind = &k,
        .name = "n1",
        .location = "West Europe",
        .desired = desired,
        .is_written = true,
        .is_created = true };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *question = json_of(rows[i].question);
        json_auto_t *answer = json_of(rows[i].answer);
        struct question_failure failure = { 0 };
        const struct question_case c = { .question = question,
            .subject = &s,
            .subscription = "S",
            .answer = answer,
            .status = rows[i].status,
            .amount = (double)rows[i].count };
        const enum question_verdict v = question_judge(&c, &failure);

        if (v != rows[i].verdict)
            fail_msg("row %zu: verdict %d", i, (int)v);
        if (rows[i].text != NULL)
            assert_string_equal(failure.text, rows[i].text);
        else
            assert_null(failure.text);
        free(failure.text);
    }
}

static void filling(void **state)
{
    static const struct {
        const char *text;
        const char *filled; /* NULL: not known */
    } rows[] = {
        { "/subscriptions/{subscription}/l/{location}?a=1", "/subscriptions/S/l/westeurope?a=1" },
        { "{name}-{sku.name}-{n}-{b}", "n1-D2-3-true" },
        { "{absent}", NULL },
        { "{secret}", NULL },
        { "{id}", NULL },
        { "open {", "open {" },
        { "", "" },
    };
    json_auto_t *desired = json_of("{\"sku\":{\"name\":\"D2\"},\"n\":3,\"b\":true,"
                                   "\"secret\":{\"$secret\":0}}");
    const struct precheck_subject s = {
        .name = "n1", .location = "West Europe", .desired = desired
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *text = question_fill(rows[i].text, &s, "S");

        if (rows[i].filled == NULL)
            assert_null(text);
        else
            assert_string_equal(text, rows[i].filled);
    }
}

static void terms(void **state)
{
    static const struct {
        const char *question;
        const char *values; /* NULL: can't be told */
        double amount;      /* -1: can't be told */
        bool holds;
    } rows[] = {
        { "{}", "{}", 1, true },
        { "{\"values\":{\"n\":\"int(rewrite(body.sku, '^Standard_[A-Z]+([0-9]+)', '$1'))\"},"
          "\"amount\":\"product([n, body.half])\",\"if\":\"n == 16\"}",
                "{\"n\":16}", 8, true },
        { "{\"values\":{\"f\":\"rewrite(body.sku, '^Standard_([DE])[0-9]+([a-z]+)_(v[0-9])$', "
          "'s$1$2$3F') ?? 'other'\"},\"if\":\"(body.absent ?? 'x') == 'y'\"}",
                "{\"f\":\"sDdsv5F\"}", 1, false },
        { "{\"values\":{\"f\":\"rewrite(body.sku, '^B', 'B')\"}}", NULL, 1, true },
        { "{\"amount\":\"each.n\",\"if\":\"location == 'here'\"}", "{}", 3, true },
        { "{\"amount\":\"body.later\",\"if\":\"body.later == 1\"}", "{}", -1, false },
        { "{\"amount\":\"body.absent\",\"if\":\"body.absent\"}", "{}", -1, false },
    };
    json_auto_t *desired = json_of("{\"sku\":\"Standard_D16ds_v5\",\"half\":0.5,"
                                   "\"later\":{\"$unknown\":\"x\"}}");
    json_auto_t *each = json_of("{\"n\":3}");
    struct precheck_subject s = { .desired = desired, .location = "here", .each = each };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *question = json_of(rows[i].question);
        json_auto_t *values = terms_values(question, &s, desired);
        AUTO(free) char *text = values == NULL ? NULL : jsonx_dump(values);
        double amount = -1;

        s.values = values;
        if (!terms_number(question, "amount", &s, desired, 1, &amount))
            amount = -1;
        if ((!text_eq(text, rows[i].values) && text != rows[i].values)
                || (int)(amount * 10) != (int)(rows[i].amount * 10)
                || terms_hold(question, &s) != rows[i].holds)
            fail_msg("row %zu: %s %g", i, text == NULL ? "" : text, amount);
    }
    json_auto_t *wrong = json_of("{\"values\":{\"n\":\"int(\"}}");
    AUTO(err) struct err *e = terms_check(wrong);

    assert_non_null(e);
}

static void locks(void **state)
{
    static const struct {
        const char *scope; /* of the lock */
        const char *level;
        const char *id;
        bool refuses_write, refuses_delete;
    } rows[] = {
        { "/subscriptions/s/resourceGroups/G", "CanNotDelete",
                "/subscriptions/s/resourcegroups/g/providers/A.B/c/d", false, true },
        { "/subscriptions/s", "ReadOnly", "/subscriptions/s/resourceGroups/g/providers/A.B/c/d",
                true, true },
        { "/subscriptions/s/resourceGroups/g/providers/A.B/c/d", "CanNotDelete",
                "/subscriptions/s/resourceGroups/g", false, true },
        { "/subscriptions/s/resourceGroups/g/providers/A.B/c/d", "ReadOnly",
                "/subscriptions/s/resourceGroups/g", false, true },
        { "/subscriptions/s/resourceGroups/g", "ReadOnly", "/subscriptions/s/resourceGroups/gg",
                false, false },
        { "/subscriptions/s/resourceGroups/g", "ReadOnly",
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/locks/x",
                false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free)
        char *id = xasprintf("%s/providers/Microsoft.Authorization/locks/l", rows[i].scope);
        json_auto_t *lock = jsonx_must(json_pack("{s:s, s:s, s:{s:s}}", "id", id, "name", "l",
                "properties", "level", rows[i].level));

        assert_int_equal(arm_lock_refuses(lock, rows[i].id, false), rows[i].refuses_write);
        assert_int_equal(arm_lock_refuses(lock, rows[i].id, true), rows[i].refuses_delete);
    }
}

static void types(void **state)
{
    static const struct {
        const char *id;
        const char *type; /* NULL: none */
    } rows[] = {
        { "/subscriptions/s/resourceGroups/g/providers/A.B/c/d", "A.B/c" },
        { "/subscriptions/s/resourceGroups/g/providers/A.B/c/d/e/f", "A.B/c/e" },
        { "/subscriptions/s/resourceGroups/g/providers/A.B/c/d/providers/X.Y/z/1", "X.Y/z" },
        { "/subscriptions/s/resourceGroups/g", "Microsoft.Resources/subscriptions/resourceGroups" },
        { "/subscriptions/s", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *type = arm_rights_type(rows[i].id);

        if (!text_eq(type, rows[i].type) && (type != NULL || rows[i].type != NULL))
            fail_msg("row %zu: %s", i, type);
    }
}

static void actions_of_a_kind(void **state)
{
    const struct kind plain = { .type = "A.B/c" };
    const struct kind group = { .type = "A.B/c", .rights_type = "A.B/above/c" };
    AUTO(free) char *own = arm_rights_action(&plain, "write");
    AUTO(free) char *other = arm_rights_action(&group, "delete");

    (void)state;
    assert_string_equal(own, "A.B/c/write");
    assert_string_equal(other, "A.B/above/c/delete");
}

static void when_it_is_asked(void **state)
{
    static const struct {
        const char *question;
        bool of_new, of_update, of_resumed;
    } rows[] = {
        { "{\"check\":\"sku\"}", true, false, true },
        { "{\"check\":\"name\"}", true, false, false },
        { "{\"check\":\"sku\",\"always\":true}", true, true, true },
        { "{\"check\":\"sku\",\"updated\":true}", false, true, false },
        { "{\"check\":\"sku\",\"when\":{\"mode\":\"x\"}}", false, false, false },
        { "{\"check\":\"sku\",\"unless\":{\"mode\":\"Off\"}}", false, false, false },
    };
    json_auto_t *desired = json_of("{\"mode\":\"off\"}");
    struct precheck_subject s = { .desired = desired, .is_written = true };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *question = json_of(rows[i].question);

        s.is_created = true;
        s.is_name_ours = false;
        assert_int_equal(question_applies(question, &s), rows[i].of_new);
        s.is_name_ours = true;
        assert_int_equal(question_applies(question, &s), rows[i].of_resumed);
        s.is_created = false;
        assert_int_equal(question_applies(question, &s), rows[i].of_update);
    }
}

/* ---- images ---- */

static void image_names(void **state)
{
    static const struct {
        const char *text;
        const char *registry, *repository, *reference; /* NULL: refused */
        const char *url;
    } rows[] = {
        { "redis", "docker.io", "library/redis", "latest",
                "https://registry-1.docker.io/v2/library/redis/manifests/latest" },
        { "langfuse/langfuse:3", "docker.io", "langfuse/langfuse", "3",
                "https://registry-1.docker.io/v2/langfuse/langfuse/manifests/3" },
        { "docker.io/langfuse/langfuse:3", "docker.io", "langfuse/langfuse", "3",
                "https://registry-1.docker.io/v2/langfuse/langfuse/manifests/3" },
        { "ghcr.io/a/b/c@sha256:00ff", "ghcr.io", "a/b/c", "sha256:00ff",
                "https://ghcr.io/v2/a/b/c/manifests/sha256:00ff" },
        { "x.azurecr.io/a:1@sha256:00ff", "x.azurecr.io", "a", "sha256:00ff",
                "https://x.azurecr.io/v2/a/manifests/sha256:00ff" },
        { "127.0.0.1:5000/a:1", "127.0.0.1:5000", "a", "1",
                "http://127.0.0.1:5000/v2/a/manifests/1" },
        { "localhost/a", "localhost", "a", "latest", "http://localhost/v2/a/manifests/latest" },
        { "", NULL, NULL, NULL, NULL },
        { "a b", NULL, NULL, NULL, NULL },
        { "a:", NULL, NULL, NULL, NULL },
        { "a:b:c/../?x", NULL, NULL, NULL, NULL },
        { "x.io/", NULL, NULL, NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(image) struct image_name n = { 0 };

        if (image_parse(rows[i].text, &n) != (rows[i].registry != NULL))
            fail_msg("row %zu: %s", i, rows[i].text);
        if (rows[i].registry == NULL)
            continue;
        AUTO(free) char *url = image_url(&n);

        assert_string_equal(n.registry, rows[i].registry);
        assert_string_equal(n.repository, rows[i].repository);
        assert_string_equal(n.reference, rows[i].reference);
        assert_string_equal(url, rows[i].url);
    }
}

static void image_challenges(void **state)
{
    static const struct {
        const char *challenge;
        const char *url; /* NULL: not for nobody */
    } rows[] = {
        { "Bearer realm=\"https://auth.x/token\",service=\"x\",scope=\"repository:a/b:pull\"",
                "https://auth.x/token?service=x&scope=repository:a/b:pull" },
        { "bearer realm=\"https://auth.x/token?y=1\",scope=\"a b\"",
                "https://auth.x/token?y=1&scope=a%20b" },
        { "Basic realm=\"x\"", NULL },
        { "Bearer realm=\"file:///etc/passwd\"", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *url = image_token_url(str_of(rows[i].challenge));

        if (rows[i].url == NULL)
            assert_null(url);
        else
            assert_string_equal(url, rows[i].url);
    }
}

/* ---- what stands in the way ---- */

static void refusals(void **state)
{
    static const struct {
        const char *findings;
        int kind; /* -1: none */
    } rows[] = {
        { "[]", -1 },
        { "[{\"check\":\"image\",\"severity\":\"note\",\"text\":\"t\"}]", -1 },
        { "[{\"check\":\"name\",\"severity\":\"error\",\"text\":\"t\"}]", ERR_CONFIG },
        { "[{\"check\":\"lock\",\"severity\":\"error\",\"text\":\"t\"}]", ERR_PROTECT },
        { "[{\"check\":\"soft-deleted\",\"severity\":\"error\",\"text\":\"t\"},"
          "{\"check\":\"name\",\"severity\":\"error\",\"text\":\"t\"}]",
                ERR_PROTECT },
        { "[{\"check\":\"name\",\"severity\":\"error\",\"text\":\"t\"},"
          "{\"check\":\"permission\",\"severity\":\"error\",\"text\":\"t\"}]",
                ERR_DENIED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *findings = json_of(rows[i].findings);
        AUTO(err) struct err *e = precheck_refusal(findings, "written");

        assert_int_equal(e == NULL ? -1 : (int)err_kind(e), rows[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_by_pattern),
        cmocka_unit_test(scopes),
        cmocka_unit_test(providers),
        cmocka_unit_test(answers),
        cmocka_unit_test(filling),
        cmocka_unit_test(when_it_is_asked),
        cmocka_unit_test(terms),
        cmocka_unit_test(locks),
        cmocka_unit_test(types),
        cmocka_unit_test(actions_of_a_kind),
        cmocka_unit_test(image_names),
        cmocka_unit_test(image_challenges),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
