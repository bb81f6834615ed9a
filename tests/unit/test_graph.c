#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "graph/graph.h"

/* "a b:1 c:2<a,b": a node a word, its minutes behind the colon, what it needs behind the '<'. */
static struct graph *read_graph(struct arena *arena, const char *text)
{
    struct graph *g = graph_new(arena);
    struct str rest = str_of(text);

    while (rest.p != NULL && rest.len > 0) {
        struct str word = str_cut(&rest, ' ');
        struct str head = str_cut(&word, '<');
        struct str name = str_cut(&head, ':');
        const size_t node =
                graph_add(g, arena_str(arena, name), head.len > 0 ? (double)(head.p[0] - '0') : 1);

        while (word.p != NULL && word.len > 0)
            graph_edge(g, node, graph_add(g, arena_str(arena, str_cut(&word, ',')), 1));
    }
    return g;
}

static const char *names(struct arena *arena, const struct graph *g, const size_t *nodes, size_t n)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < n; i++)
        buf_addf(&out, "%s%s", i > 0 ? " " : "", graph_name(g, nodes[i]));
    return arena_text(arena, buf_text(&out));
}

static void test_order(void **unused)
{
    (void)unused;
    static const struct {
        const char *graph, *order, *reversed, *path;
        double minutes;
    } rows[] = {
        { "", "", "", "", 0 },
        { "a", "a", "a", "a", 1 },
        { "a b c", "a b c", "a b c", "a", 1 },
        { "a<b b<c c", "c b a", "a b c", "c b a", 3 },
        { "g:1 s:9<g n:2<g e:5<n app:3<e,s", "g s n e app", "app s e n g", "g s app", 13 },
        { "a:1 b:1<a c:1<a d:1<b,c", "a b c d", "d b c a", "a b d", 3 },
        { "a:1 b:1<a,a,a", "a b", "b a", "a b", 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct graph *g = read_graph(arena, rows[i].graph);
        struct graph *r = graph_reverse(arena, g);
        size_t *order = NULL;
        size_t *back = NULL;
        size_t *path = NULL;
        size_t count = 0;

        assert_null(graph_order(g, &order));
        assert_string_equal(names(arena, g, order, graph_count(g)), rows[i].order);
        assert_null(graph_order(r, &back));
        assert_string_equal(names(arena, r, back, graph_count(r)), rows[i].reversed);
        const double minutes = graph_critical_path(g, order, &path, &count);

        assert_string_equal(names(arena, g, path, count), rows[i].path);
        assert_true(minutes > rows[i].minutes - 0.001 && minutes < rows[i].minutes + 0.001);
    }
}

static void test_cycle_is_named(void **unused)
{
    (void)unused;
    static const struct {
        const char *graph, *message;
    } rows[] = {
        { "a<a", "cycle: a -> a" },
        { "a<b b<a", "cycle: a -> b -> a" },
        { "x a<b b<c c<a,x", "cycle: a -> b -> c -> a" },
        { "lead<p p<q q<p", "cycle: " },
        { "p<q q<r,p r tail<p", "cycle: " },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct graph *g = read_graph(arena, rows[i].graph);
        size_t *order = NULL;
        AUTO(err) struct err *e = graph_order(g, &order);

        assert_non_null(e);
        assert_int_equal(err_kind(e), ERR_CONFIG);
        assert_int_equal(strncmp(err_text(e), rows[i].message, strlen(rows[i].message)), 0);
        assert_null(strstr(err_text(e), "lead"));
        assert_null(strstr(err_text(e), "tail"));
    }
}

static void test_remaining(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct graph *g = read_graph(arena, "g:1 s:9<g n:2<g e:5<n app:3<e,s");
    size_t *order = NULL;

    assert_null(graph_order(g, &order));
    const double *remaining = graph_remaining(g, order);
    static const double want[] = { 13, 12, 10, 8, 3 };

    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(remaining[i] > want[i] - 0.001 && remaining[i] < want[i] + 0.001);
    size_t count = 0;

    assert_int_equal(graph_find(g, "e"), 3);
    assert_int_equal(graph_find(g, "nowhere"), GRAPH_NONE);
    assert_int_equal(graph_needs(g, 4, &count)[0], 3);
    assert_int_equal(count, 2);
    graph_needed_by(g, 0, &count);
    assert_int_equal(count, 2);
}

static void test_ten_thousand_nodes_on_one(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    struct graph *g = graph_new(arena);
    const size_t root = graph_add(g, "root", 1);
    size_t *order = NULL;
    size_t *path = NULL;
    size_t count = 0;

    for (size_t i = 1; i < 10000; i++) {
        const size_t node = graph_add(g, arena_printf(arena, "n%zu", i), 1);

        graph_edge(g, node, root);
        if (i > 1)
            graph_edge(g, node, node - 1);
    }
    assert_null(graph_order(g, &order));
    graph_critical_path(g, order, &path, &count);
    assert_int_equal(count, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cycle_is_named),
        cmocka_unit_test(test_remaining),
        cmocka_unit_test(test_ten_thousand_nodes_on_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
