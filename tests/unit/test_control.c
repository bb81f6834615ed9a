#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "verify/control.h"

/* ---- a small cloud: kinds with facts, documents, answers ---- */

struct thing {
    const char *address;
    const char *id;
    const char *facts;    /* JSON */
    const char *document; /* JSON; NULL: not there */
    bool is_denied;
};

struct answer {
    const char *path;
    const char *document; /* NULL: refused */
};

struct world {
    const struct thing *things;
    size_t thing_count;
    const struct answer *answers;
    size_t answer_count;
    const char *not_running;
    unsigned asked;
    /* Parsed when looked at. */
    struct kind kinds[8];
    json_t *keep; /* array of what is borrowed */
};

static json_t *parse(const char *text)
{
    return jsonx_must(json_loads(text, JSON_DECODE_ANY, NULL));
}

static json_t *kept(struct world *w, const char *text)
{
    json_t *j = text == NULL ? NULL : parse(text);

    if (j != NULL)
        json_array_append_new(w->keep, j);
    return j;
}

static bool look(void *arg, const char *address, struct control_view *ret)
{
    struct world *w = arg;

    for (size_t i = 0; i < w->thing_count; i++) {
        const struct thing *t = &w->things[i];

        if (!text_eq(t->address, address))
            continue;
        w->kinds[i] = (struct kind){ .name = "x", .facts = kept(w, t->facts) };
        *ret = (struct control_view){ .kind = &w->kinds[i],
            .id = t->id,
            .document = kept(w, t->document),
            .is_denied = t->is_denied };
        return true;
    }
    return false;
}

static struct err *ask(void *arg, json_t *questions)
{
    struct world *w = arg;
    const char *key = NULL;
    json_t *q = NULL;

    json_object_foreach (questions, key, q) {
        w->asked++;
        json_object_set_new(q, "error", json_string("HTTP 404"));
        for (size_t i = 0; i < w->answer_count; i++) {
            if (text_eq(w->answers[i].path, jsonx_text(q, "path"))
                    && w->answers[i].document != NULL)
                json_object_set_new(q, "answer", parse(w->answers[i].document));
        }
    }
    return NULL;
}

static struct err *resolve(void *arg, const json_t *doc, json_t **ret)
{
    (void)arg;
    *ret = jsonx_copy(doc);
    return NULL;
}

static const char *not_running(void *arg, const char *service)
{
    (void)service;
    return ((struct world *)arg)->not_running;
}

/* The evidence of a check about all things of the world. Owned. */
static json_t *evidence_of(struct world *w, const char *target, const char *evidence,
        enum verify_status status, const char *from)
{
    const char *about[8];
    json_auto_t *from_id = from == NULL ? NULL : json_string(from);
    const struct check check = { .name = "s.c",
        .service = "s",
        .about = about,
        .about_count = w->thing_count,
        .from = from_id };
    struct verify_job job = { .check = &check,
        .status = status,
        .target = parse(target),
        .evidence = evidence == NULL ? NULL : parse(evidence) };
    struct verify_jobs jobs = { .items = &job, .count = 1 };
    const struct control_source source = {
        .arg = w, .look = look, .ask = ask, .resolve = resolve, .not_running = not_running
    };

    for (size_t i = 0; i < w->thing_count; i++)
        about[i] = w->things[i].address;
    w->keep = json_array();
    assert_null(verify_control(&jobs, &source));
    json_decref(w->keep);
    json_decref(job.target);
    return job.evidence;
}

static void assert_fact(const json_t *evidence, const char *fact, const char *want)
{
    const json_t *got = jsonx_at(evidence, fact);
    AUTO(free) char *text = got == NULL ? xstrdup("(none)") : jsonx_dump(got);

    if (!text_eq(text, want))
        fail_msg("%s is %s, not %s", fact, text, want);
}

/* ---- facts of one resource ---- */

static void test_facts(void **state)
{
    static const struct {
        const char *facts, *document, *fact, *want;
    } rows[] = {
        { "[{\"exists\": \"arm.x\"}]", "{}", "arm.x", "true" },
        { "[{\"exists\": \"arm.x\"}]", NULL, "arm.x", "false" },
        { "[{\"take\": {\"arm.x\": \"a.b\"}}]", "{\"a\": {\"b\": 5}}", "arm.x", "5" },
        { "[{\"take\": {\"arm.x\": \"a.b\"}}]", "{\"A\": {\"B\": \"t\"}}", "arm.x", "\"t\"" },
        { "[{\"take\": {\"arm.x\": \"a.c | a.b\"}}]", "{\"a\": {\"b\": 5}}", "arm.x", "5" },
        { "[{\"take\": {\"arm.x\": \"a.c\"}}]", "{\"a\": {\"c\": null}}", "arm.x", "(none)" },
        { "[{\"take\": {\"arm.x\": \"a[].b[].c\"}}]",
                "{\"a\": [{\"b\": [{\"c\": 1}, {\"c\": 2}]}, {\"b\": []}, {\"b\": [{\"c\": 3}]}]}",
                "arm.x", "[1,2,3]" },
        { "[{\"holds\": {\"arm.x\": {\"p\": [\"On\", \"Off\"]}}}]", "{\"p\": \"OFF\"}", "arm.x",
                "true" },
        { "[{\"holds\": {\"arm.x\": {\"p\": \"On\"}}}]", "{\"p\": \"Off\"}", "arm.x", "false" },
        { "[{\"holds\": {\"arm.x\": {\"p\": \"On\"}}}]", "{}", "arm.x", "(none)" },
        { "[{\"holds\": {\"arm.x\": {\"p\": \"On\"}}}]", NULL, "arm.x", "false" },
        { "[{\"same\": {\"arm.x\": [\"a\", \"b\"]}}]", "{\"a\": \"1\", \"b\": \"1\"}", "arm.x",
                "true" },
        { "[{\"same\": {\"arm.x\": [\"a\", \"b\"]}}]", "{\"a\": \"1\", \"b\": \"2\"}", "arm.x",
                "false" },
        { "[{\"same\": {\"arm.x\": [\"a\", \"b\"]}}]", "{\"a\": \"1\"}", "arm.x", "(none)" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct thing thing = { "s.r", "/r", rows[i].facts, rows[i].document, false };
        struct world w = { .things = &thing, .thing_count = 1 };
        json_auto_t *e = evidence_of(&w, "{}", "{}", VERIFY_PASS, NULL);

        assert_fact(e, rows[i].fact, rows[i].want);
    }
}

static void test_no_of_any_counts(void **state)
{
    const struct thing things[] = {
        { "s.a", "/a", "[{\"exists\": \"arm.x\", \"take\": {\"arm.y\": \"n\"}}]", "{\"n\": 1}",
                false },
        { "s.b", "/b", "[{\"exists\": \"arm.x\"}]", NULL, false },
        { "s.c", "/c", "[{\"exists\": \"arm.x\", \"take\": {\"arm.y\": \"n\"}}]", "{\"n\": 2}",
                false },
    };
    struct world w = { .things = things, .thing_count = 3 };
    json_auto_t *e = evidence_of(&w, "{}", NULL, VERIFY_PASS, NULL);

    (void)state;
    assert_fact(e, "arm.x", "false");
    assert_fact(e, "arm.y", "1");
}

static void test_questions(void **state)
{
    static const struct {
        enum verify_status status;
        const char *answer, *want;
        unsigned asked;
    } rows[] = {
        { VERIFY_FAIL, "{\"p\": \"Failed\"}", "\"Failed\"", 1 },
        { VERIFY_SKIP, "{\"p\": \"Failed\"}", "\"Failed\"", 1 },
        { VERIFY_PASS, "{\"p\": \"Failed\"}", "(none)", 0 },
        { VERIFY_FAIL, NULL, "(none)", 1 },
    };
    const struct thing thing = { "s.r", "/r",
        "[{\"get\": \"revisions/${self.latest}\", \"take\": {\"arm.state\": \"p\"}}]",
        "{\"latest\": \"r7\"}", false };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct answer answer = { "revisions/r7", rows[i].answer };
        struct world w = {
            .things = &thing, .thing_count = 1, .answers = &answer, .answer_count = 1
        };
        json_auto_t *e = evidence_of(&w, "{}", "{}", rows[i].status, NULL);

        assert_int_equal(w.asked, rows[i].asked);
        assert_fact(e, "arm.state", rows[i].want);
        if (rows[i].answer == NULL)
            assert_fact(e, "arm.not_told", "[\"GET s.r revisions/r7: HTTP 404\"]");
    }
}

/* The old revision serves and the check passes: what keeps the new one is asked all the same. */
static void test_a_denial_is_asked_about(void **state)
{
    static const struct {
        const char *document, *want;
        unsigned asked;
    } rows[] = {
        { "{\"latest\": \"r8\", \"ready\": \"r7\"}", "\"Failed\"", 1 },
        { "{\"latest\": \"r8\", \"ready\": \"r8\"}", "(none)", 0 },
        { "{\"latest\": \"r8\"}", "(none)", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct thing thing = { "s.r", "/r",
            "[{\"same\": {\"arm.is_ready\": [\"latest\", \"ready\"]}},"
            " {\"get\": \"revisions/${self.latest}\", \"take\": {\"arm.state\": \"p\"}}]",
            rows[i].document, false };
        const struct answer answer = { "revisions/r8", "{\"p\": \"Failed\"}" };
        struct world w = {
            .things = &thing, .thing_count = 1, .answers = &answer, .answer_count = 1
        };
        json_auto_t *e = evidence_of(&w, "{}", "{}", VERIFY_PASS, NULL);

        assert_int_equal(w.asked, rows[i].asked);
        if (e != NULL)
            assert_fact(e, "arm.state", rows[i].want);
    }
}

static void test_record_of_host(void **state)
{
    static const struct {
        const char *zone, *host, *names, *want;
    } rows[] = {
        { "privatelink.x.net", "cache.east.x.net",
                "[{\"name\": \"@\"}, {\"name\": \"cache.east\"}]", "true" },
        { "privatelink.x.net", "CACHE.x.net", "[{\"name\": \"cache\"}]", "true" },
        { "privatelink.x.net", "cache.x.net", "[{\"name\": \"other\"}, {\"name\": \"@\"}]",
                "false" },
        { "apps.io", "a.internal.apps.io", "[{\"name\": \"*\"}]", "true" },
        { "apps.io", "apps.io", "[{\"name\": \"@\"}]", "true" },
        { "apps.io", "otherapps.io", "[{\"name\": \"*\"}]", "false" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *document = xasprintf("{\"name\": \"%s\"}", rows[i].zone);
        AUTO(free) char *target = xasprintf("{\"host\": \"%s\"}", rows[i].host);
        const struct thing thing = { "s.zone", "/z",
            "[{\"get\": \"ALL\", \"names_host\": \"arm.has\"}]", document, false };
        const struct answer answer = { "ALL", rows[i].names };
        struct world w = {
            .things = &thing, .thing_count = 1, .answers = &answer, .answer_count = 1
        };
        json_auto_t *e = evidence_of(&w, target, NULL, VERIFY_SKIP, NULL);

        assert_fact(e, "arm.has", rows[i].want);
    }
}

static void test_what_may_not_be_read_is_unknown(void **state)
{
    const struct thing thing = { "s.r", "/r", "[{\"exists\": \"arm.x\"}]", NULL, true };
    struct world w = { .things = &thing, .thing_count = 1, .not_running = "not running" };
    json_auto_t *e = evidence_of(&w, "{}", NULL, VERIFY_SKIP, NULL);

    (void)state;
    assert_fact(e, "arm.x", "(none)");
    assert_fact(e, "arm.not_told", "[\"s.r: reading it is not allowed\"]");
    assert_fact(e, "arm.not_running", "true");
}

/* ---- the way through the rules ---- */

#define SUBNETS                                                                                    \
    "[{\"subnets\": {\"list\": \"subnets\", \"space\": \"space\", \"id\": \"id\", \"prefix\": "    \
    "[\"prefix\", \"prefixes[0]\"], \"rules\": \"nsg.id\"}}]"
#define NETWORK                                                                                    \
    "{\"space\": [\"10.20.0.0/16\"], \"subnets\": [{\"id\": \"/net/apps\", \"prefix\": "           \
    "\"10.20.0.0/20\"}, {\"id\": \"/net/pe\", \"prefixes\": [\"10.20.16.0/20\"], \"nsg\": "        \
    "{\"id\": "                                                                                    \
    "\"/NSG/pe\"}}]}"
#define RULE(name, priority, access, from, to, ports)                                              \
    "{\"name\": \"" name "\", \"properties\": {\"priority\": " priority ", \"direction\": "        \
    "\"Inbound\", \"access\": \"" access                                                           \
    "\", \"protocol\": \"Tcp\", \"sourceAddressPrefix\": \"" from                                  \
    "\", \"destinationAddressPrefix\": \"" to "\", \"destinationPortRanges\": [" ports "]}}"
#define DENY_ALL RULE("DenyAll", "65500", "Deny", "*", "*", "\"*\"")

static void test_way(void **state)
{
    static const struct {
        const char *rules, *evidence, *allowed, *denied_by;
    } rows[] = {
        { RULE("A", "100", "Allow", "VirtualNetwork", "*", "\"443\", \"5432\"") "," DENY_ALL,
                "{\"tcp\": {\"address\": \"10.20.16.5\", \"port\": 5432}}", "true", "(none)" },
        /* By priority, not in the order of the list; by what the control plane knows. */
        { DENY_ALL "," RULE("A", "100", "Allow", "10.20.0.0/20", "10.20.16.0/24", "\"5000-6000\""),
                "{\"arm\": {\"private_address\": \"10.20.16.5\"}}", "true", "(none)" },
        { RULE("A", "100", "Allow", "VirtualNetwork", "*", "\"443\"") "," DENY_ALL,
                "{\"tcp\": {\"address\": \"10.20.16.5\", \"port\": 5432}}", "false",
                "\"DenyAll\"" },
        { RULE("D", "90", "Deny", "10.0.0.0/8", "10.20.16.5", "\"5432\"") "," RULE(
                  "A", "100", "Allow", "*", "*", "\"*\""),
                "{\"tcp\": {\"address\": \"10.20.16.5\", \"port\": 5432}}", "false", "\"D\"" },
        /* A rule for some of the callers: not known for all. */
        { RULE("D", "90", "Deny", "10.20.0.4", "*", "\"5432\"") "," DENY_ALL,
                "{\"tcp\": {\"address\": \"10.20.16.5\", \"port\": 5432}}", "(none)", "(none)" },
        { RULE("L", "90", "Deny", "AzureLoadBalancer", "*", "\"*\"") "," RULE(
                  "A", "100", "Allow", "*", "*", "\"*\""),
                "{\"tcp\": {\"address\": \"10.20.16.5\", \"port\": 5432}}", "true", "(none)" },
        { "", "{\"tcp\": {\"address\": \"10.20.16.5\", \"port\": 5432}}", "(none)", "(none)" },
        /* Outside of the network: nothing is known. */
        { DENY_ALL, "{\"tcp\": {\"address\": \"52.1.2.3\", \"port\": 5432}}", "(none)", "(none)" },
        /* A public answer, while the control plane knows the private address. */
        { DENY_ALL,
                "{\"dns\": {\"addresses\": [\"52.1.2.3\"]}, \"arm\": {\"private_address\": "
                "\"10.20.16.5\"}}",
                "false", "\"DenyAll\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(free) char *nsg = xasprintf("{\"rules\": [%s]}", rows[i].rules);
        const struct thing things[] = {
            { "n.vnet", "/net", SUBNETS, NETWORK, false },
            { "n.nsg", "/nsg/PE", "[{\"rules\": [\"rules\", \"defaults\"]}]", nsg, false },
        };
        struct world w = { .things = things, .thing_count = 2 };
        json_auto_t *e =
                evidence_of(&w, "{\"port\": 5432}", rows[i].evidence, VERIFY_PASS, "/net/apps");

        assert_fact(e, "net.allowed", rows[i].allowed);
        assert_fact(e, "net.denied_by", rows[i].denied_by);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_no_of_any_counts),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_a_denial_is_asked_about),
        cmocka_unit_test(test_record_of_host),
        cmocka_unit_test(test_what_may_not_be_read_is_unknown),
        cmocka_unit_test(test_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
