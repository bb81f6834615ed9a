/* The common options: what is read, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/jsonx.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/secret.h"
#include "commands/context.h"

#define ARGS_MAX 24

static struct err *parse(struct context *c, const struct context_spec *spec, const char *line)
{
    static char words[256];
    char *argv[ARGS_MAX] = { NULL };
    int argc = 0;
    char *rest = NULL;

    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok_r(words, " ", &rest); w != NULL && argc < ARGS_MAX - 1;
            w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    return context_parse(c, argc, argv, spec);
}

static void test_reads_options(void **state)
{
    AUTO(context) struct context c = { 0 };
    bool is_flag = false;
    const char *save = NULL;
    struct context_list only = { 0 };
    const struct context_option own[] = {
        { .name = "save", .value = &save },
        { .name = "drift", .letter = 'd', .flag = &is_flag },
        { .name = "only", .list = &only },
    };
    const struct context_spec spec = { .options = own,
        .option_count = ARRAY_LEN(own),
        .args_min = 1,
        .args_max = 2,
        .formats = "text json junit" };

    (void)state;
    assert_null(parse(
            &c, &spec, "plan -e prod s.yaml --var a=1 --var=b=2 -d --save f --only x --only y"));
    assert_string_equal(c.environment, "prod");
    assert_string_equal(c.target, "azure");
    assert_false(c.is_target_given);
    assert_int_equal(c.arg_count, 1);
    assert_string_equal(c.args[0], "s.yaml");
    assert_int_equal(c.vars.count, 2);
    assert_string_equal(c.vars.items[1], "b=2");
    assert_true(is_flag);
    assert_string_equal(save, "f");
    assert_int_equal(only.count, 2);
    assert_int_equal(c.output_count, 1);
    assert_true(context_wants(&c, "text"));
    assert_false(c.has_color && isatty(STDOUT_FILENO) != 1);
}

static void test_reads_values(void **state)
{
    AUTO(context) struct context c = { 0 };
    const struct context_spec spec = { .formats = "text json junit" };

    (void)state;
    assert_null(parse(
            &c, &spec, "x --target sandbox --sandbox-dir /d --timeout 2m -o json -o junit=a.xml"));
    assert_string_equal(c.target, "sandbox");
    assert_string_equal(c.sandbox_dir, "/d");
    assert_int_equal(c.timeout_ms, 120000);
    assert_int_equal(c.output_count, 2);
    assert_true(context_wants(&c, "json"));
    assert_true(context_wants(&c, "junit"));
    assert_false(context_wants(&c, "text"));
}

static void test_files_come_besides_the_default(void **state)
{
    AUTO(context) struct context c = { 0 };
    const struct context_spec spec = { .formats = "text json" };

    (void)state;
    assert_null(parse(&c, &spec, "x -o json=a.json"));
    assert_true(context_wants(&c, "json"));
    assert_true(context_wants(&c, "text"));
}

static void test_refuses(void **state)
{
    static const struct {
        const char *line;
        const char *want;
    } rows[] = {
        { "x --enviroment=prod a", "x: --enviroment=prod is not an option (did you mean "
                                   "--environment?)" },
        { "x --zzzz a", "x: --zzzz is not an option" },
        { "x -q a", "x: -q is not an option" },
        { "x a --state", "x: --state needs a value" },
        { "x a -e", "x: -e needs a value" },
        { "x --yes=1 a", "x: --yes takes no value" },
        { "x", "x: an argument is missing" },
        { "x a b", "x: too many arguments" },
        { "x a -o yaml", "x: -o yaml is not one of text, json" },
        { "x a -o json=", "x: -o json= names no file" },
        { "x a -o json -o text",
                "x: two -o write to standard output: give all but one a file (-o FORMAT=FILE)" },
        { "x a --target aws", "x: --target 'aws' is not one of azure, sandbox" },
        { "x a --timeout soon", "x: --timeout 'soon' is not a duration such as 90s or 15m" },
        { "x a --log-level loud",
                "--log-level 'loud' is not one of error, warn, info, debug, trace" },
        { "x a --log-format xml", "x: --log-format 'xml' is not one of text, json" },
    };
    const struct context_spec spec = { .args_min = 1, .args_max = 1, .formats = "text json" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(context) struct context c = { 0 };
        AUTO(err) struct err *e = parse(&c, &spec, rows[i].line);

        assert_non_null(e);
        assert_string_equal(err_text(e), rows[i].want);
        assert_int_equal(err_exit_status(e), 64);
    }
}

static void test_two_dashes_end_options(void **state)
{
    AUTO(context) struct context c = { 0 };
    const struct context_spec spec = { .args_max = 1 };

    (void)state;
    assert_null(parse(&c, &spec, "x -- --yes"));
    assert_false(c.is_yes);
    assert_string_equal(c.args[0], "--yes");
}

static void test_writes_scrubbed_files(void **state)
{
    AUTO(context) struct context c = { 0 };
    AUTO(buf) struct buf text = BUF_INIT(1024);
    AUTO(secret) struct secret *s = secret_new(STR("hunter2hunter2"));
    const struct context_spec spec = { .formats = "text json" };
    char path[] = "/tmp/test-context-XXXXXX";
    char line[64];
    const int fd = mkstemp(path);

    (void)state;
    assert_int_equal(secret_len(s), 14);
    assert_true(fd >= 0);
    close(fd);
    snprintf(line, sizeof(line), "x -o json=%s", path);
    assert_null(parse(&c, &spec, line));
    assert_null(context_write(&c, "json", STR("a hunter2hunter2 b")));
    assert_null(file_read(path, 1024, &text));
    assert_string_equal(buf_text(&text), "a (secret) b");
    assert_null(context_write_revealed(&c, "json", STR("a hunter2hunter2 b")));
    assert_null(file_read(path, 1024, &text));
    assert_string_equal(buf_text(&text), "a hunter2hunter2 b");
    unlink(path);
}

static void test_diags_json(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list list;
    const struct place at = { .file = "f", .line = 3, .column = 4 };

    (void)state;
    diag_init(&list, arena);
    diag_add(&list, DIAG_ERROR, "a.b", at, "p", "text");
    diag_set_hint(&list, diag_add(&list, DIAG_WARNING, "c", at, "p", "more"), "do %s", "this");
    diag_add(&list, DIAG_ERROR, "a.b", at, "p", "text");
    json_auto_t *j = context_diags_json(&list);
    AUTO(free) char *text = jsonx_dump(j);

    assert_string_equal(text,
            "[{\"code\":\"a.b\",\"column\":4,\"file\":\"f\",\"line\":3,\"path\":\"p\",\"severity\":"
            "\"error\",\"text\":\"text\"},{\"code\":\"c\",\"column\":4,\"file\":\"f\",\"hint\":"
            "\"do "
            "this\",\"line\":3,\"path\":\"p\",\"severity\":\"warning\",\"text\":\"more\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_options),
        cmocka_unit_test(test_reads_values),
        cmocka_unit_test(test_files_come_besides_the_default),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_two_dashes_end_options),
        cmocka_unit_test(test_writes_scrubbed_files),
        cmocka_unit_test(test_diags_json),
    };

    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
