/* The rule language: what holds, what breaks, what is not judged; and every rule that ships. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/catalog.h"
#include "catalog/embedded.h"
#include "lint/lint.h"
#include "lint/rule.h"

static json_t *load(const char *text)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(str_of(text), "test", &j);

    assert_null(e);
    return j;
}

struct seen {
    size_t count;
    char last[400];
};

static void on_break(void *arg, const struct rule_break *b)
{
    struct seen *s = arg;

    s->count++;
    snprintf(s->last, sizeof(s->last), "%s|%s|%s", b->text, b->fix == NULL ? "" : b->fix,
            b->at == NULL ? "" : b->at);
}

static const char root[] =
        "{\"resources\": {\"app\": [{\"service\": \"s\", \"name\": \"a\", \"port\": 80, \"tags\": "
        "[1, 2]},"
        " {\"service\": \"s\", \"name\": \"b\", \"port\": {\"$unknown\": \"x\"}}]},"
        " \"services\": {}, \"env\": {\"URL\": \"http://u:p@h:81/x?q=1\"}}";

static void test_rules(void **state)
{
    static const struct {
        const char *rule;
        size_t breaks; /* 99: an error */
        const char *last;
    } rows[] = {
        { "{\"assert\": \"true\", \"text\": \"t\"}", 0, "" },
        { "{\"assert\": \"false\", \"text\": \"t\", \"fix\": \"f\", \"at\": \"x.y\"}", 1,
                "t|f|x.y" },
        { "{\"assert\": \"null\", \"text\": \"t\"}", 1, "t||" },
        { "{\"when\": \"false\", \"assert\": \"false\", \"text\": \"t\"}", 0, "" },
        { "{\"when\": \"true\", \"text\": \"t\"}", 1, "t||" },
        { "{\"for\": {\"a\": \"resources.app\"}, \"assert\": \"a.port != 80\", \"text\": "
          "\"${a.name}: "
          "${a.port}\"}",
                1, "a: 80||" }, /* b's port is not known: not judged */
        { "{\"for\": {\"a\": \"resources.app\", \"b\": \"resources.app\"}, \"when\": \"a.name < "
          "b.name\", "
          "\"text\": \"${a.name}${b.name} ${a.tags}\"}",
                1, "ab 1, 2||" },
        { "{\"for\": {\"a\": \"resources.none\"}, \"text\": \"t\", \"when\": \"true\"}", 0, "" },
        { "{\"for\": {\"a\": \"services.none\"}, \"text\": \"t\", \"when\": \"true\"}", 0, "" },
        { "{\"for\": {\"v\": \"env\"}, \"when\": \"true\", \"text\": \"${v.key}\"}", 1, "URL||" },
        { "{\"when\": \"url_parts(env.URL).port == 81 && url_parts(env.URL).has_password\", "
          "\"text\": \"t\"}",
                1, "t||" },
        { "{\"assert\": \"url_parts(env.NONE).port == 81\", \"text\": \"t\"}", 0, "" },
        { "{\"assert\": \"nonsense == 1\", \"text\": \"t\"}", 99, "" },
        { "{\"assert\": \"length(1) == 1\", \"text\": \"t\"}", 99, "" },
        { "{\"assert\": \"length(where(resources.app, 'name', 'A')) == 1\", \"text\": \"t\"}", 0,
                "" },
        { "{\"assert\": \"length(where(resources.app, 'port', 80)) == 1\", \"text\": \"t\"}", 0,
                "" },
        { "{\"assert\": \"contains(pluck(resources.app, 'tags[]'), 2)\", \"text\": \"t\"}", 0, "" },
        { "{\"assert\": \"product([2, 1.5, 3]) == 9\", \"text\": \"t\"}", 0, "" },
        { "{\"assert\": \"product([]) == 1\", \"text\": \"t\"}", 0, "" },
        { "{\"assert\": \"product([2, 3]) == 5\", \"text\": \"t\"}", 1, "t||" },
        { "{\"assert\": \"ratio(sum(gibibytes(['1Gi', '512Mi'])), 0.5) == 3\", \"text\": \"t\"}", 0,
                "" },
        { "{\"assert\": \"cidroverlaps('10.0.0.0/8', '10.1.0.0/16') && "
          "!cidrwithin('10.0.0.0/8', '10.1.0.0/16') && cidrbits('10.0.0.0/8') == 8\", \"text\": "
          "\"t\"}",
                0, "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *rule = load(rows[i].rule);
        json_auto_t *doc = load(root);
        json_auto_t *vars = jsonx_must(json_object());
        struct rule_scope scope = { .root = doc, .vars = vars };
        struct seen seen = { 0 };
        AUTO(err) struct err *e = rule_judge(rule, &scope, on_break, &seen);

        if (rows[i].breaks == 99) {
            assert_non_null(e);
            continue;
        }
        if (e != NULL || seen.count != rows[i].breaks || strcmp(seen.last, rows[i].last) != 0)
            fail_msg("row %zu: %zu breaks, '%s', %s", i, seen.count, seen.last, err_text(e));
    }
}

static void test_form(void **state)
{
    static const char *const bad[] = { "[]", "{\"assert\": \"true\"}", "{\"text\": \"t\"}",
        "{\"text\": \"t\", \"assert\": \"(\"}", "{\"text\": \"t\", \"assert\": \"nosuch(1)\"}",
        "{\"text\": \"t\", \"asert\": \"true\", \"when\": \"true\"}",
        "{\"text\": \"t\", \"when\": \"true\", \"for\": {\"a\": 1}}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        json_auto_t *rule = load(bad[i]);
        AUTO(err) struct err *e = rule_check(rule);

        assert_non_null(e);
    }
}

/* Every rule of every kind, runbook and contract that is built in. */
static void test_shipped(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct diag_list diags;
    struct runbooks set = { .arena = arena };

    (void)state;
    diag_init(&diags, arena);
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (strncmp(f->path, "runbooks/", 9) == 0 && strstr(f->path, "README") == NULL)
            runbook_add(&set, (struct str){ .p = f->text, .len = f->len }, f->path, &diags);
    }
    struct catalog *catalog = catalog_load(arena, NULL, 0, &diags);

    lint_check_rules(catalog, &set, &diags);
    for (size_t i = 0; i < diags.count; i++)
        print_error(
                "%s: %s %s\n", diags.items[i].place.file, diags.items[i].path, diags.items[i].text);
    assert_int_equal(diags.errors, 0);
    diag_release(&diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_shipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
