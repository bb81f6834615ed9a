/* JSON: loading with limits, paths, merge patch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/alloc.h"
#include "base/jsonx.h"

static json_t *load(const char *text)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(str_of(text), "t", &j);

    if (e != NULL)
        fail_msg("%s", err_text(e));
    return j;
}

static void test_loads(void **state)
{
    json_auto_t *bom = load("\xef\xbb\xbf{\"a\": 1}");
    json_auto_t *scalar = load("12");

    (void)state;
    assert_int_equal(jsonx_int(bom, "a", 0), 1);
    assert_int_equal(json_integer_value(scalar), 12);
}

static void test_refuses(void **state)
{
    static const char *const rows[] = { "", "{", "{\"a\":1,\"a\":2}", "1 2", "{} x", "[1,]", "nul",
        "\"\xff\"", "\"\\u0000\"", "[1e999]" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *j = NULL;
        AUTO(err) struct err *e = jsonx_load(str_of(rows[i]), "t", &j);

        if (e == NULL)
            fail_msg("%s was taken", rows[i]);
        assert_int_equal(err_kind(e), ERR_PROTO);
        assert_null(j);
    }
}

static void test_depth(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(10000);
    json_t *j = NULL;

    (void)state;
    for (int i = 0; i < JSONX_DEPTH_MAX; i++)
        buf_add_char(&text, '[');
    for (int i = 0; i < JSONX_DEPTH_MAX; i++)
        buf_add_char(&text, ']');
    assert_null(jsonx_load(buf_str(&text), "t", &j));
    json_decref(j);
    buf_clear(&text);
    for (int i = 0; i <= JSONX_DEPTH_MAX; i++)
        buf_add_char(&text, '[');
    AUTO(err) struct err *e = jsonx_load(buf_str(&text), "t", &j);

    assert_int_equal(err_kind(e), ERR_LIMIT);
    json_auto_t *quoted = load("[\"[[\\\"[[\", \"\\\\\"]");

    assert_int_equal(json_array_size(quoted), 2);
}

static void test_paths(void **state)
{
    json_auto_t *j = load("{\"a\":{\"b\":[{\"c\":1},{\"c\":2}],\"x.y\":3},\"Up\":{\"Case\":4}}");
    static const struct {
        const char *path;
        int want; /* 0: absent */
    } rows[] = { { "a.b[1].c", 2 }, { "a[\"x.y\"]", 3 }, { "a.b[2].c", 0 }, { "a.b[x]", 0 },
        { "a.b[", 0 }, { "a.c", 0 }, { "a.b.c", 0 }, { "up.case", 0 }, { "Up.Case", 4 },
        { "a.b[99999999999999999999]", 0 }, { "a.b[]", 0 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const json_t *got = jsonx_at(j, rows[i].path);

        assert_int_equal(json_is_integer(got) ? json_integer_value(got) : 0, rows[i].want);
    }
    assert_int_equal(json_integer_value(jsonx_at_ci(j, "up.CASE")), 4);
    assert_ptr_equal(jsonx_at(j, ""), j);
    assert_null(jsonx_at(NULL, "a"));
    jsonx_set_at(j, "a.n.m", json_integer(5));
    jsonx_set_at(j, "Up", json_integer(6));
    jsonx_set_at(j, "Up.Case", json_integer(7)); /* what is no object makes room */
    assert_int_equal(json_integer_value(jsonx_at(j, "a.n.m")), 5);
    assert_int_equal(json_integer_value(jsonx_at(j, "Up.Case")), 7);
}

/* The examples of RFC 7396, appendix A, as far as the target is an object. */
static void test_merge_patch(void **state)
{
    static const struct {
        const char *target;
        const char *patch;
        const char *want;
    } rows[] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{\"a\":1}", "{\"a\":{\"b\":null,\"c\":2}}", "{\"a\":{\"c\":2}}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *target = load(rows[i].target);
        json_auto_t *patch = load(rows[i].patch);

        jsonx_merge_patch(target, patch);
        AUTO(free) char *got = jsonx_dump(target);

        assert_string_equal(got, rows[i].want);
    }
}

static void test_reads_members(void **state)
{
    json_auto_t *j = load("{\"s\":\"x\",\"i\":2,\"b\":true,\"n\":null,\"S\":1}");
    json_auto_t *text = jsonx_textf("%d-%s", 1, "x");
    AUTO(free) char *pretty = jsonx_pretty(text);

    (void)state;
    assert_string_equal(jsonx_text(j, "s"), "x");
    assert_null(jsonx_text(j, "i"));
    assert_null(jsonx_text(NULL, "i"));
    assert_int_equal(jsonx_int(j, "i", 9), 2);
    assert_int_equal(jsonx_int(j, "s", 9), 9);
    assert_true(jsonx_bool(j, "b", false));
    assert_true(jsonx_bool(j, "s", true));
    assert_string_equal(json_string_value(jsonx_get_ci(j, "s")), "x"); /* the exact one first */
    assert_true(json_is_true(jsonx_get_ci(j, "B")));
    assert_null(jsonx_get_ci(j, "zz"));
    assert_string_equal(pretty, "\"1-x\"\n");
    assert_string_equal(jsonx_type_name(j), "object");
    assert_string_equal(jsonx_type_name(NULL), "nothing");
    assert_string_equal(jsonx_type_name(json_object_get(j, "n")), "null");
}

static void test_files(void **state)
{
    json_t *j = NULL;
    AUTO(err) struct err *e = jsonx_load_file("/nowhere/at.json", 100, &j);

    (void)state;
    assert_int_equal(err_kind(e), ERR_NOINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_merge_patch),
        cmocka_unit_test(test_reads_members),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests_name("jsonx", tests, NULL, NULL);
}
