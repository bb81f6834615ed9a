/* What a stack file may say, and what is said when it says something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "stack/stack.h"

struct fixture {
    struct arena *arena;
    struct diag_list diags;
    char dir[64];
    char *file;
    struct stack *stack;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->arena = arena_new();
    diag_init(&f->diags, f->arena);
    snprintf(f->dir, sizeof(f->dir), "/tmp/test-stack-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->file = file_join(f->dir, "stack.yaml");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    diag_release(&f->diags);
    arena_free(f->arena);
    assert_null(file_remove_tree(f->dir));
    free(f->file);
    free(f);
    return 0;
}

static struct stack *load(
        struct fixture *f, const char *text, const char *environment, const char *var)
{
    const char *const vars[] = { var };
    const struct stack_options o = {
        .file = f->file, .environment = environment, .vars = vars, .var_count = var != NULL
    };

    assert_null(file_write(f->file, str_of(text), 0600));
    diag_release(&f->diags);
    diag_init(&f->diags, f->arena);
    struct err *e = stack_load(f->arena, &o, &f->diags, &f->stack);

    if (e != NULL)
        fail_msg("%s", err_text(e));
    diag_sort(&f->diags);
    return f->stack;
}

/* All diagnostics, a line each: "LINE:COLUMN: PATH: TEXT". */
static const char *said(struct fixture *f)
{
    AUTO(buf) struct buf all = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < f->diags.count; i++) {
        const struct diag *d = &f->diags.items[i];

        buf_addf(&all, "%s%d:%d: %s%s%s", i == 0 ? "" : "\n", d->place.line, d->place.column,
                d->path, d->path[0] == '\0' ? "" : ": ", d->text);
    }
    return arena_text(f->arena, buf_text(&all));
}

static const char whole[] =
        "deployer: 1\n"
        "stack: langfuse\n"
        "location: japaneast\n"
        "azure:\n"
        "  subscription: ${env.AZURE_SUBSCRIPTION_ID}\n"
        "  resource_group: rg-langfuse-${var.stage}\n"
        "  tags: {owner: platform}\n"
        "inputs:\n"
        "  stage: {default: dev}\n"
        "  replicas: 2\n"
        "network:\n"
        "  address_space: 10.20.0.0/16\n"
        "services:\n"
        "  postgres: {use: postgres, with: {version: 16, list: [1, 2]}}\n"
        "  redis:    {use: redis, with: {clustering: NoCluster}}\n"
        "  langfuse: {use: langfuse, needs: {postgres: postgres, redis: redis}}\n"
        "  gateway:  {use: gateway, needs: {backend: langfuse}}\n"
        "environments:\n"
        "  dev:  {services: {gateway: null}}\n"
        "  prod: {inputs: {stage: prod}, services: {postgres: {with: {ha: true, list: [3]}}}}\n"
        "  same:\n";

static void test_reads_the_base(void **state)
{
    struct fixture *f = *state;
    const struct stack *s = load(f, whole, NULL, NULL);

    assert_string_equal(said(f), "");
    assert_string_equal(s->name, "langfuse");
    assert_string_equal(s->environment, "");
    assert_string_equal(s->location->text, "japaneast");
    assert_string_equal(s->subscription->text, "${env.AZURE_SUBSCRIPTION_ID}");
    assert_string_equal(s->resource_group->text, "rg-langfuse-${var.stage}");
    assert_int_equal(s->service_count, 4);
    assert_string_equal(s->services[2].name, "langfuse");
    assert_int_equal(s->services[2].place.line, 16);
    assert_int_equal(s->services[2].need_count, 2);
    assert_string_equal(s->services[2].needs[1].service, "redis");
    assert_string_equal(json_string_value(json_object_get(s->vars, "stage")), "dev");
    assert_int_equal(json_integer_value(json_object_get(s->vars, "replicas")), 2);
    assert_null(s->tenant);
    assert_null(s->overlay);
}

static void test_merges_an_environment(void **state)
{
    struct fixture *f = *state;
    const struct stack *s = load(f, whole, "dev", NULL);

    assert_string_equal(said(f), "");
    assert_int_equal(s->service_count, 3);
    s = load(f, whole, "prod", NULL);
    assert_string_equal(said(f), "");
    assert_string_equal(json_string_value(json_object_get(s->vars, "stage")), "prod");
    assert_int_equal(doc_at(s->root, "services.postgres.with.list")->count, 1);
    assert_int_equal(doc_at(s->root, "services.postgres.with.list")->place.line, 20);
    assert_int_equal(doc_at(s->root, "services.postgres.with.version")->place.line, 14);
    assert_string_equal(doc_at(s->root, "services.postgres.with.ha")->text, "true");
    s = load(f, whole, "same", NULL);
    assert_string_equal(said(f), "");
    assert_int_equal(s->service_count, 4);
    load(f, whole, "prd", NULL);
    assert_string_equal(
            said(f), "19:3: environments: there is no environment 'prd' (did you mean prod?)");
}

static void test_types_vars(void **state)
{
    struct fixture *f = *state;
    const struct stack *s = load(f, whole, "prod", "stage=test");

    assert_string_equal(said(f), "");
    assert_string_equal(json_string_value(json_object_get(s->vars, "stage")), "test");
    s = load(f, whole, NULL, "replicas=7");
    assert_int_equal(json_integer_value(json_object_get(s->vars, "replicas")), 7);
    load(f, whole, NULL, "replicas=x");
    assert_string_equal(said(f), "0:0: replicas: 'x' is no integer");
    load(f, whole, NULL, "stag=x");
    assert_string_equal(
            said(f), "0:0: stag: is not a declared input of the stack (did you mean stage?)");
    load(f, whole, NULL, "stage");
    assert_string_equal(said(f), "0:0: stage: is not NAME=VALUE");
}

#define HEAD "deployer: 1\nstack: s\n"
#define TAIL "services: {a: {use: a}}\n"

static void test_says_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "1:1: there is nothing in it" },
        { "azure: {}\n", "1:1: 'deployer: 1' is missing: the version of the file's format\n"
                         "1:1: 'services' is missing: what the stack consists of\n"
                         "1:1: 'stack' is missing: the name of the stack" },
        { "- a\n", "1:1: is no stack file: it must be a map that begins with 'deployer: 1'" },
        { "deployer: 2\nnonsense: 1\n",
                "1:11: deployer: the file is written for a newer deployer: its format is 2, this "
                "one reads up to 1" },
        { "deployer: one\nstack: s\n" TAIL,
                "1:11: deployer: is the version of the file's format: a number from 1 to 1" },
        { HEAD "sevices: {}\n" TAIL, "3:1: sevices: is not known here (did you mean services?)" },
        { HEAD "services: [a]\n", "3:11: services: is a list, but must be a map" },
        { HEAD "services:\n", "3:10: services: is empty, but must be a map" },
        { HEAD "services: {a: {}}\n", "3:15: services.a: 'use' is missing" },
        { HEAD "services: {a: {use: a, neds: {}}}\n",
                "3:24: services.a.neds: is not known here (did you mean needs?)" },
        { HEAD "services: {A_b: {use: a}}\n",
                "3:12: services.A_b: 'A_b' is no name: lower case letters, digits and '-', a "
                "letter first, no '-' last, at most 40 characters" },
        { HEAD "services: {a: {use: a, needs: {x: b, y: a}}, bb: {use: b}}\n",
                "3:35: services.a.needs.x: 'b' is not a service of this stack\n"
                "3:41: services.a.needs.y: the service can't need itself" },
        { HEAD "services: {a: {use: a, needs: {x: redsi}}, redis: {use: b}}\n",
                "3:35: services.a.needs.x: 'redsi' is not a service of this stack (did you mean "
                "redis?)" },
        { HEAD "services: {a: {use: a, needs: [b]}}\n",
                "3:31: services.a.needs: is a list, but must be a map" },
        { HEAD "services: {stack: {use: a}}\n",
                "3:12: services.stack: 'stack' is the service that every stack has: take another "
                "name" },
        { HEAD "location: 5\n" TAIL,
                "3:11: location: '5' is a number, but must be text: quote it" },
        { HEAD "location: no\n" TAIL,
                "3:11: location: 'no' is true or false in YAML 1.1 and text in YAML 1.2: write "
                "true, false or quote it" },
        { HEAD "azure: {resource_group: {exsting: x}}\n" TAIL,
                "3:26: azure.resource_group.exsting: is not known here (did you mean existing?)" },
        { HEAD "azure: {tags: {a: [b]}}\n" TAIL,
                "3:19: azure.tags.a: is a list, but must be text" },
        { HEAD "registry: {prefix: a}\n" TAIL, "3:11: registry: 'server' is missing" },
        { HEAD "ignore: [{id: RED-003}]\n" TAIL, "3:10: ignore[0]: 'because' is missing" },
        { HEAD "inputs: {a: {type: strin, default: x}}\n" TAIL,
                "3:20: inputs.a: 'strin' is not one of string, integer, number, boolean, list, "
                "map, any (did you mean string?)" },
        { HEAD "inputs: {a: {type: integer, default: x}}\n" TAIL,
                "3:38: inputs.a: the default is a string, but the type is integer" },
        { HEAD "inputs: {a: {enum: [dev, prod], default: pro}}\n" TAIL,
                "3:42: inputs.a: \"pro\" is not one of dev, prod (did you mean prod?)" },
        { HEAD "inputs: {a: {pattern: '^[a-z]+$', default: A1}}\n" TAIL,
                "3:44: inputs.a: 'A1' does not match ^[a-z]+$" },
        { HEAD "inputs: {a: {pattern: '[', default: A1}}\n" TAIL,
                "3:23: inputs.a: '[' is no regular expression (POSIX extended, at most 256 "
                "characters)" },
        { HEAD "inputs: {a: {}}\n" TAIL, "3:10: inputs.a: has no value: it has no default" },
        { HEAD "inputs: {a-b: 1}\n" TAIL,
                "3:10: inputs.a-b: the name of an input holds letters, digits and _, a letter "
                "first" },
        { HEAD "inputs: {a: '${env.X}'}\n" TAIL,
                "3:13: inputs.a: the default of an input is written out: no ${...} here" },
        { HEAD TAIL "environments: {p: {stack: x}}\n",
                "4:20: environments.p.stack: is not known here" },
        { HEAD "catalog: [., {b: c}]\n" TAIL, "3:14: catalog[1]: is a map, but must be text" },
        { HEAD "vault: kv\n" TAIL,
                "3:8: vault: 'kv' is no vault's name: 3 to 24 letters, digits and '-', a letter "
                "first, no '-' last" },
        { HEAD "vault: https://kv-a.vault.azure.net/\n" TAIL,
                "3:8: vault: 'https://kv-a.vault.azure.net/' is no vault's name: 3 to 24 letters, "
                "digits and '-', a letter first, no '-' last" },
        { HEAD "vault: 1kv\n" TAIL,
                "3:8: vault: '1kv' is no vault's name: 3 to 24 letters, digits and '-', a letter "
                "first, no '-' last" },
        { HEAD "vault: ${var.x}\n" TAIL, "" }, /* the catalog's to say (catalog_settle) */
        { HEAD "catalog: gone\n" TAIL,
                "3:10: catalog: 'gone' is no folder: it is looked for beside the stack file" },
        { "deployer: 1\nstack: s-${var.x}\n" TAIL,
                "2:8: stack: must be written out: no ${...} here" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load(f, rows[i].text, NULL, NULL);
        assert_string_equal(said(f), rows[i].want);
    }
}

static void test_null_must_remove_something(void **state)
{
    struct fixture *f = *state;

    load(f,
            HEAD "services: {redis: {use: a}}\n"
                 "environments: {p: {services: {redsi: null, redis: {with: {x: null}}}}}\n",
            "p", NULL);
    assert_string_equal(said(f),
            "4:31: environments.p.services: null removes 'redsi', but the base has no such key "
            "(did you mean redis?)\n"
            "4:59: environments.p.services.redis.with: null removes 'x', but the base has no such "
            "key");
}

static void test_sources(void **state)
{
    static const char text[] = HEAD "inputs:\n"
                                    "  rev: {command: [echo, abc]}\n"
                                    "  size: {file: size.txt, type: integer}\n"
                                    "  tf: {terraform: terraform.tfstate}\n" TAIL;
    struct fixture *f = *state;
    AUTO(free) char *size = file_join(f->dir, "size.txt");
    AUTO(free) char *tf = file_join(f->dir, "terraform.tfstate");

    assert_null(file_write(size, STR("12\r\n"), 0600));
    assert_null(file_write(tf,
            STR("{\"version\":4,\"outputs\":{\"id\":{\"value\":\"x\",\"type\":\"string\"},"
                "\"pw\":{\"value\":\"hunter2\",\"sensitive\":true}}}"),
            0600));
    const struct stack *s = load(f, text, NULL, NULL);
    AUTO(free) char *vars = jsonx_dump(s->vars);

    assert_string_equal(said(f), "");
    assert_string_equal(vars, "{\"rev\":\"abc\",\"size\":12,\"tf\":{\"id\":\"x\"}}");
    s = load(f, text, NULL, "size=3"); /* what --var says is not read elsewhere */
    assert_int_equal(json_integer_value(json_object_get(s->vars, "size")), 3);
}

static void test_sources_that_fail(void **state)
{
    static const struct {
        const char *declaration;
        const char *want; /* the text alone */
    } rows[] = {
        { "{command: [sh, -c, 'echo why >&2; exit 3']}", "sh ended with status 3: why" },
        { "{command: [no-such-program-anywhere]}",
                "no-such-program-anywhere: No such file or directory" },
        { "{command: []}", "is an empty list: it must name a program" },
        { "{command: echo}", "is text, but must be a list" },
        { "{command: [echo, x], type: integer}", "what the command gives is no integer" },
        { "{command: [echo, x], default: z}",
                "has a default and a source ('command'): take one of them away" },
        { "{command: [printf, '\\377']}", "printf gives no text (UTF-8)" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *text = xasprintf(HEAD "inputs: {a: %s}\n" TAIL, rows[i].declaration);

        load(f, text, NULL, NULL);
        assert_int_equal(f->diags.count, 1);
        assert_string_equal(f->diags.items[0].text, rows[i].want);
        assert_int_equal(f->diags.items[0].place.line, 3);
    }
    load(f, HEAD "inputs: {a: {file: absent.txt}}\n" TAIL, NULL, NULL);
    assert_int_equal(f->diags.count, 1);
    assert_true(
            str_ends(str_of(f->diags.items[0].text), STR("absent.txt: No such file or directory")));
}

static void test_missing_file(void **state)
{
    struct fixture *f = *state;
    const struct stack_options o = { .file = "/nowhere/stack.yaml" };
    struct err *e = stack_load(f->arena, &o, &f->diags, &f->stack);

    assert_non_null(e);
    assert_int_equal(err_kind(e), ERR_NOINPUT);
    err_free(e);
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    AUTO(free) char *dotenv = file_join(f->dir, ".env");

    assert_null(file_write(dotenv, STR("A=from file\nB=b value\nE=\nF=kept\n"), 0600));
    setenv("A", "from process", 1);
    setenv("F", "", 1);
    const struct stack *s = load(f, whole, NULL, NULL);

    assert_string_equal(said(f), "");
    assert_string_equal(stack_env(s, "A"), "from process");
    assert_string_equal(stack_env(s, "B"), "b value");
    assert_string_equal(stack_env(s, "E"), "");
    assert_string_equal(stack_env(s, "F"), "");
    assert_null(stack_env(s, "NOT_THERE_AT_ALL"));
    struct secret *b = stack_secret(s, "B");

    assert_non_null(b);
    assert_ptr_equal(b, stack_secret(s, "B"));
    assert_int_equal(secret_len(b), 7);
    assert_null(stack_secret(s, "E"));
    assert_int_equal(secret_len(stack_secret(s, "F")), 4);
    assert_null(stack_secret(s, "NOT_THERE_AT_ALL"));
    unsetenv("A");
    unsetenv("F");
}

static void test_vault(void **state)
{
    struct fixture *f = *state;
    AUTO(secret) struct secret *value = secret_new(STR("from the vault"));
    const struct stack_vault_answer answers[] = { { "IN_VAULT", value }, { "NOWHERE", NULL },
        { "V_ENV", value } };

    setenv("V_ENV", "from process", 1);
    struct stack *s = load(f, HEAD "vault: kv-a\n" TAIL, NULL, NULL);

    assert_string_equal(said(f), "");
    assert_true(stack_is_in_doubt(s, "IN_VAULT"));
    assert_false(stack_is_in_doubt(s, "V_ENV"));
    stack_tell_vault(s, answers, ARRAY_LEN(answers));
    assert_false(stack_is_in_doubt(s, "IN_VAULT"));
    assert_ptr_equal(stack_secret(s, "IN_VAULT"), value);
    assert_false(stack_is_in_doubt(s, "NOWHERE"));
    assert_null(stack_secret(s, "NOWHERE"));
    assert_true(stack_is_in_doubt(s, "NEVER_ASKED"));
    assert_int_equal(secret_len(stack_secret(s, "V_ENV")), strlen("from process"));
    assert_null(stack_env(s, "IN_VAULT")); /* plain variables don't come from there */
    unsetenv("V_ENV");
    s = load(f, HEAD TAIL, NULL, NULL);
    assert_false(stack_is_in_doubt(s, "IN_VAULT"));
}

static void test_catalogs(void **state)
{
    struct fixture *f = *state;
    const char *const given[] = { "more" };
    const struct stack_options o = { .file = f->file, .catalogs = given, .catalog_count = 1 };

    assert_null(file_write(f->file, STR(HEAD "catalog: [own, /]\n" TAIL), 0600));
    AUTO(free) char *own = file_join(f->dir, "own");

    assert_null(file_make_dir(own, 0700));
    assert_null(stack_load(f->arena, &o, &f->diags, &f->stack));
    assert_int_equal(f->stack->catalog_count, 3);
    assert_string_equal(f->stack->catalogs[0], own);
    assert_string_equal(f->stack->catalogs[1], "/");
    assert_string_equal(f->stack->catalogs[2], "more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_the_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_merges_an_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_types_vars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_says_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_null_must_remove_something, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sources, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sources_that_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_catalogs, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
