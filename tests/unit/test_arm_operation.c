/* operation.h: what answers mean, when to look next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/operation.h"

#define ORIGIN "https://arm.example"
#define OURS ORIGIN "/operations/1"

static struct str or_none(const char *text)
{
    return text == NULL ? (struct str){ 0 } : str_of(text);
}

static void first_answers(void **state)
{
    static const struct {
        const char *name, *method;
        long status;
        const char *async, *operation, *location, *state;
        enum arm_follow want;
    } rows[] = {
        { "put done", "PUT", 200, NULL, NULL, NULL, "Succeeded", ARM_FOLLOW_NOTHING },
        { "put done in spite of url", "PUT", 200, OURS, NULL, NULL, "Succeeded",
                ARM_FOLLOW_NOTHING },
        { "put failed", "PUT", 200, NULL, NULL, NULL, "Failed", ARM_FOLLOW_NOTHING },
        { "put without a state", "PUT", 200, NULL, NULL, NULL, NULL, ARM_FOLLOW_NOTHING },
        { "put 201 without a state", "PUT", 201, NULL, NULL, NULL, NULL, ARM_FOLLOW_RESOURCE },
        { "put running", "PUT", 201, NULL, NULL, NULL, "Creating", ARM_FOLLOW_RESOURCE },
        { "put with async", "PUT", 201, OURS, NULL, OURS, "Creating", ARM_FOLLOW_STATUS },
        { "put 202 says succeeded", "PUT", 202, OURS, NULL, NULL, "Succeeded", ARM_FOLLOW_STATUS },
        { "operation-location", "PATCH", 202, NULL, OURS, OURS, NULL, ARM_FOLLOW_STATUS },
        { "location", "PUT", 202, NULL, NULL, OURS, NULL, ARM_FOLLOW_LOCATION },
        { "classic redis", "PUT", 201, NULL, NULL, OURS, "Creating", ARM_FOLLOW_RESOURCE },
        { "foreign async", "PUT", 201, "https://evil.example/1", NULL, NULL, "Creating",
                ARM_FOLLOW_RESOURCE },
        { "foreign async, own location", "PUT", 202, "https://evil.example/1", NULL, OURS, NULL,
                ARM_FOLLOW_LOCATION },
        { "a path", "PUT", 202, "/operations/1", NULL, NULL, NULL, ARM_FOLLOW_STATUS },
        { "a path as location", "POST", 202, NULL, NULL, "/operations/1", NULL,
                ARM_FOLLOW_LOCATION },
        { "no path", "PUT", 202, "//evil.example/1", NULL, "/\\evil.example/1", NULL,
                ARM_FOLLOW_RESOURCE },
        { "patch done", "PATCH", 200, NULL, NULL, NULL, NULL, ARM_FOLLOW_NOTHING },
        { "delete done", "DELETE", 204, NULL, NULL, NULL, NULL, ARM_FOLLOW_NOTHING },
        { "delete 200", "DELETE", 200, NULL, NULL, NULL, NULL, ARM_FOLLOW_NOTHING },
        { "delete location", "DELETE", 202, NULL, NULL, OURS, NULL, ARM_FOLLOW_LOCATION },
        { "delete async", "DELETE", 202, OURS, NULL, OURS, NULL, ARM_FOLLOW_STATUS },
        { "delete without a url", "DELETE", 202, NULL, NULL, NULL, NULL, ARM_FOLLOW_RESOURCE },
        { "post done", "POST", 200, NULL, NULL, NULL, NULL, ARM_FOLLOW_NOTHING },
        { "post location", "POST", 202, NULL, NULL, OURS, NULL, ARM_FOLLOW_LOCATION },
        { "post without a url", "POST", 202, NULL, NULL, NULL, NULL, ARM_FOLLOW_NOTHING },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *body =
                json_pack("{s:{s:s*}}", "properties", "provisioningState", rows[i].state);
        struct arm_operation op = { 0 };
        const struct arm_reply r = { .status = rows[i].status,
            .async_operation = or_none(rows[i].async),
            .operation_location = or_none(rows[i].operation),
            .location = or_none(rows[i].location),
            .body = body };

        arm_operation_begin(rows[i].method, &r, ORIGIN, 5, &op);
        if (op.follow != rows[i].want)
            fail_msg("%s: %d", rows[i].name, (int)op.follow);
        if (op.follow == ARM_FOLLOW_STATUS || op.follow == ARM_FOLLOW_LOCATION)
            assert_string_equal(op.url, OURS);
        arm_operation_release(&op);
    }
}

static void polls(void **state)
{
    static const struct {
        const char *name, *method;
        enum arm_follow follow;
        long status;
        const char *body;
        enum arm_state want;
        enum arm_follow then;
    } rows[] = {
        { "running", "PUT", ARM_FOLLOW_STATUS, 200, "{\"status\":\"InProgress\"}", ARM_RUNNING,
                ARM_FOLLOW_STATUS },
        { "new word", "PUT", ARM_FOLLOW_STATUS, 200, "{\"status\":\"Pondering\"}", ARM_RUNNING,
                ARM_FOLLOW_STATUS },
        { "succeeded", "PUT", ARM_FOLLOW_STATUS, 200, "{\"Status\":\"succeeded\"}", ARM_SUCCEEDED,
                ARM_FOLLOW_STATUS },
        { "completed", "PUT", ARM_FOLLOW_STATUS, 200, "{\"status\":\"Completed\"}", ARM_SUCCEEDED,
                ARM_FOLLOW_STATUS },
        { "british", "PUT", ARM_FOLLOW_STATUS, 200, "{\"status\":\"Cancelled\"}", ARM_FAILED,
                ARM_FOLLOW_STATUS },
        { "failed", "PUT", ARM_FOLLOW_STATUS, 200, "{\"status\":\"Failed\"}", ARM_FAILED,
                ARM_FOLLOW_STATUS },
        { "no status", "PUT", ARM_FOLLOW_STATUS, 200, "{}", ARM_RUNNING, ARM_FOLLOW_RESOURCE },
        { "no status yet", "PUT", ARM_FOLLOW_STATUS, 202, "{}", ARM_RUNNING, ARM_FOLLOW_STATUS },
        { "no status of a post", "POST", ARM_FOLLOW_STATUS, 200, "{}", ARM_RUNNING,
                ARM_FOLLOW_STATUS },
        { "204", "DELETE", ARM_FOLLOW_STATUS, 204, NULL, ARM_SUCCEEDED, ARM_FOLLOW_STATUS },
        { "broken url", "PUT", ARM_FOLLOW_STATUS, 405, NULL, ARM_RUNNING, ARM_FOLLOW_RESOURCE },
        { "old url", "PUT", ARM_FOLLOW_LOCATION, 404, NULL, ARM_RUNNING, ARM_FOLLOW_RESOURCE },
        { "gone with it", "DELETE", ARM_FOLLOW_LOCATION, 404, NULL, ARM_SUCCEEDED,
                ARM_FOLLOW_LOCATION },
        { "location running", "PUT", ARM_FOLLOW_LOCATION, 202, NULL, ARM_RUNNING,
                ARM_FOLLOW_LOCATION },
        { "location done", "PUT", ARM_FOLLOW_LOCATION, 200, "{\"id\":\"x\"}", ARM_SUCCEEDED,
                ARM_FOLLOW_LOCATION },
        { "location 200 but creating", "PUT", ARM_FOLLOW_LOCATION, 200,
                "{\"properties\":{\"provisioningState\":\"Creating\"}}", ARM_RUNNING,
                ARM_FOLLOW_LOCATION },
        { "resource running", "PUT", ARM_FOLLOW_RESOURCE, 200,
                "{\"properties\":{\"provisioningState\":\"ResolvingDNS\"}}", ARM_RUNNING,
                ARM_FOLLOW_RESOURCE },
        { "resource without a state", "PUT", ARM_FOLLOW_RESOURCE, 200, "{}", ARM_SUCCEEDED,
                ARM_FOLLOW_RESOURCE },
        { "resource not known yet", "PUT", ARM_FOLLOW_RESOURCE, 404, NULL, ARM_RUNNING,
                ARM_FOLLOW_RESOURCE },
        { "resource failed", "PUT", ARM_FOLLOW_RESOURCE, 200,
                "{\"properties\":{\"provisioningState\":\"Failed\"}}", ARM_FAILED,
                ARM_FOLLOW_RESOURCE },
        { "deleting", "DELETE", ARM_FOLLOW_RESOURCE, 200,
                "{\"properties\":{\"provisioningState\":\"Deleting\"}}", ARM_RUNNING,
                ARM_FOLLOW_RESOURCE },
        { "still succeeded", "DELETE", ARM_FOLLOW_RESOURCE, 200,
                "{\"properties\":{\"provisioningState\":\"Succeeded\"}}", ARM_RUNNING,
                ARM_FOLLOW_RESOURCE },
        { "gone", "DELETE", ARM_FOLLOW_RESOURCE, 404, NULL, ARM_SUCCEEDED, ARM_FOLLOW_RESOURCE },
        { "post lost", "POST", ARM_FOLLOW_LOCATION, 404, NULL, ARM_FAILED, ARM_FOLLOW_LOCATION },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *body = rows[i].body == NULL ? NULL : json_loads(rows[i].body, 0, NULL);
        struct arm_operation op = {
            .method = rows[i].method, .follow = rows[i].follow, .url = xstrdup(OURS)
        };
        const char *word = NULL;
        const enum arm_state got = arm_operation_judge(
                &op, &(struct arm_reply){ .status = rows[i].status, .body = body }, ORIGIN, &word);

        if (got != rows[i].want || op.follow != rows[i].then)
            fail_msg("%s: %d %d", rows[i].name, (int)got, (int)op.follow);
        assert_non_null(word);
        arm_operation_release(&op);
    }
}

static void a_new_location_is_followed(void **state)
{
    struct arm_operation op = {
        .method = "PUT", .follow = ARM_FOLLOW_LOCATION, .url = xstrdup(OURS)
    };
    const char *word = NULL;

    (void)state;
    arm_operation_judge(&op,
            &(struct arm_reply){ .status = 202, .location = STR(ORIGIN "/operations/2") }, ORIGIN,
            &word);
    assert_string_equal(op.url, ORIGIN "/operations/2");
    arm_operation_judge(&op, &(struct arm_reply){ .status = 202, .location = STR("https://x/3") },
            ORIGIN, &word);
    assert_string_equal(op.url, ORIGIN "/operations/2");
    arm_operation_release(&op);
}

static void hosts(void **state)
{
    static const struct {
        const char *url, *origin;
        bool is_below;
    } rows[] = {
        { "https://arm.example/x", ORIGIN, true },
        { "https://ARM.example:443/x", ORIGIN, true },
        { "https://arm.example", "https://arm.example:443", true },
        { "https://arm.example?x=1", ORIGIN, true },
        { "https://arm.example:444/x", ORIGIN, false },
        { "http://arm.example/x", ORIGIN, false },
        { "https://arm.example.evil/x", ORIGIN, false },
        { "https://arm.example@evil/x", ORIGIN, false },
        { "https://arm.example\\@evil/x", ORIGIN, false }, /* curl goes to evil */
        { "//arm.example/x", ORIGIN, false },
        { "/x", ORIGIN, false },
        { "", ORIGIN, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (arm_url_is_below(str_of(rows[i].url), rows[i].origin) != rows[i].is_below)
            fail_msg("%s", rows[i].url);
    }
}

static void tokens(void **state)
{
    struct arm_operation op = {
        .method = "DELETE", .follow = ARM_FOLLOW_LOCATION, .url = xstrdup(OURS), .since_wall_ms = 77
    };
    json_auto_t *token = arm_operation_token(&op, "/x");
    struct arm_operation back = { 0 };

    (void)state;
    assert_null(arm_operation_resume(token, ORIGIN, &back));
    assert_string_equal(back.method, "DELETE");
    assert_int_equal(back.follow, ARM_FOLLOW_LOCATION);
    assert_string_equal(back.url, OURS);
    assert_int_equal(back.since_wall_ms, 77);
    arm_operation_release(&back);
    /* Another endpoint, a file that somebody changed: the resource is asked. */
    assert_null(arm_operation_resume(token, "https://other.example", &back));
    assert_int_equal(back.follow, ARM_FOLLOW_RESOURCE);
    assert_null(back.url);
    arm_operation_release(&back);
    arm_operation_release(&op);
    json_auto_t *wrong = json_pack("{s:s}", "method", "BREW");
    AUTO(err) struct err *e = arm_operation_resume(wrong, ORIGIN, &back);

    assert_non_null(e);
}

static void waits(void **state)
{
    static const struct {
        const char *name;
        int64_t elapsed, usual, after, min, max;
    } rows[] = {
        { "soon", 0, 60000, -1, 200, 200 },
        { "often for the quick", 4000, 6000, -1, 200, 1000 },
        { "seldom in between", 200000, 900000, -1, 30000, 30000 },
        { "to the usual end", 710000, 900000, -1, 10000, 10000 },
        { "near the end", 730000, 900000, -1, 1000, 1000 },
        { "past the end", 950000, 900000, -1, 1000, 1000 },
        { "long past", 4000000, 900000, -1, 10000, 10000 },
        { "floor", 0, 60000, 5000, 5000, 5000 },
        { "floor is exact near the end", 730000, 900000, 15000, 15000, 15000 },
        { "floor is less than ours", 200000, 900000, 15000, 30000, 30000 },
        { "unknown", 0, 0, -1, 200, 200 },
        { "unknown, later", 10000, 0, -1, 1000, 1000 },
        { "unknown with a floor", 0, 0, 2000, 2000, 2000 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const int64_t got = arm_poll_wait_ms(rows[i].elapsed, rows[i].usual, rows[i].after);

        if (got < rows[i].min || got > rows[i].max)
            fail_msg("%s: %lld", rows[i].name, (long long)got);
    }
}

/* Something that takes as long as usual is seen within a second, with few looks. */
static void whole_waits(void **state)
{
    static const struct {
        int64_t usual, takes, max_late;
        unsigned max_looks;
    } rows[] = { { 6000, 6000, 1000, 16 }, { 60000, 60000, 1000, 40 },
        { 900000, 900000, 1000, 230 }, { 900000, 90000, 30000, 30 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t at = 0;
        unsigned looks = 0;

        while (at < rows[i].takes) {
            at += arm_poll_wait_ms(at, rows[i].usual, -1);
            looks++;
        }
        if (at - rows[i].takes > rows[i].max_late || looks > rows[i].max_looks)
            fail_msg("row %zu: %lld ms late, %u looks", i, (long long)(at - rows[i].takes), looks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_answers),
        cmocka_unit_test(polls),
        cmocka_unit_test(a_new_location_is_followed),
        cmocka_unit_test(hosts),
        cmocka_unit_test(tokens),
        cmocka_unit_test(waits),
        cmocka_unit_test(whole_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
