/* A document comes back from its bytes as it was, and what is built in is what the files say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/doc_pack.h"
#include "catalog/embedded.h"

static void assert_same_place(struct place a, struct place b)
{
    assert_string_equal(a.file, b.file);
    assert_int_equal(a.line, b.line);
    assert_int_equal(a.column, b.column);
}

static void assert_same(const struct doc_node *a, const struct doc_node *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_same_place(a->place, b->place);
    assert_int_equal(a->count, b->count);
    if (a->kind == DOC_SCALAR) {
        assert_int_equal(a->is_plain, b->is_plain);
        assert_int_equal(a->text_len, b->text_len);
        assert_string_equal(a->text, b->text);
        return;
    }
    assert_null(b->text);
    for (size_t i = 0; i < a->count; i++) {
        if (a->kind == DOC_LIST) {
            assert_same(a->items[i], b->items[i]);
            continue;
        }
        assert_string_equal(a->entries[i].key, b->entries[i].key);
        assert_same_place(a->entries[i].key_place, b->entries[i].key_place);
        assert_same(a->entries[i].value, b->entries[i].value);
    }
}

static struct doc_node *parse(struct arena *arena, struct str text, const char *file)
{
    AUTO(diag) struct diag_list diags = { 0 };

    diag_init(&diags, arena);
    struct doc_node *root = doc_parse(arena, text, file, &diags);

    assert_non_null(root);
    assert_int_equal(diags.errors, 0);
    return root;
}

static void test_round_trips(void **state)
{
    AUTO(buf) struct buf large = BUF_INIT(1u << 20);

    (void)state;
    buf_add_text(&large, "a: ");
    for (size_t i = 0; i < 20000; i++) /* lengths of one, two and three bytes */
        buf_add_char(&large, 'x');
    for (size_t i = 0; i < 300; i++)
        buf_addf(&large, "\nk%zu: %s", i, i % 2 == 0 ? "[1, '2']" : "{a: }");
    const char *const rows[] = { "", "a: {}\nb: []\nc: ''\nd:\n", "- 1\n- [a, {b: c}]\n",
        "just a word\n", "a: |\n  two\n  lines\n\"quoted key\": \"\xc3\xa9\"\n", buf_text(&large) };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        AUTO(buf) struct buf packed = BUF_INIT(1u << 20);
        const struct doc_node *root = parse(arena, str_of(rows[i]), "f.yaml");

        doc_pack(root, &packed);
        assert_same(root, doc_unpack(arena, buf_str(&packed), "f.yaml"));
    }
}

static void test_what_is_built_in(void **state)
{
    size_t packed = 0;

    (void)state;
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct str text = { .p = f->text, .len = f->len };
        struct str body;
        const bool is_runbook = str_ends(str_of(f->path), STR(".md"));
        const bool is_read = is_runbook ? doc_front(text, &text, &body)
                                        : str_ends(str_of(f->path), STR(".yaml"))
                                                  || str_ends(str_of(f->path), STR(".json"));

        assert_int_equal(is_read, f->packed != NULL);
        if (!is_read)
            continue;
        packed++;
        assert_same(parse(arena, text, f->path),
                doc_unpack(arena, (struct str){ .p = f->packed, .len = f->packed_len }, f->path));
    }
    assert_true(packed > 100);
}

static void test_front_matter(void **state)
{
    static const struct {
        const char *text, *front, *body; /* front NULL: there is none */
    } rows[] = {
        { "---\na: 1\n---\nbody\n", "\na: 1\n", "body\n" },
        { "---\na: 1\n---\n", "\na: 1\n", "" },
        { "---\na: 1\n", NULL, NULL },
        { "a: 1\n---\n", NULL, NULL },
        { "", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str front = STR(""), body = STR("");

        assert_int_equal(doc_front(str_of(rows[i].text), &front, &body), rows[i].front != NULL);
        if (rows[i].front == NULL)
            continue;
        assert_true(str_eq(front, str_of(rows[i].front)));
        assert_true(str_eq(body, str_of(rows[i].body)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_what_is_built_in),
        cmocka_unit_test(test_front_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
