#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "report/plan_text.h"
#include "report/style.h"

static const struct kind thing = { .name = "thing", .title = "thing" };

static void check(struct plan_item *items, size_t count, const char *expected)
{
    struct plan plan = { .items = items, .count = count };
    AUTO(buf) struct buf out = BUF_INIT(1u << 20);
    const struct plan_text text = { .plan = &plan, .width = 40 };

    for (size_t i = 0; i < count; i++)
        plan.counts[items[i].action]++;
    plan_text_write(&text, &out);
    assert_string_equal(buf_text(&out), expected);
}

static void test_lists_by_service(void **state)
{
    struct plan_item items[] = {
        { .action = PLAN_CREATE, .address = "a.one", .kind = &thing, .id = "/x" },
        { .action = PLAN_CREATE, .address = "a.two[\"k\"]", .kind = &thing, .id = "/x" },
        { .action = PLAN_CREATE, .address = "a.a_rather_long_name", .kind = &thing, .id = "/x" },
        { .action = PLAN_DELETE, .address = "b.gone", .kind = &thing, .id = "/x" },
        { .action = PLAN_NONE, .address = "c.same", .kind = &thing, .id = "/x" },
    };

    (void)state;
    check(items, ARRAY_LEN(items),
            "a\n"
            "  + create   one, two[\"k\"],\n"
            "             a_rather_long_name\n"
            "\n"
            "b\n"
            "  - delete   gone\n"
            "\n"
            "Plan: 3 to create, 0 to change, 1 to delete, 1 unchanged\n");
}

static void test_shows_changes(void **state)
{
    json_auto_t *one = json_integer(1);
    json_auto_t *two = json_string("two\033[31m");
    json_auto_t *unknown = json_pack("{s:s}", "$unknown", "resource.x");
    json_auto_t *element = json_pack("{s:s, s:s}", "name", "A", "value", "b");
    struct change changes[] = {
        { .path = "p.v", .action = CHANGE_UPDATE, .old_value = one, .new_value = two },
        { .path = "p.s", .action = CHANGE_ADD, .is_secret = true, .reason = "has changed" },
        { .path = "p.u", .action = CHANGE_ADD, .new_value = unknown, .reason = "later" },
        { .path = "p.env[A]", .action = CHANGE_REMOVE, .old_value = element },
        { .path = "p.f",
                .action = CHANGE_UPDATE,
                .old_value = one,
                .new_value = one,
                .forces_replacement = true,
                .reason = "fixed" },
    };
    struct plan_item items[] = { { .action = PLAN_REPLACE,
            .address = "a.one",
            .kind = &thing,
            .id = "/x",
            .changes = { .items = changes, .count = ARRAY_LEN(changes) },
            .loses_data = true,
            .is_protected = true,
            .downtime = "a while" } };

    (void)state;
    check(items, 1,
            "a\n"
            "  ± replace  one  thing\n"
            "      ~ p.v: 1 -> \"two\\u001B[31m\"\n"
            "      ~ p.s: (secret) changes\n"
            "      + p.u: (known after apply)\n"
            "      - p.env[A]: \"b\"\n"
            "      ~ p.f: 1 -> 1  (forces replacement: fixed)\n"
            "      ! data loss: a.one goes for good; needs --allow-data-loss a.one\n"
            "      ! downtime: a while\n"
            "\n"
            "Plan: 0 to create, 0 to change, 0 to delete, 1 to replace, 0 unchanged\n");
}

static void test_shared(void **state)
{
    static const char *const with[] = { "b.zone", "c.zone" };
    const struct resource zone = { .shared_with = with, .shared_count = 2 };
    const struct plan_subject subject = { .resource = &zone };
    struct plan_item items[] = {
        { .action = PLAN_CREATE, .address = "a.box", .kind = &thing, .id = "/x" },
        { .action = PLAN_CREATE,
                .address = "a.zone",
                .kind = &thing,
                .id = "/x",
                .subject = &subject },
        { .action = PLAN_MOVE,
                .address = "d.zone",
                .kind = &thing,
                .id = "/x",
                .subject = &subject,
                .moved_from = "a.zone" },
    };

    (void)state;
    check(items, ARRAY_LEN(items),
            "a\n"
            "  + create   box, zone\n"
            "      zone shared with b.zone, c.zone\n"
            "\n"
            "d\n"
            "  > move     zone  thing\n"
            "      was a.zone\n"
            "      shared with b.zone, c.zone\n"
            "\n"
            "Plan: 2 to create, 0 to change, 0 to delete, 1 to move, 0 unchanged\n");
}

static void test_values(void **state)
{
    static const struct {
        const char *json;
        size_t max;
        const char *shown;
    } rows[] = {
        { "\"text\"", 20, "\"text\"" },
        { "{\"$secret\": 3}", 20, "(secret)" },
        { "{\"a\": {\"$secret\": 3}, \"b\": [{\"$unknown\": \"x\"}]}", 80,
                "{\"a\":\"(secret)\",\"b\":[\"(known after apply)\"]}" },
        { "\"0123456789\"", 8, "\"0123..." },
        { "\"ää\"", 6, "\"ää\"" },
        { "\"äää\"", 7, "\"ä..." },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf out = BUF_INIT(1000);
        json_auto_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);

        style_value(&out, value, rows[i].max);
        assert_string_equal(buf_text(&out), rows[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_by_service),
        cmocka_unit_test(test_shows_changes),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
