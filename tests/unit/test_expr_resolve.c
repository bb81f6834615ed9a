/* Resolving what expansion left over: documents, actions, secrets, unknowns; wire and state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/eval.h"

struct world {
    json_t *docs, *answers;
    struct secret *password;
};

static const json_t *find_doc(void *arg, const char *address)
{
    return json_object_get(((struct world *)arg)->docs, address);
}

static const json_t *find_answer(void *arg, const char *address, const char *action)
{
    return json_object_get(json_object_get(((struct world *)arg)->answers, address), action);
}

static struct secret *find_secret(void *arg, const char *name)
{
    return text_eq(name, "PW") ? ((struct world *)arg)->password : NULL;
}

static void set_up(struct world *w)
{
    w->docs = json_pack("{s:{s:s, s:s, s:{s:s, s:n}}}", "a.x", "id", "/subscriptions/1/x", "name",
            "x", "properties", "fqdn", "x.example", "nothing");
    w->answers = json_pack("{s:{s:{s:[{s:s}]}}}", "a.x", "listKeys", "keys", "value", "k/1");
    w->password = secret_new(STR("p@ss"));
}

static void tear_down(struct world *w)
{
    json_decref(w->docs);
    json_decref(w->answers);
    secret_unref(w->password);
}

/* The resolved value of a leftover text, with secrets written out as "<value|refs>". Owned. */
static char *resolve(struct world *w, const char *text, const char *salt)
{
    const struct expr_env env = { .arg = w,
        .resource = find_doc,
        .action = find_answer,
        .secret = find_secret,
        .salt = str_of(salt) };
    struct secret_table table = { 0 };
    json_auto_t *doc = json_pack("{s:s}", "$expr", text);
    json_auto_t *value = NULL;
    AUTO(err) struct err *e = expr_resolve(doc, &env, &table, &value);
    const struct secret_entry *entry = e == NULL ? secret_table_entry(&table, value) : NULL;
    char *shown = NULL;

    if (e != NULL) {
        shown = xasprintf("ERROR %s", err_text(e));
    } else if (entry != NULL) {
        AUTO(free) char *refs = jsonx_dump(entry->refs);

        shown = xasprintf("<%s|%s>", secret_reveal(entry->value).p, refs);
    } else {
        shown = jsonx_dump(value);
    }
    secret_table_release(&table);
    return shown;
}

static void test_resolves(void **state)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        { "resource[\"a.x\"].id", "\"/subscriptions/1/x\"" },
        { "resource[\"a.x\"].properties.fqdn", "\"x.example\"" },
        { "resource[\"a.x\"].Properties.FQDN", "\"x.example\"" },
        { "concat(\"http://\", resource[\"a.x\"].properties.fqdn)", "\"http://x.example\"" },
        { "(resource[\"a.x\"].properties.gone ?? 5)", "5" },
        { "(resource[\"a.x\"].properties.nothing ?? 5)", "5" },
        { "resource[\"a.x\"].properties.gone",
                "ERROR resource[\"a.x\"].properties.gone is not there" },
        { "resource[\"a.y\"].id", "{\"$unknown\":\"resource[\\\"a.y\\\"].id\"}" },
        { "concat(\"a\", resource[\"a.y\"].id)", "{\"$unknown\":\"resource[\\\"a.y\\\"].id\"}" },
        { "(resource[\"a.y\"].id == \"b\")", "{\"$unknown\":\"resource[\\\"a.y\\\"].id\"}" },
        { "(resource[\"a.y\"].id ?? 1)", "{\"$unknown\":\"resource[\\\"a.y\\\"].id\"}" },
        { "(resource[\"a.y\"].on ? 1 : 2)", "{\"$unknown\":\"resource[\\\"a.y\\\"].on\"}" },
        { "azure.tenant", "{\"$unknown\":\"azure.tenant\"}" },
        { "secret.PW", "<p@ss|[\"secret.PW\"]>" },
        { "urlencode(secret.PW)", "<p%40ss|[\"secret.PW\"]>" },
        { "base64(secret.PW)", "<cEBzcw==|[\"secret.PW\"]>" },
        { "upper(secret.PW)", "<P@SS|[\"secret.PW\"]>" },
        { "replace(secret.PW, \"@\", \"-\")", "<p-ss|[\"secret.PW\"]>" },
        { "join([\"a\", secret.PW], \":\")", "<a:p@ss|[\"secret.PW\"]>" },
        { "concat(\"u:\", secret.PW, \"@\", resource[\"a.x\"].properties.fqdn)",
                "<u:p@ss@x.example|[\"secret.PW\"]>" },
        { "json({\"p\": secret.PW})", "<{\"p\":\"p@ss\"}|[\"secret.PW\"]>" },
        { "resource[\"a.x\"].action.listKeys.keys[0].value",
                "<k/1|[\"resource[\\\"a.x\\\"].action.listKeys.keys[0].value\"]>" },
        { "urlencode(resource[\"a.x\"].action.listKeys.keys[0].value)",
                "<k%2F1|[\"resource[\\\"a.x\\\"].action.listKeys.keys[0].value\"]>" },
        { "concat(secret.PW, resource[\"a.x\"].action.listKeys.keys[0].value)",
                "<p@ssk/"
                "1|[\"secret.PW\",\"resource[\\\"a.x\\\"].action.listKeys.keys[0].value\"]>" },
        { "resource[\"a.x\"].answer.listKeys.keys[0].value", "\"k/1\"" },
        { "resource[\"a.x\"].action.other.x",
                "{\"$unknown\":\"resource[\\\"a.x\\\"].action.other.x\"}" },
        { "secret(resource[\"a.x\"].properties.fqdn)",
                "<x.example|[\"resource[\\\"a.x\\\"].properties.fqdn\"]>" },
        { "(secret.PW != null)", "true" },
        { "(secret.PW == \"p@ss\")", "ERROR a secret can be compared with null only" },
        { "length(secret.PW)", "ERROR length() does not take a secret" },
        { "split(secret.PW, \"@\")", "ERROR split() does not take a secret" },
        { "(secret.PW ? 1 : 2)", "ERROR a secret can't be a condition" },
        { "secret.GONE", "ERROR secret.GONE is not there" },
        { "(secret.GONE ?? \"d\")", "\"d\"" },
        { "digest(secret.PW)", "{\"$unknown\":\"digest()\"}" },
        { "env.X", "ERROR there is no 'env' here" },
        { "1 +", "ERROR '+' can't stand here" },
    };
    struct world w = { 0 };

    (void)state;
    set_up(&w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *got = resolve(&w, rows[i].text, "");

        if (strcmp(got, rows[i].value) != 0)
            fail_msg("%s\n  gives %s\n  not   %s", rows[i].text, got, rows[i].value);
    }
    tear_down(&w);
}

static void test_digest_depends_on_value_and_salt(void **state)
{
    struct world w = { 0 };

    (void)state;
    set_up(&w);
    AUTO(free) char *one = resolve(&w, "digest(secret.PW)", "salt");
    AUTO(free) char *again = resolve(&w, "digest(secret.PW)", "salt");
    AUTO(free) char *salted = resolve(&w, "digest(secret.PW)", "other");
    AUTO(free) char *parts = resolve(&w, "digest(secret.PW, \"\")", "salt");

    assert_int_equal(strlen(one), 18); /* 16 digits and the quotes */
    assert_string_equal(one, again);
    assert_string_not_equal(one, salted);
    assert_string_not_equal(one, parts);
    tear_down(&w);
}

static void test_wire_and_stored(void **state)
{
    struct world w = { 0 };
    struct secret_table table = { 0 };
    AUTO(buf) struct buf out = BUF_INIT(4096);
    json_auto_t *value = NULL;
    json_auto_t *doc = json_pack("{s:{s:{s:s}, s:[i,b,n]}, s:{s:s}}", "p", "s", "$expr",
            "secret.PW", "l", 1, 1, "e", "$expr", "concat(secret.PW, \"\\n\")");

    (void)state;
    set_up(&w);
    out.is_secret = true;
    const struct expr_env env = { .arg = &w, .secret = find_secret };

    assert_null(expr_resolve(doc, &env, &table, &value));
    assert_null(expr_write_wire(value, &table, &out));
    assert_string_equal(
            buf_text(&out), "{\"e\":\"p@ss\\u000a\",\"p\":{\"l\":[1,true,null],\"s\":\"p@ss\"}}");
    json_auto_t *stored = expr_stored(value, &table, STR("salt"));
    AUTO(free) char *text = jsonx_dump(stored);

    assert_null(strstr(text, "p@ss"));
    assert_non_null(strstr(text, "\"refs\":[\"secret.PW\"]"));
    assert_int_equal(
            strncmp(jsonx_text(jsonx_at(stored, "p.s.$secret"), "digest"), "scrypt:", 7), 0);
    secret_table_release(&table);
    tear_down(&w);
}

static void test_unknown_is_not_sent(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    struct secret_table table = { 0 };
    json_auto_t *doc = json_pack("{s:[{s:s}]}", "a", "$unknown", "resource[\"a\"].id");
    const char *what = NULL;
    AUTO(err) struct err *e = expr_write_wire(doc, &table, &out);

    (void)state;
    assert_non_null(e);
    assert_true(expr_has_unknown(doc, &what));
    assert_string_equal(what, "resource[\"a\"].id");
}

/* A document of a service can't pass for one of our marks. */
static void test_refuses_marks_from_outside(void **state)
{
    struct world w = { 0 };

    (void)state;
    set_up(&w);
    json_object_set_new(w.docs, "evil", json_pack("{s:{s:i}}", "p", "$secret", 0));
    AUTO(free) char *got = resolve(&w, "resource[\"evil\"].p", "");

    assert_int_equal(strncmp(got, "ERROR", 5), 0);
    tear_down(&w);
}

static void count_reference(void *arg, const char *address, const char *action)
{
    AUTO(free) char *line = xasprintf("%s/%s;", address, action == NULL ? "" : action);

    buf_add_text(arg, line);
}

static void test_references(void **state)
{
    AUTO(buf) struct buf seen = BUF_INIT(4096);
    json_auto_t *doc = json_pack("{s:[{s:s}], s:{s:s}}", "a", "$expr",
            "concat(resource[\"a.x\"].id, resource[\"b.y[\\\"k\\\"]\"].action.listKeys.k)", "b",
            "$expr", "(1 == resource[\"c.z\"].name)");

    (void)state;
    expr_each_reference(doc, count_reference, &seen);
    assert_string_equal(buf_text(&seen), "a.x/;b.y[\"k\"]/listKeys;c.z/;");
}

static void test_secrecy_is_seen_before(void **state)
{
    static const struct {
        const char *text;
        bool is_secret;
    } rows[] = {
        { "secret.A", true },
        { "concat(\"a\", urlencode(secret.A))", true },
        { "resource[\"a\"].action.listKeys.k", true },
        { "resource[\"a\"].answer.get.k", false },
        { "secret(resource[\"a\"].x)", true },
        { "resource[\"a\"].x", false },
        { "digest(secret.A)", false },
        { "(secret.A != null)", false },
        { "((secret.A != null) ? secret.A : 1)", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *doc = json_pack("{s:s}", "$expr", rows[i].text);

        assert_int_equal(expr_is_secret(doc), rows[i].is_secret);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolves),
        cmocka_unit_test(test_digest_depends_on_value_and_salt),
        cmocka_unit_test(test_wire_and_stored),
        cmocka_unit_test(test_unknown_is_not_sent),
        cmocka_unit_test(test_refuses_marks_from_outside),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_secrecy_is_seen_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
