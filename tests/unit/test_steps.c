/* steps.h: which changes a plan refuses. JSON is written with ' for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "plan/steps.h"

static json_t *read_json(const char *text)
{
    AUTO(free) char *quoted = xstrdup(text);
    json_t *j = NULL;

    for (char *c = quoted; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    struct err *e = jsonx_load(str_of(quoted), text, &j);

    if (e != NULL)
        fail_msg("%s: %s", text, err_text(e));
    return j;
}

static void test_steps_of_a_property(void **unused)
{
    (void)unused;
    static const struct {
        const char *rule, *there, *wanted, *refused; /* path, or "" */
    } rows[] = {
        { "{'path':'a.n','only':'up'}", "{'a':{'n':32}}", "{'a':{'n':64}}", "" },
        { "{'path':'a.n','only':'up'}", "{'a':{'n':64}}", "{'a':{'n':32}}", "a.n" },
        { "{'path':'a.n','only':'down'}", "{'a':{'n':32}}", "{'a':{'n':64}}", "a.n" },
        { "{'path':'a.n','only':'up'}", "{'a':{'m':64}}", "{'a':{'m':32}}", "" },
        { "{'path':'a.n','only':'up'}", "{'a':{}}", "{'a':{'n':32}}", "" },
        { "{'path':'v','only':'up'}", "{'v':'16'}", "{'v':'17'}", "" },
        { "{'path':'v','only':'up'}", "{'v':'9'}", "{'v':'10'}", "" },
        { "{'path':'v','only':'up'}", "{'v':'10.2'}", "{'v':'9.9'}", "v" },
        { "{'path':'v','only':'up'}", "{'v':'3.9.1'}", "{'v':'3.9'}", "v" },
        { "{'path':'m','from':'On','to':'Off'}", "{'m':'on'}", "{'m':'Off'}", "m" },
        { "{'path':'m','from':'On','to':'Off'}", "{'m':'Off'}", "{'m':'On'}", "" },
        { "{'path':'m','from':['A*','B'],'to':'C'}", "{'m':'Axe'}", "{'m':'C'}", "m" },
        { "{'path':'m','from':['A*','B'],'to':'C'}", "{'m':'D'}", "{'m':'C'}", "" },
        { "{'path':'m','to':'C'}", "{'m':'D'}", "{'m':'C'}", "m" },
        { "{'path':'b','from':'true','to':'false'}", "{'b':true}", "{'b':false}", "b" },
        { "{'path':'p','covers':'s[].x.q'}", "{'p':['10.0.0.0/8','11.0.0.0/8']}",
                "{'p':['10.0.0.0/8'],'s':[{'x':{'q':'10.1.0.0/16'}}]}", "" },
        { "{'path':'p','covers':'s[].x.q'}", "{'p':['10.0.0.0/8','11.0.0.0/8']}",
                "{'p':['10.0.0.0/8'],'s':[{'x':{'q':'11.1.0.0/16'}}]}", "p" },
        { "{'path':'p','covers':'s[].x.q'}", "{'p':['fd00::/8'],'s':[]}",
                "{'p':['fd00:1::/32'],'s':[{'x':{'q':'fd00:1:2::/48'}}]}", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        json_auto_t *there = read_json(rows[i].there);
        json_auto_t *wanted = read_json(rows[i].wanted);
        json_auto_t *rules = jsonx_must(
                json_pack("[{s:s, s:o}]", "text", "no", "changes", read_json(rows[i].rule)));
        const struct kind kind = { .name = "thing", .rules = rules };
        const struct plan_subject subject = { .desired = wanted };
        struct plan_item item = { .action = PLAN_UPDATE,
            .address = "s.t",
            .kind = &kind,
            .subject = &subject,
            .actual = there };

        plan_diff(arena, &(struct diff_input){ .desired = wanted, .actual = there }, &item.changes,
                NULL);
        json_auto_t *found = steps_refused(&(struct plan){ .items = &item, .count = 1 });
        const char *path = jsonx_text(json_array_get(found, 0), "path");

        if (strcmp(path == NULL ? "" : path, rows[i].refused) != 0)
            fail_msg("%s: %s -> %s", rows[i].rule, rows[i].there, rows[i].wanted);
    }
}

static void test_a_refusal_says_it_all(void **unused)
{
    (void)unused;
    AUTO(arena) struct arena *arena = arena_new();
    json_auto_t *there = read_json("{'n':64}");
    json_auto_t *wanted = read_json("{'n':32}");
    json_auto_t *rules = read_json(
            "[{'changes':{'path':'n','only':'up'},'text':'only grows','fix':'leave it'}]");
    const struct kind kind = { .name = "thing", .rules = rules };
    struct plan_item item = { .action = PLAN_UPDATE, .address = "s.t", .kind = &kind };

    plan_diff(
            arena, &(struct diff_input){ .desired = wanted, .actual = there }, &item.changes, NULL);
    json_auto_t *found = steps_refused(&(struct plan){ .items = &item, .count = 1 });
    const json_t *f = json_array_get(found, 0);

    assert_string_equal(jsonx_text(f, "text"), "s.t: n 64 -> 32: only grows");
    assert_string_equal(jsonx_text(f, "hint"), "leave it");
    assert_string_equal(jsonx_text(f, "severity"), "error");
    /* What is made anew takes no step. */
    item.action = PLAN_REPLACE;
    json_auto_t *none = steps_refused(&(struct plan){ .items = &item, .count = 1 });

    assert_int_equal(json_array_size(none), 0);
}

static void test_steps_of_a_version(void **unused)
{
    (void)unused;
    static const struct {
        const char *from, *to;
        bool is_allowed;
    } rows[] = {
        { "3.1.0", "3.1.0", true },
        { "3.1.0", "3.2.0", true },
        { "3.9.0", "3.10.0", true },
        { "3.10.0", "3.9.0", false },
        { "3.1.0", "4.0.0", true },
        { "3", "4", true },
        { "2.9.0", "3.0.0", false },
        { "3.1.0", "5.0.0", false },
        { "4.0.0", "3.1.0", false },
        { "4.0.0", "4.0.1", true },
        { "latest", "3.1.0", true },
        { "3.1.0", "main", true },
    };
    json_auto_t *steps =
            read_json("[{'from':'3.*','to':'3.*','only':'up'},{'from':'3.*','to':'4.*'},"
                      "{'from':'4.*','to':'4.*','only':'up'}]");

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (steps_allow(steps, rows[i].from, rows[i].to) != rows[i].is_allowed)
            fail_msg("%s -> %s", rows[i].from, rows[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_of_a_property),
        cmocka_unit_test(test_a_refusal_says_it_all),
        cmocka_unit_test(test_steps_of_a_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
