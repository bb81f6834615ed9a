/* Kinds: what a file may say, what is wrong with it, and properties by their paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "catalog/catalog.h"
#include "catalog/pattern.h"

#define HEAD                                                                                       \
    "format: 1\nkind: k\ntitle: thing\ntype: N.S/things\napi_version: \"2025-01-01\"\nscope: "     \
    "group\n"

static struct kind *parse(struct arena *arena, const char *text, struct diag_list *diags)
{
    diag_init(diags, arena);
    const struct doc_node *root = doc_parse(arena, str_of(text), "k.yaml", diags);

    return root == NULL ? NULL : kind_parse(arena, root, "k", diags);
}

static void test_defaults(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags = { 0 };
    const struct kind *k = parse(arena, HEAD, &diags);

    (void)state;
    assert_non_null(k);
    assert_string_equal(k->cloud, "arm");
    assert_int_equal(k->update, KIND_UPDATE_PUT);
    assert_true(k->has_location && k->has_tags && k->is_deletable);
    assert_null(k->fixed_location);
    assert_false(k->holds_data || k->is_group || k->is_unique_name);
    assert_null(kind_property(k, "properties.x"));
    assert_null(kind_property(NULL, "properties.x"));
}

static void test_reads_all(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags = { 0 };
    const struct kind *k = parse(arena,
            HEAD "update: patch\nlocation: global\ntags: false\nholds_data: true\n"
                 "name: {pattern: \"^[a-z]+$\", min: 2, max: 5, unique: true}\n"
                 "minutes: {create: 4}\n"
                 "properties:\n"
                 "  sku.name: {type: string, enum: [A, B], required: true, immutable: true}\n"
                 "  properties.n: {type: integer, min: 0, max: 9, default: 0}\n"
                 "actions: {listKeys: {}, look: {method: GET, path: a/b, secret: false}}\n"
                 "serial: [parent]\nready: [{get: \"\"}]\nrollouts: {stop-first: [{post: stop}]}\n",
            &diags);

    (void)state;
    assert_non_null(k);
    assert_int_equal(k->update, KIND_UPDATE_PATCH);
    assert_string_equal(k->fixed_location, "global");
    assert_false(k->has_tags);
    assert_true(k->holds_data && k->is_unique_name);
    assert_int_equal(k->name_max, 5);
    assert_true(k->update_min > 3.9 && k->delete_min < 0.3);
    assert_string_equal(k->actions[0].method, "POST");
    assert_true(k->actions[0].is_secret);
    assert_string_equal(k->actions[1].path, "a/b");
    assert_false(k->actions[1].is_secret);
    const struct kind_property *p = kind_property(k, "properties.n");

    assert_true(p->has_min && p->has_max && p->max > 8.9);
    assert_int_equal(json_integer_value(p->default_value), 0);
    assert_true(kind_property(k, "sku.name")->is_immutable);
    assert_non_null(json_object_get(k->rollouts, "stop-first"));
}

static void test_property_paths(void **state)
{
    static const struct {
        const char *asked, *found;
    } rows[] = {
        { "properties.a", "properties.a" },
        { "properties.list[].x", "properties.list[].x" },
        { "properties.list[3].x", "properties.list[].x" },
        { "properties.list[some name].x", "properties.list[].x" },
        { "properties.list[0].deep[1]", "properties.list[].deep[]" },
        { "tags.owner", "tags.{}" },
        { "tags.{}", "tags.{}" },
        { "identity.userAssignedIdentities.{}.clientId",
                "identity.userAssignedIdentities.{}.clientId" },
        { "identity.userAssignedIdentities./x/y.clientId",
                "identity.userAssignedIdentities.{}.clientId" },
        { "properties.other", "properties.a" }, /* its alias */
        { "tags", NULL },
        { "tags.a.b", NULL },
        { "properties.list", NULL },
        { "properties.A", NULL },
        { "properties.list[", NULL },
        { "", NULL },
    };
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags = { 0 };
    const struct kind *k = parse(arena,
            HEAD "properties:\n"
                 "  properties.a: {alias: properties.other}\n"
                 "  \"properties.list[].x\": {type: string}\n"
                 "  \"properties.list[].deep[]\": {type: string}\n"
                 "  \"tags.{}\": {type: string}\n"
                 "  \"identity.userAssignedIdentities.{}.clientId\": {read_only: true}\n",
            &diags);

    (void)state;
    assert_non_null(k);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct kind_property *p = kind_property(k, rows[i].asked);

        if (rows[i].found == NULL ? p != NULL : p == NULL || strcmp(p->path, rows[i].found) != 0)
            fail_msg("%s gives %s", rows[i].asked, p == NULL ? "nothing" : p->path);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *text, *error;
        int line;
    } rows[] = {
        { "kind: k\n", "'format' is missing", 1 },
        { "format: 2\n", "'2' is not a format that this program reads (it reads 1)", 1 },
        { HEAD "propertis: {}\n", "there is no key 'propertis' (did you mean properties?)", 7 },
        { HEAD "update: path\n", "'path' is not one of put, patch (did you mean patch?)", 7 },
        { HEAD "tags: yes please\n", "'tags' must be true or false", 7 },
        { HEAD "properties: {a: {typ: string}}\n", "there is no key 'typ' (did you mean type?)",
                7 },
        { HEAD "properties: {a: {type: text}}\n", NULL, 7 },
        { HEAD "properties: {a: string}\n", "must be a map such as {type: string}", 7 },
        { HEAD "properties: {a: {enum: x}}\n", "'enum' must be a list", 7 },
        { HEAD "properties: {a: {min: x}}\n", "'min' must be a number", 7 },
        { HEAD "ready: {get: x}\n", "must be a list", 7 },
        { HEAD "run: [x]\n", "a step must be a map", 7 },
        { HEAD "x-mine: 1\nname: text\n", "must be a map", 8 },
        { "format: 1\nkind: other\n", "must be 'k' as the file's name", 2 },
        { "[]\n", "a kind's file must be a map", 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        AUTO(diag) struct diag_list diags = { 0 };
        bool is_found = false;

        assert_null(parse(arena, rows[i].text, &diags));
        for (size_t k = 0; k < diags.count; k++)
            is_found = is_found
                       || ((rows[i].error == NULL || text_eq(diags.items[k].text, rows[i].error))
                               && diags.items[k].place.line == rows[i].line);
        if (!is_found)
            fail_msg("row %zu: first is '%s' in line %d", i, diags.items[0].text,
                    diags.items[0].place.line);
    }
}

/* Our matcher and regexec(3) agree, or ours passes. */
static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        enum pattern_answer answer;
    } rows[] = {
        { "^[a-z]+$", "abc", PATTERN_YES },
        { "^[a-z]+$", "", PATTERN_NO },
        { "^[a-z]+$", "abC", PATTERN_NO },
        { "^[a-z](-?[a-z0-9])*$", "a-b9", PATTERN_YES },
        { "^[a-z](-?[a-z0-9])*$", "a--b", PATTERN_NO },
        { "^[a-z](-?[a-z0-9])*$", "a-", PATTERN_NO },
        { "^[a-zA-Z_][a-zA-Z0-9_-]{0,3}$", "abcd", PATTERN_YES },
        { "^[a-zA-Z_][a-zA-Z0-9_-]{0,3}$", "abcde", PATTERN_NO },
        { "^[0-9a-f]{4}$", "0aF1", PATTERN_NO },
        { "^[0-9a-f]{4}$", "0af1", PATTERN_YES },
        { "^(dev|prod)$", "prod", PATTERN_YES },
        { "^(dev|prod)$", "produ", PATTERN_NO },
        { "^(a|ab)(c|bcd)$", "abcd", PATTERN_YES },
        { "^(a*)*b$", "aaaaaaaaaaaaaaaaaaaaaaaa", PATTERN_UNKNOWN },
        { "^\\*\\.x$", "*.x", PATTERN_YES },
        { "^[]a]$", "]", PATTERN_YES },
        { "^[^/]+$", "a/b", PATTERN_NO },
        { "^[a-z-]$", "-", PATTERN_YES },
        { "^a.c", "abcd", PATTERN_YES },
        { "^(x{2,3}){1,2}$", "xxxxx", PATTERN_YES },
        { "^(x{2,3}){1,2}$", "xxxxxxx", PATTERN_NO },
        { "^$", "", PATTERN_YES },
        { "abc", "xabcx", PATTERN_YES },
        { "abc", "ab", PATTERN_NO },
        { "[/@]a+(:|$)", "x@aa", PATTERN_YES },
        { "[/@]a+(:|$)", "x@aab", PATTERN_NO },
        { "x*", "", PATTERN_YES },
        { "b$", "abab", PATTERN_YES },
        { "^a|b$", "b", PATTERN_YES },
        { "^a|b$", "ba", PATTERN_NO },
        { "a\\|b|c", "b", PATTERN_NO },
        { "[|]x|(a|b)c", "bc", PATTERN_YES },
        { "a|", "b", PATTERN_UNKNOWN },
        { "", "b", PATTERN_UNKNOWN },
        { "(^|,)a", "a", PATTERN_UNKNOWN },
        { "^[[:alpha:]]$", "a", PATTERN_UNKNOWN },
        { "^a**$", "a", PATTERN_UNKNOWN },
        { "^(a$", "a", PATTERN_UNKNOWN },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const enum pattern_answer answer = pattern_match(rows[i].pattern, rows[i].text);

        if (answer != rows[i].answer)
            fail_msg("%s on '%s'", rows[i].pattern, rows[i].text);
    }
}

/* Every kind and service that we ship is read without a complaint. */
static void test_shipped(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags = { 0 };

    (void)state;
    diag_init(&diags, arena);
    const struct catalog *c = catalog_load(arena, NULL, 0, &diags);

    assert_non_null(c);
    catalog_check(c, &diags);
    for (size_t i = 0; i < diags.count; i++)
        print_error("%s:%d:%d: %s: %s\n", diags.items[i].place.file, diags.items[i].place.line,
                diags.items[i].place.column, diags.items[i].path, diags.items[i].text);
    assert_int_equal(diags.count, 0);
    assert_true(catalog_kind_count(c) >= 30);
    for (size_t i = 0; i < catalog_kind_count(c); i++)
        assert_ptr_equal(catalog_kind_at(c, i), catalog_kind(c, catalog_kind_at(c, i)->name));
    assert_string_equal(
            catalog_kind_by_type(c, "microsoft.app/CONTAINERAPPS")->name, "container_app");
    assert_null(catalog_kind_by_type(c, "Nope.X/y"));
    for (size_t i = 0; i < catalog_service_count(c); i++)
        assert_non_null(catalog_service(c, catalog_service_name(c, i)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_reads_all),
        cmocka_unit_test(test_property_paths),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_shipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
