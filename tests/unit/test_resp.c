#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "probe/redis_parts.h"
#include "probe/resp.h"

static const struct {
    const char *bytes;
    const char *json;
} replies[] = {
    { "+PONG\r\n", "\"PONG\"" },
    { "-WRONGPASS invalid\r\n", "{\"error\":\"WRONGPASS invalid\"}" },
    { ":42\r\n", "42" },
    { "$5\r\nhello\r\n", "\"hello\"" },
    { "$-1\r\n", "null" },
    { "$0\r\n\r\n", "\"\"" },
    { "*2\r\n+a\r\n*1\r\n:1\r\n", "[\"a\",[1]]" },
    { "*2\r\n-ERR x\r\n$1\r\nb\r\n", "[{\"error\":\"ERR x\"},\"b\"]" },
    { "$2\r\n\xff\xfe\r\n", "\"\\\\xff\\\\xfe\"" },
};

static void whole_replies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        AUTO(resp) struct resp_reader *r = resp_reader_new();
        json_auto_t *reply = NULL;
        AUTO(err) struct err *e = resp_reader_feed(r, str_of(replies[i].bytes), &reply);

        assert_null(e);
        assert_non_null(reply);
        AUTO(free) char *got = jsonx_dump(reply);

        assert_string_equal(got, replies[i].json);
    }
}

static void every_prefix_needs_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        const struct str all = str_of(replies[i].bytes);

        for (size_t n = 0; n < all.len; n++) {
            AUTO(resp) struct resp_reader *r = resp_reader_new();
            json_auto_t *early = NULL;
            json_auto_t *late = NULL;
            AUTO(err) struct err *e = resp_reader_feed(r, str_slice(all, 0, n), &early);

            assert_null(e);
            assert_null(early);
            e = resp_reader_feed(r, str_slice(all, n, all.len), &late);
            assert_null(e);
            assert_non_null(late);
        }
    }
}

static void hostile_replies_cost_little(void **state)
{
    static const char *const rows[] = {
        "*2000000000\r\n",
        "*20001\r\n",
        "!\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(resp) struct resp_reader *r = resp_reader_new();
        json_t *reply = NULL;
        AUTO(err) struct err *e = resp_reader_feed(r, str_of(rows[i]), &reply);

        if (e == NULL)
            fail_msg("%s was accepted", rows[i]);
        assert_null(reply);
    }
}

static void an_endless_line_ends_at_the_limit(void **state)
{
    AUTO(resp) struct resp_reader *r = resp_reader_new();
    AUTO(free) char *block = xcalloc(65536, 1);
    json_t *reply = NULL;
    struct err *e = resp_reader_feed(r, STR("+"), &reply);
    size_t fed = 0;

    (void)state;
    memset(block, 'x', 65536);
    while (e == NULL && fed <= RESP_REPLY_MAX) {
        fed += 65536;
        e = resp_reader_feed(r, (struct str){ .p = block, .len = 65536 }, &reply);
    }
    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_LIMIT);
    err_free(e);
}

static void commands_are_arrays_of_bulk_strings(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(1024);

    (void)state;
    resp_add_command(&out, (struct str[]){ STR("AUTH"), STR("p\r\nw") }, 2);
    assert_string_equal(buf_text(&out), "*2\r\n$4\r\nAUTH\r\n$4\r\np\r\nw\r\n");
}

static void info_becomes_facts(void **state)
{
    json_auto_t *evidence = json_object();
    const struct probe_job job = { .probe = "redis" };

    (void)state;
    redis_record_info(&job, evidence,
            STR("# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\nmaxclients:10000\r\n"
                "cluster_enabled:1\r\nloading:0\r\nconnected_clients:x\r\nodd line\r\n"));
    assert_string_equal(json_string_value(jsonx_at(evidence, "redis.version")), "7.0.15");
    assert_int_equal(json_integer_value(jsonx_at(evidence, "redis.maxclients")), 10000);
    assert_true(json_is_true(jsonx_at(evidence, "redis.cluster_enabled")));
    assert_true(json_is_false(jsonx_at(evidence, "redis.loading")));
    assert_null(jsonx_at(evidence, "redis.connected_clients"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_replies),
        cmocka_unit_test(every_prefix_needs_more),
        cmocka_unit_test(hostile_replies_cost_little),
        cmocka_unit_test(an_endless_line_ends_at_the_limit),
        cmocka_unit_test(commands_are_arrays_of_bulk_strings),
        cmocka_unit_test(info_becomes_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
