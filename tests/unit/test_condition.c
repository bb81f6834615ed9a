#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/jsonx.h"
#include "runbook/condition.h"

static json_t *load(const char *text)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(str_of(text), "test", &j);

    if (e != NULL)
        fail_msg("%s: %s", text, err_text(e));
    return j;
}

static const char evidence_text[] =
        "{\"redis\": {\"cluster_enabled\": true, \"error\": \"MOVED\", \"nodes\": [{\"tcp\": "
        "\"ok\"}, "
        "{\"tcp\": \"timeout\"}], \"version\": \"7.0.15\"}, \"tls\": {\"alert\": 116, \"names\": "
        "[\"a.example\", \"*.b.example\"]}, \"nothing\": null}";

static void three_values(void **state)
{
    static const struct {
        const char *condition;
        enum truth truth;
    } rows[] = {
        { "{\"fact\": \"redis.cluster_enabled\", \"is\": true}", TRUTH_TRUE },
        { "{\"fact\": \"redis.cluster_enabled\", \"is\": false}", TRUTH_FALSE },
        { "{\"fact\": \"redis.role\", \"is\": \"master\"}", TRUTH_UNKNOWN },
        { "{\"fact\": \"redis.role\", \"not\": \"master\"}", TRUTH_UNKNOWN },
        { "{\"no\": {\"fact\": \"redis.role\", \"is\": \"master\"}}", TRUTH_UNKNOWN },
        { "{\"fact\": \"nothing\", \"is\": false}", TRUTH_UNKNOWN },
        { "{\"fact\": \"redis.role\", \"known\": false}", TRUTH_TRUE },
        { "{\"fact\": \"redis.error\", \"known\": false}", TRUTH_FALSE },
        { "{\"fact\": \"redis.error\", \"in\": [\"ASK\", \"MOVED\"]}", TRUTH_TRUE },
        { "{\"fact\": \"redis.error\", \"matches\": \"^MO\"}", TRUTH_TRUE },
        { "{\"fact\": \"redis.error\", \"matches\": \"^OVED\"}", TRUTH_FALSE },
        { "{\"fact\": \"tls.alert\", \"above\": 100}", TRUTH_TRUE },
        { "{\"fact\": \"tls.alert\", \"below\": 116}", TRUTH_FALSE },
        { "{\"fact\": \"tls.alert\", \"is\": 116.0}", TRUTH_TRUE },
        { "{\"fact\": \"tls.names\", \"contains\": \"a.example\"}", TRUTH_TRUE },
        { "{\"fact\": \"redis.version\", \"contains\": \".0.\"}", TRUTH_TRUE },
        { "{\"fact\": \"redis.version\", \"above\": 6}", TRUTH_UNKNOWN },
        { "{\"fact\": \"redis.nodes[].tcp\", \"is\": \"timeout\"}", TRUTH_TRUE },
        { "{\"fact\": \"redis.nodes[].tcp\", \"is\": \"refused\"}", TRUTH_FALSE },
        { "{\"fact\": \"redis.nodes[].verify\", \"is\": \"ok\"}", TRUTH_UNKNOWN },
        { "{\"fact\": \"redis.shards[].tcp\", \"is\": \"ok\"}", TRUTH_UNKNOWN },
        { "{\"any\": [{\"fact\": \"redis.role\", \"is\": 1}, {\"fact\": \"tls.alert\", \"is\": "
          "116}]}",
                TRUTH_TRUE },
        { "{\"any\": [{\"fact\": \"redis.role\", \"is\": 1}, {\"fact\": \"tls.alert\", \"is\": "
          "1}]}",
                TRUTH_UNKNOWN },
        { "[{\"fact\": \"redis.role\", \"is\": 1}, {\"fact\": \"tls.alert\", \"is\": 1}]",
                TRUTH_FALSE },
        { "[{\"fact\": \"redis.role\", \"is\": 1}, {\"fact\": \"tls.alert\", \"is\": 116}]",
                TRUTH_UNKNOWN },
        { "[]", TRUTH_UNKNOWN },
        { "{\"no\": {\"fact\": \"tls.alert\", \"is\": 1}}", TRUTH_TRUE },
    };
    json_auto_t *evidence = load(evidence_text);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *condition = load(rows[i].condition);

        if (condition_eval(condition, evidence) != rows[i].truth)
            fail_msg("%s", rows[i].condition);
    }
}

static void malformed_ones_are_refused(void **state)
{
    static const char *const rows[] = {
        "{\"is\": true}",
        "{\"fact\": \"a\"}",
        "{\"fact\": \"a\", \"equals\": 1}",
        "{\"fact\": \"a\", \"is\": 1, \"not\": 2}",
        "{\"fact\": \"a\", \"in\": 1}",
        "{\"fact\": \"a\", \"matches\": \"(\"}",
        "{\"any\": [{\"fact\": \"a\"}]}",
        "{\"no\": {\"fact\": \"a\"}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *condition = load(rows[i]);
        AUTO(err) struct err *e = condition_check(condition);

        if (e == NULL)
            fail_msg("%s was accepted", rows[i]);
        assert_int_equal(err_kind(e), ERR_CONFIG);
    }
}

static void quotes_what_it_looked_at(void **state)
{
    json_auto_t *evidence = load(evidence_text);
    json_auto_t *condition =
            load("[{\"fact\": \"redis.error\", \"is\": \"MOVED\"}, {\"any\": [{\"fact\": "
                 "\"tls.alert\", \"is\": 116}, {\"fact\": \"x.y\", \"is\": 1}]}]");
    json_auto_t *quotes = json_array();

    (void)state;
    condition_quote(condition, evidence, quotes);
    assert_int_equal(json_array_size(quotes), 2);
    assert_string_equal(json_string_value(json_array_get(quotes, 0)), "redis.error = \"MOVED\"");
    assert_string_equal(json_string_value(json_array_get(quotes, 1)), "tls.alert = 116");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_values),
        cmocka_unit_test(malformed_ones_are_refused),
        cmocka_unit_test(quotes_what_it_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
