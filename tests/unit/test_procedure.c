#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "engine/procedure.h"

/*
 * A row is a procedure and what happens: each line of `talk` is "REQUEST -> ANSWER" where ANSWER is
 * JSON, 404, or ! for an error; "... N" lets N ms pass; the last line is done, failed TEXT or
 * tolerated TEXT.
 */
struct row {
    const char *name;
    const char *steps;
    const char *self;
    const char *talk;
};

static const struct row rows[] = {
    { "no steps", "[]", "{}", "done" },
    { "post then wait for its answer's name",
            "[{'post': 'start', 'save': 'run'}, {'get': 'executions/${run.name}', 'until': "
            "{'properties.status': ['Succeeded']}, 'fail': {'properties.status': ['Failed']}, "
            "'reason': '${it.properties.detail}'}]",
            "{}",
            "POST start -> {'name': 'e1'}\n"
            "GET executions/e1 -> {'properties': {'status': 'Running'}}\n"
            "... 100\n"
            "GET executions/e1 -> {'properties': {'status': 'succeeded'}}\n"
            "done" },
    { "a failure says why",
            "[{'get': 'executions/x', 'until': {'properties.status': 'Succeeded'}, 'fail': "
            "{'properties.status': ['Failed', 'Stopped']}, 'reason': '${it.properties.detail}'}]",
            "{}",
            "GET executions/x -> {'properties': {'status': 'Stopped', 'detail': 'exit 3'}}\n"
            "failed executions/x: status is Stopped: exit 3" },
    { "a failure is explained by a list",
            "[{'get': 'r/${self.r}', 'until': {'a': 1}, 'fail': {'a': 2}, 'explain': {'list': "
            "'r/${it.name}/replicas', 'text': '${item.name}: ${item.why}'}}]",
            "{'r': 'x'}",
            "GET r/x -> {'a': 2, 'name': 'x'}\n"
            "GET r/x/replicas -> {'value': [{'name': 'p', 'why': 'no image'}, {'name': 'q', 'why': "
            "'killed'}]}\n"
            "failed r/x: a is 2 (p: no image; q: killed)" },
    { "what was said is not said again",
            "[{'get': 'r', 'until': {'a': 1}, 'fail': {'a': 2}, 'reason': 'r: ${it.details} "
            "${it.error}', 'explain': {'list': 'l', 'text': '${item.why}'}}]",
            "{}",
            "GET r -> {'a': 2, 'details': 'no image there', 'error': 'no image there'}\n"
            "GET l -> {'value': [{'why': 'no image there'}, {'why': 'killed'}, {'why': 'killed'}, "
            "{}]}\n"
            "failed r: a is 2: r: no image there (killed)" },
    { "an explanation that fails is done without",
            "[{'get': 'r', 'until': {'a': 1}, 'fail': {'a': 2}, 'x-explain': {'list': 'l'}}]", "{}",
            "GET r -> {'a': 2}\n"
            "GET l -> !\n"
            "failed r: a is 2" },
    { "tolerated on this target",
            "[{'get': 'r', 'until': {'state': 'Running'}, 'fail': {'state': 'Failed'}, 'tolerate': "
            "{'when': {'reason': 'ImageNotMapped'}, 'target': 'sandbox', 'as': 'not running'}}, "
            "{'post': 'never'}]",
            "{}",
            "GET r -> {'state': 'Failed', 'reason': 'ImageNotMapped'}\n"
            "tolerated not running" },
    { "not tolerated on another",
            "[{'get': 'r', 'until': {'state': 'Running'}, 'fail': {'state': 'Failed'}, 'tolerate': "
            "{'when': {'reason': 'ImageNotMapped'}, 'target': 'azure', 'as': 'not running'}}]",
            "{}",
            "GET r -> {'state': 'Failed', 'reason': 'ImageNotMapped'}\n"
            "failed r: state is Failed" },
    { "a name that is not known yet is waited for",
            "[{'get': 'revisions/${self.properties.latest}', 'until': {'state': 'Running'}}]",
            "{'properties': {}}",
            "GET  -> {'properties': {}}\n"
            "... 100\n"
            "GET  -> {'properties': {'latest': 'r1'}}\n"
            "... 200\n"
            "GET revisions/r1 -> {'state': 'Running'}\n"
            "done" },
    { "each member of a list",
            "[{'list': 'revisions', 'where': {'properties.active': true}, 'do': [{'post': "
            "'revisions/${item.name}/deactivate'}, {'get': 'revisions/${item.name}', 'until': "
            "{'properties.replicas': 0}}]}, {'post': 'after'}]",
            "{}",
            "GET revisions -> {'value': [{'name': 'a', 'properties': {'active': true}}, {'name': "
            "'b', "
            "'properties': {'active': false}}, {'name': 'c', 'properties': {'active': true}}]}\n"
            "POST revisions/a/deactivate -> {}\n"
            "GET revisions/a -> {'properties': {'replicas': 1}}\n"
            "... 100\n"
            "GET revisions/a -> {'properties': {'replicas': 0}}\n"
            "POST revisions/c/deactivate -> {}\n"
            "GET revisions/c -> {'properties': {'replicas': 0}}\n"
            "POST after -> {}\n"
            "done" },
    { "an empty list is passed by", "[{'list': 'l', 'do': [{'post': 'x'}]}, {'post': 'y'}]", "{}",
            "GET l -> []\n"
            "POST y -> {}\n"
            "done" },
    { "not there yet, then there", "[{'get': 'r', 'until': {'a': 1}}]", "{}",
            "GET r -> 404\n"
            "... 100\n"
            "GET r -> {'a': 1}\n"
            "done" },
    { "waited for until it is gone", "[{'get': 'r', 'until': 'absent'}]", "{}",
            "GET r -> {'a': 1}\n"
            "... 100\n"
            "GET r -> 404\n"
            "done" },
    { "time out", "[{'get': 'r', 'until': {'a': 1}, 'timeout_min': 1}]", "{}",
            "GET r -> {'a': 2}\n"
            "... 60001\n"
            "GET r -> {'a': 2}\n"
            "failed r: not done after 1 minutes: a is 2" },
    { "a condition on self", "[{'post': 'x', 'when': {'mode': 'Single'}}, {'post': 'y'}]",
            "{'mode': 'Multiple'}",
            "POST y -> {}\n"
            "done" },
    { "an error ends it", "[{'post': 'x'}]", "{}",
            "POST x -> !\n"
            "failed refused" },
    { "an answer without what is needed", "[{'post': 'x', 'save': 'a'}, {'get': 'b/${a.name}'}]",
            "{}",
            "POST x -> {}\n"
            "failed b/${a.name}: the answer has no a.name" },
    { "a step that is none", "[{'wait': 3}]", "{}",
            "failed procedure: a step has none of post, get, list" },
};

static json_t *load(const char *text)
{
    AUTO(free) char *copy = xstrdup(text);
    json_t *j = NULL;

    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    struct err *e = jsonx_load(str_of(copy), "row", &j);

    if (e != NULL)
        fail_msg("%s: %s", err_text(e), text);
    return j;
}

static void answer(struct procedure *p, int64_t now, const char *text)
{
    if (text_eq(text, "!")) {
        procedure_answer(p, now, NULL, err_new(ERR_API, 400, "refused"));
    } else if (text_eq(text, "404")) {
        procedure_answer(p, now, NULL, NULL);
    } else {
        json_auto_t *document = load(text);

        procedure_answer(p, now, document, NULL);
    }
}

static void ends(const struct row *row, struct procedure *p, int64_t now, struct str line)
{
    struct procedure_request r = { 0 };
    const enum procedure_want want = procedure_next(p, now, &r);
    AUTO(free) char *got = NULL;

    if (want == PROCEDURE_FAILED) {
        AUTO(err) struct err *e = procedure_take_error(p);

        got = xasprintf("failed %s", err_text(e));
    } else if (want == PROCEDURE_DONE) {
        const char *word = procedure_tolerated(p);

        got = word == NULL ? xstrdup("done") : xasprintf("tolerated %s", word);
    } else {
        got = xasprintf("%s %s", want == PROCEDURE_ACT ? r.method : "wait", r.path);
    }
    AUTO(free) char *expected = str_dup(line);

    if (!text_eq(got, expected))
        fail_msg("%s: ends with '%s', not '%s'", row->name, got, expected);
}

static void run_row(const struct row *row)
{
    json_auto_t *steps = load(row->steps);
    json_auto_t *self = load(row->self);
    struct procedure *p = procedure_new(steps, self, "sandbox", 1000);
    int64_t now = 1000;
    struct str rest = str_of(row->talk);

    while (rest.p != NULL) {
        const struct str line = str_cut(&rest, '\n');
        const ptrdiff_t arrow = str_find(line, STR(" -> "));
        struct procedure_request r = { 0 };

        if (str_starts(line, STR("... "))) {
            AUTO(free) char *ms = str_dup(str_slice(line, 4, line.len));

            assert_int_equal(procedure_next(p, now, &r), PROCEDURE_WAIT);
            now += (int64_t)strtol(ms, NULL, 10);
            assert_true(r.at_ms <= now);
        } else if (arrow < 0) {
            ends(row, p, now, line);
        } else {
            AUTO(free) char *wanted = str_dup(str_slice(line, 0, (size_t)arrow));
            AUTO(free) char *reply = str_dup(str_slice(line, (size_t)arrow + 4, line.len));

            if (procedure_next(p, now, &r) != PROCEDURE_ACT)
                fail_msg("%s: asks nothing, not '%s'", row->name, wanted);
            AUTO(free) char *got = xasprintf("%s %s", r.method, r.path);

            assert_string_equal(got, wanted);
            answer(p, now, reply);
        }
    }
    procedure_free(p);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        run_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
