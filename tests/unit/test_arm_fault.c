/* fault.h: the shapes of errors, the rules of kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/fault.h"

static struct err *error_of(const char *body, const char *header)
{
    const struct str code = header == NULL ? (struct str){ 0 } : str_of(header);
    json_auto_t *fault = arm_fault_read(str_of(body), code);

    return arm_fault_err(fault, &(struct arm_fault_context){ .status = 409,
                                        .what = "PUT",
                                        .request_id = STR("r1"),
                                        .correlation_id = STR("c1"),
                                        .elapsed_ms = 3200 });
}

static void shapes(void **state)
{
    static const struct {
        const char *name, *body, *header, *code, *text;
    } rows[] = {
        { "usual", "{\"error\":{\"code\":\"A\",\"message\":\"m.\"}}", NULL, "A", "A: m" },
        { "header first", "{\"error\":{\"code\":\"A\",\"message\":\"m\"}}", "H", "H", "H: m" },
        { "no wrapper", "{\"code\":\"A\",\"message\":\"m\"}", NULL, "A", "A: m" },
        { "another case", "{\"Error\":{\"Code\":\"A\",\"Message\":\"m\"}}", NULL, "A", "A: m" },
        { "odata",
                "{\"odata.error\":{\"code\":\"A\",\"message\":{\"lang\":\"en\",\"value\":\"m\"}}}",
                NULL, "A", "A: m" },
        { "message alone", "{\"Message\":\"m\"}", NULL, "", "m" },
        { "oauth", "{\"error\":\"invalid\",\"error_description\":\"m\"}", NULL, "", "m" },
        { "properties", "{\"properties\":{\"error\":{\"code\":\"A\",\"message\":\"m\"}}}", NULL,
                "A", "A: m" },
        { "xml", "<?xml version=\"1.0\"?><Error><Code>A</Code><Message>m</Message></Error>", NULL,
                "A", "A: m" },
        { "proxy's page", "<html><head><title>502 Bad Gateway</title></head></html>", NULL, "",
                "502 Bad Gateway" },
        { "text", "  gone away\x01 ", NULL, "", "gone away\\x01" },
        { "empty", "", NULL, "", "no reason given" },
        { "half", "{\"error\":", NULL, "", "{\"error\":" },
        { "array", "[1]", NULL, "", "[1]" },
        { "bom", "\xef\xbb\xbf{\"error\":{\"code\":\"A\",\"message\":\"m\"}}", NULL, "A", "A: m" },
        { "details",
                "{\"error\":{\"code\":\"RetryableError\",\"message\":\"Again.\",\"details\":[{"
                "\"code\":\"Inner\",\"message\":\"not provisioned\"}]}}",
                NULL, "Inner", "Inner: not provisioned (in RetryableError: Again)" },
        { "many",
                "{\"error\":{\"code\":\"O\",\"details\":[{\"code\":\"A\"},{\"code\":\"B\"},{"
                "\"code\":\"C\"},{\"code\":\"D\"},{\"code\":\"E\"},{\"code\":\"F\"}]}}",
                NULL, "A", "A; B; C; D; E; 1 more (in O)" },
        { "json in the message",
                "{\"error\":{\"code\":\"DeploymentFailed\",\"message\":\"{\\\"error\\\":{\\\"code\\"
                "\":\\\"In\\\",\\\"message\\\":\\\"deep\\\"}}\"}}",
                NULL, "In", "In: deep (in DeploymentFailed)" },
        { "inner error", "{\"error\":{\"code\":\"A\",\"innererror\":{\"code\":\"B\"}}}", NULL, "B",
                "B (in A)" },
        { "number as code", "{\"code\":50001,\"message\":\"m\"}", NULL, "50001", "50001: m" },
        { "details as text", "{\"error\":{\"code\":\"A\",\"details\":\"m\"}}", NULL, "A", "A: m" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(err) struct err *e = error_of(rows[i].body, rows[i].header);
        AUTO(free)
        char *want = xasprintf(
                "PUT: HTTP 409 %s [after 3.2 s; correlation id c1; request id r1]", rows[i].text);

        if (!text_eq(err_text(e), want) || !text_eq(err_api_code(e), rows[i].code))
            fail_msg("%s: %s / %s", rows[i].name, err_text(e), err_api_code(e));
    }
}

/* No prefix of an answer crashes or is taken for success. */
static void every_prefix(void **state)
{
    static const char body[] = "{\"error\":{\"code\":\"A\",\"message\":\"m\",\"details\":[{\"code\""
                               ":\"B\",\"message\":\"{\\\"code\\\":\\\"C\\\"}\"}]}}";

    (void)state;
    for (size_t n = 0; n < sizeof(body); n++) {
        json_auto_t *fault = arm_fault_read((struct str){ body, n }, (struct str){ 0 });

        assert_true(json_is_object(fault));
    }
}

static void kinds_of_errors(void **state)
{
    static const struct {
        long status;
        enum err_kind kind;
    } rows[] = { { 400, ERR_API }, { 401, ERR_AUTH }, { 403, ERR_DENIED }, { 404, ERR_API },
        { 500, ERR_API } };
    json_auto_t *fault = json_pack("{s:s}", "code", "RequestDisallowedByPolicy");

    (void)state;
    json_object_set_new(fault, "policies", json_pack("[s]", "no public IPs"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(err)
        struct err *e = arm_fault_err(fault, &(struct arm_fault_context){ .status = rows[i].status,
                                                     .what = "PUT",
                                                     .request_id = STR(""),
                                                     .correlation_id = STR("") });

        assert_int_equal(err_kind(e), rows[i].kind);
        assert_int_equal(err_code(e), rows[i].status);
        assert_non_null(strstr(err_hint(e), "no public IPs"));
    }
}

static void rules(void **state)
{
    json_auto_t *conflicts = json_loads(
            "[{\"status\":409,\"code\":\"Busy\",\"wait_s\":10},{\"status\":429,\"code\":\"Inner\","
            "\"wait_s\":2.5},{\"status\":0,\"code\":\"Later\",\"wait_s\":1},"
            "{\"code\":\"Any\",\"wait_s\":1000}]",
            0, NULL);
    const struct kind k = { .conflicts = conflicts };
    static const struct {
        const char *name, *fault;
        long status;
        int rule; /* index, -1: none */
    } rows[] = {
        { "by status and code", "{\"code\":\"busy\"}", 409, 0 },
        { "another status", "{\"code\":\"Busy\"}", 400, -1 },
        { "inside", "{\"code\":\"X\",\"details\":[{\"code\":\"Inner\"}]}", 429, 1 },
        { "of an operation", "{\"code\":\"Later\"}", 0, 2 },
        { "of an operation, by code", "{\"code\":\"Busy\"}", 0, 0 },
        { "only of an operation", "{\"code\":\"Later\"}", 409, -1 },
        { "any status", "{\"code\":\"Any\"}", 503, 3 },
        { "no code", "{}", 409, -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_auto_t *fault = json_loads(rows[i].fault, 0, NULL);
        const json_t *want =
                rows[i].rule < 0 ? NULL : json_array_get(conflicts, (size_t)rows[i].rule);

        if (arm_fault_rule(&k, rows[i].status, fault) != want)
            fail_msg("%s", rows[i].name);
    }
    assert_null(arm_fault_rule(NULL, 409, conflicts));
    assert_int_equal(arm_fault_rule_wait_ms(json_array_get(conflicts, 0), 0), 10000);
    assert_int_equal(arm_fault_rule_wait_ms(json_array_get(conflicts, 0), 2), 22500);
    assert_int_equal(arm_fault_rule_wait_ms(json_array_get(conflicts, 1), 0), 2500);
    assert_int_equal(arm_fault_rule_wait_ms(json_array_get(conflicts, 0), 100), 180000);
}

static void unregistered(void **state)
{
    json_auto_t *fault = json_pack("{s:s}", "code", "missingsubscriptionregistration");
    json_auto_t *other = json_pack("{s:s}", "code", "Conflict");

    (void)state;
    assert_true(arm_fault_is_unregistered(409, fault));
    assert_false(arm_fault_is_unregistered(400, fault));
    assert_false(arm_fault_is_unregistered(409, other));
}

static void refusals(void **state)
{
    static const struct {
        const char *name, *body;
        const char *hints[4]; /* parts of the hint */
    } rows[] = {
        { "policy",
                "{\"error\":{\"code\":\"RequestDisallowedByPolicy\",\"message\":\"m\","
                "\"additionalInfo\":[{\"type\":\"PolicyViolation\",\"info\":{"
                "\"policyAssignmentDisplayName\":\"No public\",\"policyAssignmentId\":\"/a/1\","
                "\"policyDefinitionId\":\"/d/2\",\"evaluationDetails\":{\"evaluatedExpressions\":["
                "{\"path\":\"properties.access\",\"expressionValue\":\"On\",\"operator\":"
                "\"Equals\",\"targetValue\":\"On\"}]}}}]}}",
                { "'No public'", "assignment /a/1", "definition /d/2",
                        "properties.access is \"On\" (Equals \"On\")" } },
        { "policy in a detail",
                "{\"error\":{\"code\":\"InvalidTemplateDeployment\",\"message\":\"m\",\"details\":["
                "{\"code\":\"RequestDisallowedByPolicy\",\"message\":\"m\",\"additionalInfo\":"
                "[{\"info\":{\"policyDefinitionName\":\"P\"}},{\"info\":"
                "{\"policyAssignmentName\":\"Q\"}}]}]}}",
                { "'P'", "'Q'", "exemption" } },
        { "policy without info", "{\"code\":\"RequestDisallowedByPolicy\"}", { "exemption" } },
        { "lock",
                "{\"error\":{\"code\":\"ScopeLocked\",\"message\":\"The scope '/x/y' cannot "
                "perform "
                "delete because following scope(s) are locked: '/x', '/z'. Please remove\"}}",
                { "a lock on /x, /z protects", "az lock delete" } },
        { "lock without scopes", "{\"code\":\"ScopeLocked\",\"message\":\"it is locked\"}",
                { "az lock list" } },
        { "lock, cut", "{\"code\":\"ScopeLocked\",\"message\":\"are locked: '/x\"}",
                { "az lock list" } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(err) struct err *e = error_of(rows[i].body, NULL);

        for (size_t k = 0; k < ARRAY_LEN(rows[i].hints) && rows[i].hints[k] != NULL; k++) {
            if (strstr(err_hint(e), rows[i].hints[k]) == NULL)
                fail_msg("%s: no '%s' in: %s", rows[i].name, rows[i].hints[k], err_hint(e));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(kinds_of_errors),
        cmocka_unit_test(refusals),
        cmocka_unit_test(rules),
        cmocka_unit_test(unregistered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
