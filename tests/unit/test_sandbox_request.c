#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "sandbox/request.h"
#include "sandbox/rid.h"

static void reads_paths(void **state)
{
    static const struct {
        const char *uri;
        const char *path; /* NULL: refused */
        const char *version;
    } rows[] = {
        { "/", "/", NULL },
        { "", "/", NULL },
        { "/a/b?api-version=1", "/a/b", "1" },
        { "//a///b/?API-VERSION=2", "/a/b", "2" },
        { "/%61/%2A", "/a/*", NULL },
        { "/a%2Fb/c", "/a/b/c", NULL }, /* one segment, shown joined */
        { "/a?x=1&api-version=3&y", "/a", "3" },
        { "https://host:1/a?api-version=4", "/a", "4" },
        { "/a%", NULL, NULL },
        { "/a%zz", NULL, NULL },
        { "/a%00b", NULL, NULL },
        { "/%ff", NULL, NULL },
        { "/a?b=%c3%28", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct request q;
        AUTO(err) struct err *e = request_parse(arena, "GET", rows[i].uri, &q);

        if (rows[i].path == NULL) {
            assert_non_null(e);
            assert_int_equal(err_code(e), 400);
            continue;
        }
        assert_null(e);
        assert_string_equal(q.path, rows[i].path);
        if (rows[i].version != NULL)
            assert_string_equal(request_query(&q, "api-version"), rows[i].version);
    }
}

static void limits_what_is_long(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(buf) struct buf uri = BUF_INIT(1u << 20);
    struct request q;

    (void)state;
    for (size_t i = 0; i < REQUEST_SEGMENTS_MAX; i++)
        buf_add_text(&uri, "/a");
    assert_null(request_parse(arena, "GET", buf_text(&uri), &q));
    assert_int_equal(q.count, REQUEST_SEGMENTS_MAX);
    buf_add_text(&uri, "/a");
    AUTO(err) struct err *many = request_parse(arena, "GET", buf_text(&uri), &q);

    assert_int_equal(err_code(many), 414);
    while (uri.len <= REQUEST_URI_MAX)
        buf_add_char(&uri, 'a');
    AUTO(err) struct err *long_one = request_parse(arena, "GET", buf_text(&uri), &q);

    assert_int_equal(err_code(long_one), 414);
}

static void reads_forms(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct request q = { .arena = arena, .body = STR("a=1+2&b=%2B&c&a=4&scope=x%20y") };
    struct request_pair pairs[8];
    size_t count = 0;

    (void)state;
    assert_null(request_form(&q, pairs, 8, &count));
    assert_int_equal(count, 5);
    assert_string_equal(request_pair_find(pairs, count, "a"), "1 2");
    assert_string_equal(request_pair_find(pairs, count, "b"), "+");
    assert_string_equal(request_pair_find(pairs, count, "c"), "");
    assert_string_equal(request_pair_find(pairs, count, "scope"), "x y");
    AUTO(err) struct err *e = request_form(&q, pairs, 4, &count);

    assert_non_null(e);
}

static void takes_objects_only(void **state)
{
    static const struct {
        const char *body;
        bool is_good;
    } rows[] = { { "{}", true }, { "{\"a\":1}", true }, { "", false }, { "[]", false },
        { "1", false }, { "{\"a\":1,\"a\":2}", false }, { "{\"location\":", false } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct request q = { .arena = arena, .body = str_of(rows[i].body) };
        AUTO(err) struct err *e = request_need_json(&q);

        assert_int_equal(e == NULL, rows[i].is_good);
        if (e != NULL)
            assert_string_equal(err_api_code(e), "InvalidRequestContent");
    }
}

#define GROUP "/subscriptions/s/resourceGroups/g"

static void reads_ids(void **state)
{
    static const struct {
        const char *text, *id, *type, *name, *parent;
        bool is_collection, is_child;
    } rows[] = {
        { "/SUBSCRIPTIONS/s/resourcegroups/G", "/subscriptions/s/resourceGroups/G",
                "Microsoft.Resources/resourceGroups", "G", "/subscriptions/s", false, false },
        { GROUP "/providers/N.S/ts/a", GROUP "/providers/N.S/ts/a", "N.S/ts", "a",
                "/subscriptions/s/resourcegroups/g", false, false },
        { GROUP "/providers/N.S/ts", GROUP "/providers/N.S/ts", "N.S/ts", NULL,
                "/subscriptions/s/resourcegroups/g", true, false },
        { GROUP "/providers/N.S/ts/a/us/B", GROUP "/providers/N.S/ts/a/us/B", "N.S/ts/us", "B",
                "/subscriptions/s/resourcegroups/g/providers/n.s/ts/a", false, true },
        { GROUP "/providers/N.S/ts/a/us", GROUP "/providers/N.S/ts/a/us", "N.S/ts/us", NULL,
                "/subscriptions/s/resourcegroups/g/providers/n.s/ts/a", true, true },
        { GROUP "/providers/N.S/ts/A/PROVIDERS/M.T/xs/x",
                GROUP "/providers/N.S/ts/A/providers/M.T/xs/x", "M.T/xs", "x",
                "/subscriptions/s/resourcegroups/g/providers/n.s/ts/a", false, false },
        { "/subscriptions/s/providers/M.T/xs/x", "/subscriptions/s/providers/M.T/xs/x", "M.T/xs",
                "x", "/subscriptions/s", false, false },
    };
    static const char *const wrong[] = { "", "/", "/subscriptions", "/a/b",
        "/subscriptions/s/resourceGroups", GROUP "/providers", GROUP "/providers/N.S",
        GROUP "/other/x" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct rid rid;

        assert_true(rid_parse_text(arena, rows[i].text, &rid));
        assert_string_equal(rid.id, rows[i].id);
        assert_string_equal(rid.type, rows[i].type);
        assert_string_equal(rid.parent_key, rows[i].parent);
        assert_int_equal(rid.is_collection, rows[i].is_collection);
        assert_int_equal(rid.is_child, rows[i].is_child);
        if (rows[i].name != NULL)
            assert_string_equal(rid.name, rows[i].name);
        else
            assert_null(rid.name);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct rid rid;

        assert_false(rid_parse_text(arena, wrong[i], &rid));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_paths),
        cmocka_unit_test(limits_what_is_long),
        cmocka_unit_test(reads_forms),
        cmocka_unit_test(takes_objects_only),
        cmocka_unit_test(reads_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
