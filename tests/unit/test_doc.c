/* YAML with places: what is read, what is refused, and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/doc.h"
#include "base/jsonx.h"

struct fixture {
    struct arena *arena;
    struct diag_list diags;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->arena = arena_new();
    diag_init(&f->diags, f->arena);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    diag_release(&f->diags);
    arena_free(f->arena);
    free(f);
    return 0;
}

static struct doc_node *parse(struct fixture *f, struct str text)
{
    diag_release(&f->diags);
    diag_init(&f->diags, f->arena);
    return doc_parse(f->arena, text, "f", &f->diags);
}

static const char *said(struct fixture *f)
{
    AUTO(buf) struct buf all = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < f->diags.count; i++) {
        const struct diag *d = &f->diags.items[i];

        buf_addf(&all, "%s%d:%d: %s: %s", i == 0 ? "" : "\n", d->place.line, d->place.column,
                d->code, d->text);
    }
    return arena_text(f->arena, buf_text(&all));
}

static void test_reads_values(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "{}" },
        { "# only a comment\n", "{}" },
        { "a: 1\nb: 1.5\nc: true\nd: null\ne: ~\nf:\ng: text\n",
                "{\"a\":1,\"b\":1.5,\"c\":true,\"d\":null,\"e\":null,\"f\":null,\"g\":\"text\"}" },
        { "a: '1'\nb: \"true\"\nc: 'null'\nd: ''\n",
                "{\"a\":\"1\",\"b\":\"true\",\"c\":\"null\",\"d\":\"\"}" },
        { "a: [1, {b: c}]\n", "{\"a\":[1,{\"b\":\"c\"}]}" },
        { "\xef\xbb\xbf"
          "a: 1\r\nb: |\r\n  x\r\n  y\r\n",
                "{\"a\":1,\"b\":\"x\\ny\\n\"}" },
        { "a: ${env.X}\n", "{\"a\":\"${env.X}\"}" },
        { "a: 1.2.3\nb: 1e3\nc: -7\nd: 2026-01-02\ne: 0\nf: a:b\ng: 10.0.0.0/8\n",
                "{\"a\":\"1.2.3\",\"b\":1000.0,\"c\":-7,\"d\":\"2026-01-02\",\"e\":0,\"f\":\"a:b\","
                "\"g\":\"10.0.0.0/8\"}" },
        { "a: TRUE\nb: False\nc: Null\n", "{\"a\":true,\"b\":false,\"c\":null}" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct doc_node *root = parse(f, str_of(rows[i].text));

        assert_non_null(root);
        json_auto_t *j = doc_json(root, "", &f->diags);
        AUTO(free) char *text = jsonx_dump(j);

        assert_string_equal(said(f), "");
        assert_string_equal(text, rows[i].want);
    }
}

static void test_knows_places(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root = parse(f, STR("a:\n  - x\n  - {b: [y, z]}\n\xc3\xa4: \"q\"\n"));

    assert_int_equal(doc_at(root, "a")->place.line, 2);
    assert_int_equal(doc_at(root, "a[1].b[1]")->place.line, 3);
    assert_int_equal(doc_at(root, "a[1].b[1]")->place.column, 13);
    assert_int_equal(doc_entry(root, "a")->key_place.column, 1);
    assert_int_equal(doc_at(root, "\xc3\xa4")->place.column, 4);
    assert_null(doc_at(root, "a[2]"));
    assert_null(doc_at(root, "a[x]"));
    assert_null(doc_at(root, "a["));
    assert_null(doc_at(root, "b.c"));
    assert_false(doc_at(root, "\xc3\xa4")->is_plain);
}

static void test_explains_syntax(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "a:\n\tb: 1\n", "2:1: yaml.tab: a tab stands where only spaces may indent" },
        { "a: |\n\tx\n",
                "2:1: yaml.block-tab: a tab stands where only spaces may indent a text block" },
        { "a: b: c\n", "1:5: yaml.colon: a ': ' stands inside a value" },
        { "a: 1\n  b: 2\n",
                "2:4: yaml.key-place: a key can't stand here: the line above is no map" },
        { "a: {b: ${env.X}}\n",
                "1:8: yaml.flow-reference: ${...} inside {...} or [...] needs quotes" },
        { "x: \xc3\xa4\na: [x-${c}]\n",
                "2:7: yaml.flow-reference: ${...} inside {...} or [...] needs quotes" },
        { "a: {b: c: d}\n",
                "1:9: yaml.flow-colon: a ': ' stands inside a value of {...} or [...]" },
        { "a: {b: 1\nc: 2\n",
                "1:4: yaml.flow-open: the '{' that begins here lacks a ',' or its '}' by line 2" },
        { "a: [1\n",
                "1:4: yaml.flow-open: the '[' that begins here lacks a ',' or its ']' by line 2" },
        { "a: \"x\nb: 1\n", "1:4: yaml.quote-open: the quote that begins here is never closed" },
        { "a: 'it's'\n", "1:8: yaml.quote-tail: there is more behind the closing quote" },
        { "a: [b]c\n", "1:7: yaml.flow-tail: there is more behind the closing bracket" },
        { "a:\n    b: 1\n  c: 2\n", "3:3: yaml.indentation: the indentation fits no line above" },
        { "a: @x\n", "1:4: yaml.start: a value can't begin with '@'" },
        { "a: %x\n", "1:4: yaml.start: a value can't begin with '%'" },
        { "a: \"C:\\dir\"\n", "1:7: yaml.escape: '\\d' is no escape" },
        { "a: - b\n", "1:4: yaml.list-place: a list can't begin here" },
        { "a: 1\nb\nc: 1\n", "2:1: yaml.no-colon: is neither 'key: value' nor '- item'" },
        { "a: !x!y z\n", "1:4: yaml.tag-handle: tags (!...) are not used here" },
        { "a: ]\n", "1:4: yaml.content: a value is missing before this character" },
        { "a: &\n", "1:4: yaml.sign: a value can't begin with '&' or '*'" },
        { "a: b\nc: \x01\n", "2:4: yaml.control: there is a control character here (byte 0x01)" },
        { "a: \xff\n", "1:4: yaml.utf8: the file is not UTF-8: byte 0xff" },
        { "\xff\xfe"
          "a",
                "1:1: yaml.utf16: the file is UTF-16, not UTF-8" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(parse(f, str_of(rows[i].text)));
        assert_string_equal(said(f), rows[i].want);
    }
}

static void test_refuses_what_misleads(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "a: &x 1\n", "1:4: yaml.anchor: anchors (&x) are not used here: write the value out" },
        { "a: *x\n", "1:4: yaml.anchor: aliases (*x) are not used here: write the value out" },
        { "a: !!str 1\n", "1:4: yaml.tag: tags (tag:yaml.org,2002:str) are not used here: quote "
                          "the value to make it text" },
        { "a: 1\na: 2\n", "2:1: yaml.duplicate-key: is there twice: the first one is in line 1" },
        { "? [a]\n: 1\n", "1:3: yaml.key: a key must be a plain word" },
        { "--- a\n--- b\n", "2:1: yaml.documents: a second document ('---') begins here: one file "
                            "holds one" },
        { "a: \"x\\0y\"\n", "1:4: yaml.nul: a value holds a NUL byte" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        parse(f, str_of(rows[i].text));
        assert_string_equal(said(f), rows[i].want);
    }
}

static void test_refuses_ambiguous_words(void **state)
{
    static const char *const words[] = { "no", "Yes", "on", "OFF", "y", "08", "-08", "010", "1_000",
        "0x1f", "0o17", "0b1", "12:30", "1:02:03", ".5", "5.", ".inf", "-.inf", ".NaN", "+5",
        "99999999999999999999", "-99999999999999999999" };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        AUTO(free) char *plain = xasprintf("a: %s\n", words[i]);
        AUTO(free) char *quoted = xasprintf("a: '%s'\n", words[i]);
        json_auto_t *j = doc_json(parse(f, str_of(plain)), "", &f->diags);

        if (f->diags.count != 1)
            fail_msg("%s was taken", words[i]);
        assert_string_equal(json_string_value(json_object_get(j, "a")), words[i]);
        assert_string_equal(f->diags.items[0].code, "yaml.ambiguous");
        assert_string_equal(f->diags.items[0].path, "a");
        assert_int_equal(f->diags.items[0].place.column, 4);
        json_auto_t *text = doc_json(parse(f, str_of(quoted)), "", &f->diags);

        assert_int_equal(f->diags.count, 0);
        assert_string_equal(json_string_value(json_object_get(text, "a")), words[i]);
    }
}

static void add_times(struct buf *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buf_add_text(b, text);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    add_times(&text, "[", DOC_DEPTH_MAX);
    add_times(&text, "]", DOC_DEPTH_MAX);
    assert_non_null(parse(f, buf_str(&text)));
    buf_clear(&text);
    add_times(&text, "[", DOC_DEPTH_MAX + 1);
    assert_null(parse(f, buf_str(&text)));
    assert_string_equal(said(f), "1:33: yaml.limit: nested deeper than 32");
    buf_clear(&text);
    buf_add_text(&text, "a: ");
    add_times(&text, "x", DOC_SCALAR_MAX);
    parse(f, buf_str(&text));
    assert_string_equal(said(f), "");
    add_times(&text, "x", 1);
    parse(f, buf_str(&text));
    assert_string_equal(said(f), "1:4: yaml.limit: a value exceeds 262144 bytes");
    buf_clear(&text);
    add_times(&text, "-\n", DOC_NODES_MAX - 1);
    assert_non_null(parse(f, buf_str(&text)));
    add_times(&text, "-\n", 1);
    assert_null(parse(f, buf_str(&text)));
    assert_string_equal(said(f), "50000:2: yaml.limit: more than 50000 values");
    buf_clear(&text);
    for (unsigned i = 0; i <= DOC_KEYS_MAX; i++)
        buf_addf(&text, "k%u:\n", i);
    assert_null(parse(f, buf_str(&text)));
    assert_string_equal(said(f), "4001:1: yaml.limit: more than 4000 keys in one map");
}

static void test_every_prefix_ends(void **state)
{
    static const char text[] = "a: {b: [1, \"x\\n\"]}\nc: |\n  t\nd: 'e'\n- &f !g\n";
    struct fixture *f = *state;

    for (size_t n = 0; n <= sizeof(text) - 1; n++) {
        const struct doc_node *root = parse(f, (struct str){ .p = text, .len = n });

        assert_true(root != NULL || f->diags.errors > 0);
    }
}

static void test_changes_maps(void **state)
{
    struct fixture *f = *state;
    struct doc_node *root = parse(f, STR("a: 1\nb: 2\nc: 3\n"));

    doc_remove(root, "b");
    doc_remove(root, "b");
    assert_int_equal(root->count, 2);
    assert_non_null(doc_get(root, "c"));
    doc_set(f->arena, root, "a", root->place, doc_get(root, "c"));
    assert_int_equal(root->count, 2);
    assert_string_equal(doc_get(root, "a")->text, "3");
    assert_true(doc_is_null(NULL));
    assert_null(doc_get(doc_get(root, "a"), "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_knows_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_explains_syntax, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_what_misleads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_ambiguous_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_prefix_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_maps, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
