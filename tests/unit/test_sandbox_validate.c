#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/kinds.h"
#include "sandbox/template.h"
#include "sandbox/validate.h"

static json_t *json_of(const char *text)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(str_of(text), "row", &j);

    assert_null(e);
    return j;
}

/* A kind of its own, so that the rows do not hang on the real ones. */
static const char body_text[] =
        "{\"sku\": {\"+\": \"needed\", \"name\": \"enum:A|B required\"},"
        " \"zones[] immutable\": \"string\","
        " \"properties\": {"
        "   \"size\": \"int required 1..10\", \"ratio\": \"number\", \"flag\": \"bool =false\","
        "   \"word\": \"enum:On|Off =On\", \"secret\": \"string secret\", \"mode\": \"string "
        "createonly\","
        "   \"login\": \"string immutable\", \"ip\": \"ip\", \"cidr\": \"cidr\", \"ref\": \"ref\","
        "   \"made\": \"string readonly\", \"memory\": \"string quantity\", \"value\": \"string "
        "onoff\","
        "   \"rule\": \"string cidr32\", \"role\": \"id role\", \"gone\": \"string dropempty\","
        "   \"name\": \"string ~^[a-z]+$ 2..4\", \"map{}\": \"string\","
        "   \"list[] ..2\": {\"name\": \"string required\", \"token\": \"string secret\"},"
        "   \"open\": {\"+\": \"open\", \"known\": \"int\"}}}";

struct world {
    struct arena *arena;
    struct kind_namespace ns;
    struct kind kind;
    json_t *body;
};

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->arena = arena_new();
    w->body = json_of(body_text);
    w->ns.name = "Test";
    w->kind.ns = &w->ns;
    w->kind.type = "Test/things";
    assert_null(spec_build(w->arena, "body", w->body, &w->kind.body));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    arena_free(w->arena);
    json_decref(w->body);
    free(w);
    return 0;
}

#define SKU "\"sku\":{\"name\":\"A\"},"

static void judges_bodies(void **state)
{
    static const struct {
        const char *body, *old;
        const char *want; /* the document kept, or */
        const char *code; /* the refusal */
    } rows[] = {
        { "{" SKU "\"properties\":{\"size\":1}}", NULL,
                "{" SKU "\"properties\":{\"size\":1,\"flag\":false,\"word\":\"On\"}}", NULL },
        /* names in another case, echoed values, envelope members left out */
        { "{\"location\":\"x\",\"SKU\":{\"Name\":\"a\"},\"properties\":{\"SIZE\":1,\"flag\":true,"
          "\"word\":\"oFF\"}}",
                NULL,
                "{\"sku\":{\"name\":\"a\"},\"properties\":{\"size\":1,\"flag\":true,\"word\":"
                "\"oFF\"}}",
                NULL },
        { "{" SKU "\"properties\":{}}", NULL, NULL, "InvalidParameter" },
        { "{\"properties\":{\"size\":1}}", NULL, NULL, "InvalidParameter" },
        { "{\"properties\":{\"size\":1}}", "{" SKU "\"properties\":{}}",
                "{\"properties\":{\"size\":1,\"flag\":false,\"word\":\"On\"}}", NULL },
        { "{" SKU "\"properties\":{\"size\":\"1\"}}", NULL, NULL, "InvalidRequestContent" },
        { "{" SKU "\"properties\":{\"size\":1.5}}", NULL, NULL, "InvalidRequestContent" },
        { "{" SKU "\"properties\":{\"size\":0}}", NULL, NULL, "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":11}}", NULL, NULL, "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":10,\"siz\":1}}", NULL, NULL, "InvalidRequestContent" },
        { "{" SKU "\"colour\":1,\"properties\":{\"size\":10}}", NULL, NULL,
                "InvalidRequestContent" },
        { "{\"sku\":{\"name\":\"C\"},\"properties\":{\"size\":1}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"ip\":\"1.2.3\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"1.2.3.4\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"1.2.3.4/33\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"1.2.3.4/\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"1.2.3.400/24\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"fd00::/129\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"ip\":\"1.2.3.400\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"1.2.3.4/24\"}}", NULL,
                "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"1.2.3.4/"
                "24\",\"flag\":false,\"word\":\"On\"}}",
                NULL },
        { "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"fd00::/48\"}}", NULL,
                "{" SKU "\"properties\":{\"size\":1,\"cidr\":\"fd00::/"
                "48\",\"flag\":false,\"word\":\"On\"}}",
                NULL },
        { "{" SKU "\"properties\":{\"size\":1,\"ref\":\"x\"}}", NULL, NULL,
                "LinkedInvalidPropertyId" },
        { "{" SKU "\"properties\":{\"size\":1,\"name\":\"A\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"name\":\"abcde\"}}", NULL, NULL,
                "InvalidParameterValue" },
        { "{" SKU "\"properties\":{\"size\":1,\"map\":{\"a\":1}}}", NULL, NULL,
                "InvalidRequestContent" },
        { "{" SKU "\"properties\":{\"size\":1,\"list\":[{}]}}", NULL, NULL, "InvalidParameter" },
        { "{" SKU "\"properties\":{\"size\":1,\"list\":{}}}", NULL, NULL, "InvalidRequestContent" },
        { "{" SKU "\"properties\":{\"size\":1,\"list\":[{\"name\":\"a\"},{\"name\":\"b\"},{"
          "\"name\":\"c\"}]}}",
                NULL, NULL, "InvalidParameterValue" },
        { "{" SKU "\"properties\":[]}", NULL, NULL, "InvalidRequestContent" },
        /* rewritten, dropped, null */
        { "{" SKU
          "\"properties\":{\"size\":1,\"flag\":null,\"made\":\"mine\",\"mode\":\"m\",\"gone\":\"\","
          "\"memory\":\"1.50Gi\",\"value\":\"on\",\"rule\":\"1.2.3.4\",\"open\":{\"x\":1},"
          "\"role\":\"/subscriptions/s/providers/M.A/roleDefinitions/r\"}}",
                NULL,
                "{" SKU "\"properties\":{\"size\":1,\"memory\":\"1.5Gi\",\"value\":\"ON\",\"rule\":"
                "\"1.2.3.4/32\","
                "\"open\":{\"x\":1},\"role\":\"/providers/M.A/roleDefinitions/"
                "r\",\"flag\":false,\"word\":\"On\"}}",
                NULL },
        /* what is kept of an old document: secrets and what can't change */
        { "{" SKU "\"properties\":{\"size\":2}}",
                "{" SKU "\"properties\":{\"size\":1,\"secret\":\"s\",\"login\":\"l\",\"ratio\":1}}",
                "{" SKU "\"properties\":{\"size\":2,\"flag\":false,\"word\":\"On\",\"secret\":"
                "\"s\",\"login\":\"l\"}}",
                NULL },
        { "{" SKU "\"properties\":{\"size\":2,\"login\":\"L\"}}",
                "{" SKU "\"properties\":{\"size\":1,\"login\":\"l\"}}",
                "{" SKU
                "\"properties\":{\"size\":2,\"login\":\"L\",\"flag\":false,\"word\":\"On\"}}",
                NULL },
        { "{" SKU "\"properties\":{\"size\":2,\"login\":\"m\"}}",
                "{" SKU "\"properties\":{\"size\":1,\"login\":\"l\"}}", NULL,
                "PropertyChangeNotAllowed" },
        { "{" SKU "\"zones\":[\"2\"],\"properties\":{\"size\":2}}", "{\"zones\":[\"1\"]}", NULL,
                "PropertyChangeNotAllowed" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *body = json_of(rows[i].body);
        json_auto_t *old = rows[i].old == NULL ? NULL : json_of(rows[i].old);
        json_auto_t *doc = NULL;
        const struct validate_request q = {
            .arena = w->arena, .kind = &w->kind, .body = body, .old = old
        };
        AUTO(err) struct err *e = validate_body(&q, &doc);

        if (rows[i].code != NULL) {
            assert_non_null(e);
            assert_string_equal(err_api_code(e), rows[i].code);
            assert_int_equal(err_code(e), 400);
            continue;
        }
        if (e != NULL)
            fail_msg("%s: %s", rows[i].body, err_text(e));
        json_auto_t *want = json_of(rows[i].want);
        AUTO(free) char *got_text = jsonx_dump(doc);
        AUTO(free) char *want_text = jsonx_dump(want);

        assert_string_equal(got_text, want_text);
    }
}

static void hides_secrets(void **state)
{
    struct world *w = *state;
    json_auto_t *doc = json_of("{\"properties\":{\"secret\":\"x\",\"size\":1,\"list\":[{\"name\":"
                               "\"a\",\"token\":\"t\"}]}}");
    json_auto_t *shown = validate_public(&w->kind, doc);
    AUTO(free) char *text = jsonx_dump(shown);

    assert_string_equal(text, "{\"properties\":{\"list\":[{\"name\":\"a\"}],\"size\":1}}");
}

static void loads_every_kind(void **state)
{
    struct kinds *k = NULL;
    AUTO(err) struct err *e = kinds_load(&k);

    (void)state;
    if (e != NULL)
        fail_msg("%s", err_text(e));
    assert_true(kinds_count(k) > 50);
    assert_non_null(kinds_find(k, "microsoft.app/CONTAINERAPPS"));
    assert_null(kinds_find(k, "Microsoft.App/none"));
    for (size_t i = 0; i < kinds_count(k); i++) {
        const struct kind *kind = kinds_at(k, i);
        size_t count = 0;

        kind_versions(kind, &count);
        assert_true(count > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(kind->type, kinds_at(k, j)->type);
    }
    kinds_free(k);
}

static void names_follow_rules(void **state)
{
    static const struct {
        const char *type, *name;
        bool is_good;
    } rows[] = {
        { "Microsoft.Storage/storageAccounts", "abc", true },
        { "Microsoft.Storage/storageAccounts", "ab", false },
        { "Microsoft.Storage/storageAccounts", "abcdefghijklmnopqrstuvwx", true },
        { "Microsoft.Storage/storageAccounts", "abcdefghijklmnopqrstuvwxy", false },
        { "Microsoft.Storage/storageAccounts", "a-b", false },
        { "Microsoft.App/containerApps", "a-b", true },
        { "Microsoft.App/containerApps", "a--b", false },
        { "Microsoft.App/containerApps", "1a", false },
        { "Microsoft.Network/privateDnsZones/A", "@", true },
        { "Microsoft.Network/privateDnsZones/A", "*", true },
        { "Microsoft.Network/privateDnsZones/A", "*.apps", true },
        { "Microsoft.Network/privateDnsZones/A", "a.*", false },
        { "Microsoft.Cache/redisEnterprise/databases", "default", true },
        { "Microsoft.Cache/redisEnterprise/databases", "other", false },
    };
    struct kinds *k = NULL;

    (void)state;
    assert_null(kinds_load(&k));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(err) struct err *e = validate_name(kinds_find(k, rows[i].type), rows[i].name);

        if ((e == NULL) != rows[i].is_good)
            fail_msg("%s %s", rows[i].type, rows[i].name);
    }
    kinds_free(k);
}

static void expands_templates(void **state)
{
    static const struct {
        const char *template, *want;
    } rows[] = {
        { "\"plain\"", "\"plain\"" },
        { "\"${name}.x.${self.n}\"", "\"web.x.3\"" },
        { "\"${self.n}\"", "3" },
        { "\"${self.list}\"", "[1,2]" },
        { "\"${none}\"", "null" },
        { "\"a${none}b\"", "\"ab\"" },
        { "\"a${open\"", "\"a\"" },
        { "{\"k\":[\"${name}\",true]}", "{\"k\":[\"web\",true]}" },
    };
    json_auto_t *context = json_of("{\"name\":\"web\",\"self\":{\"n\":3,\"list\":[1,2]}}");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *template = json_of(rows[i].template);
        json_auto_t *got = template_expand(template, context);
        AUTO(free) char *text = jsonx_dump(got);

        assert_string_equal(text, rows[i].want);
    }
}

static void refuses_bad_specs(void **state)
{
    static const char *const rows[] = { "{\"a\": \"strin\"}", "{\"a\": \"string requird\"}",
        "{\"a\": 1}", "{\"a\": \"string ~[\"}", "{\"a\": \"int ={\"}",
        "{\"a\": {\"+\": \"opn\"}}" };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *body = json_of(rows[i]);
        struct spec *spec = NULL;
        AUTO(err) struct err *e = spec_build(w->arena, "body", body, &spec);

        assert_non_null(e);
        assert_non_null(strstr(err_text(e), "body.a"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(judges_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(hides_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_specs, setup, teardown),
        cmocka_unit_test(loads_every_kind),
        cmocka_unit_test(names_follow_rules),
        cmocka_unit_test(expands_templates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
