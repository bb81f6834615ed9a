#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/embedded.h"
#include "runbook/runbook.h"

#define BODY                                                                                       \
    "---\n## Symptom\ns\n\n## Cause\nthe cause\n\n## Fix\nthe fix\n\n## Prevent\np\n\n"            \
    "## Evidence\ne\n"

static struct {
    struct arena *arena;
    struct diag_list diags;
    struct runbooks set;
} t;

static int setup(void **state)
{
    (void)state;
    t.arena = arena_new();
    diag_init(&t.diags, t.arena);
    t.set = (struct runbooks){ .arena = t.arena };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    diag_release(&t.diags);
    arena_free(t.arena);
    return 0;
}

static void add(const char *id, const char *front)
{
    AUTO(free)
    char *text = xasprintf("---\nformat: 1\nid: %s\ntitle: title of %s\narea: x\nseverity: "
                           "error\nfix: \"fix ${service}\"\n%s" BODY,
            id, id, front);
    AUTO(free) char *file = xasprintf("runbooks/%s-x.md", id);

    runbook_add(&t.set, str_of(text), file, &t.diags);
}

static json_t *evidence(const char *text)
{
    json_t *j = NULL;
    struct err *e = jsonx_load(str_of(text), "evidence", &j);

    if (e != NULL)
        fail_msg("%s", err_text(e));
    return j;
}

static void expect_ids(const json_t *findings, const char *ids)
{
    AUTO(buf) struct buf got = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < json_array_size(findings); i++)
        buf_addf(&got, "%s%s", i == 0 ? "" : " ",
                jsonx_text(json_array_get(findings, i), "runbook"));
    assert_string_equal(buf_text(&got), ids);
}

static void specific_ones_come_first_and_consequences_go(void **state)
{
    (void)state;
    add("AAA-001", "cause: one\nwhen: [{fact: a, is: 1}]\n");
    add("AAA-002", "cause: two ${a} ${gone|'none'}\nwhen: [{fact: a, is: 1}, {fact: b, is: 2}]\n"
                   "explains: [AAA-003]\n");
    add("AAA-003", "cause: three\nrank: 5\nwhen: [{fact: b, is: 2}]\n");
    runbook_finish(&t.set, &t.diags);
    assert_int_equal(t.diags.count, 0);
    json_auto_t *e = evidence("{\"a\": 1, \"b\": 2, \"target\": {\"host\": \"h\", \"port\": 1}}");
    json_auto_t *findings = runbook_match(&t.set, e, "s.c", "s");

    expect_ids(findings, "AAA-002 AAA-001");
    const json_t *first = json_array_get(findings, 0);

    assert_string_equal(jsonx_text(first, "cause"), "two 1 none");
    assert_string_equal(jsonx_text(first, "fix"), "fix s");
    assert_string_equal(jsonx_text(first, "endpoint"), "h:1");
    json_auto_t *healthy = evidence("{\"a\": 0, \"b\": 0}");
    json_auto_t *none = runbook_match(&t.set, healthy, NULL, NULL);

    expect_ids(none, "");
    json_auto_t *unknown = evidence("{}");
    json_auto_t *silent = runbook_match(&t.set, unknown, NULL, NULL);

    expect_ids(silent, "");
}

static void one_cause_of_many_checks_is_one_finding(void **state)
{
    (void)state;
    add("DNS-001",
            "cause: no name\nwhen: [{fact: dns.a_status, is: nxdomain}]\nexplains: [NET-001]\n");
    add("NET-001", "cause: no way\nwhen: [{fact: tcp.status, is: timeout}]\n");
    runbook_finish(&t.set, &t.diags);
    json_auto_t *no_name = evidence(
            "{\"dns\": {\"a_status\": \"nxdomain\"}, \"target\": {\"host\": \"h\", \"port\": 1}}");
    json_auto_t *no_way = evidence(
            "{\"tcp\": {\"status\": \"timeout\"}, \"target\": {\"host\": \"h\", \"port\": 2}}");
    json_auto_t *checks = json_pack("[{s:o}, {s:o}, {s:o}]", "findings",
            runbook_match(&t.set, no_name, "s.one", "s"), "findings",
            runbook_match(&t.set, no_name, "s.two", "s"), "findings",
            runbook_match(&t.set, no_way, "s.three", "s"));
    json_auto_t *merged = runbook_merge(&t.set, checks);

    (void)state;
    expect_ids(merged, "DNS-001");
    assert_int_equal(json_array_size(json_object_get(json_array_get(merged, 0), "checks")), 2);
}

static void texts_find_runbooks_longest_match_first(void **state)
{
    const struct runbook *found[4];

    (void)state;
    add("AAA-001", "texts: [\"WRONGPASS\"]\n");
    add("AAA-002", "texts: [\"WRONGPASS invalid\", \"x+y\"]\n");
    runbook_finish(&t.set, &t.diags);
    assert_int_equal(
            runbook_explain(&t.set, STR("ReplyError: WRONGPASS invalid pair"), found, 4), 2);
    assert_string_equal(found[0]->id, "AAA-002");
    assert_string_equal(found[1]->id, "AAA-001");
    assert_int_equal(
            runbook_explain(&t.set, STR("ReplyError: WRONGPASS invalid pair"), found, 1), 1);
    assert_string_equal(found[0]->id, "AAA-002");
    assert_int_equal(runbook_explain(&t.set, STR("all is well"), found, 4), 0);
}

static void faults_of_a_file_have_places(void **state)
{
    static const struct {
        const char *front;
        const char *says;
    } rows[] = {
        { "when: [{fact: a, equals: 1}]\ncause: c\n", "'equals' is not an operator" },
        { "wen: []\n", "unknown key (did you mean when?)" },
        { "texts: [\"(\"]\n", "'('" },
        { "texts: [\"a*\"]\n", "matches everything" },
        { "certainty: sure\n", "'sure' is not certain or likely" },
        { "when: [{fact: a, is: 1}]\n", "needs the sentence" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const size_t before = t.diags.count;

        add("AAA-001", rows[i].front);
        bool is_said = false;

        for (size_t k = before; k < t.diags.count; k++)
            is_said = is_said || strstr(t.diags.items[k].text, rows[i].says) != NULL;
        if (!is_said)
            fail_msg("nothing says: %s", rows[i].says);
        assert_true(t.diags.items[before].place.line > 0);
    }
}

static void every_shipped_runbook_is_whole(void **state)
{
    (void)state;
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (str_starts(str_of(f->path), STR("runbooks/"))
                && str_find(str_of(f->path), STR("README")) < 0)
            runbook_add(&t.set, (struct str){ .p = f->text, .len = f->len }, f->path, &t.diags);
    }
    runbook_finish(&t.set, &t.diags);
    for (size_t i = 0; i < t.diags.count; i++)
        print_message("%s:%d: %s: %s\n", t.diags.items[i].place.file, t.diags.items[i].place.line,
                t.diags.items[i].path, t.diags.items[i].text);
    assert_int_equal(t.diags.errors, 0);
    assert_true(t.set.count > 0);
    for (size_t i = 0; i < t.set.count; i++) {
        assert_true(runbook_section(&t.set.items[i], "Symptom").len > 0);
        assert_ptr_equal(runbook_find(&t.set, t.set.items[i].id), &t.set.items[i]);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(specific_ones_come_first_and_consequences_go),
        TEST(one_cause_of_many_checks_is_one_finding),
        TEST(texts_find_runbooks_longest_match_first),
        TEST(faults_of_a_file_have_places),
        TEST(every_shipped_runbook_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
