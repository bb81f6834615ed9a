/* Arbitrary bytes as what ARM and its token endpoint answer: errors, operations, challenges, ids.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/discovery.h"
#include "cloud/arm/fault.h"
#include "cloud/arm/hold.h"
#include "cloud/arm/id.h"
#include "cloud/arm/operation.h"

#define ORIGIN "https://arm.example"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_fault(struct str text)
{
    json_auto_t *fault = arm_fault_read(text, (struct str){ 0 });
    struct err *e = arm_fault_err(fault, &(struct arm_fault_context){ .status = 409,
                                                 .what = "PUT",
                                                 .request_id = STR(""),
                                                 .correlation_id = STR("") });

    if (!json_is_object(fault) || err_text(e)[0] == '\0')
        abort();
    err_free(e);
}

static void try_operation(struct str text, const json_t *body)
{
    const struct arm_reply r = {
        .status = 202, .async_operation = text, .location = text, .body = body
    };
    struct arm_operation op = { 0 };
    const char *word = NULL;

    arm_operation_begin("PUT", &r, ORIGIN, 0, &op);
    /* A token is only ever sent to the endpoint. */
    if (op.url != NULL && !str_starts_ci(str_of(op.url), STR(ORIGIN)))
        abort();
    arm_operation_judge(&op, &r, ORIGIN, &word);
    if (word == NULL)
        abort();
    arm_operation_release(&op);
}

static void try_token(json_t *body)
{
    const struct auth_clock clock = { 0, 0 };
    struct auth_token token = { 0 };
    struct discovery d = { 0 };
    struct err *e = auth_answer_read(body, &clock, &token);

    if (e == NULL && (token.value == NULL || token.refresh_ms > token.expires_ms))
        abort();
    err_free(e);
    secret_unref(token.value);
    err_free(discovery_read(body, ORIGIN, &d));
    discovery_release(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xmemdup0(data, size);
    json_auto_t *body = NULL;
    AUTO(free) char *challenge = auth_answer_challenge((struct str){ text, size });
    AUTO(free) char *normal = arm_id_normal(text);
    AUTO(free) char *again = arm_id_normal(normal);
    AUTO(free) char *parent = arm_id_parent(text);

    if (!arm_id_same(text, text) || strlen(again) > strlen(normal))
        abort();
    if ((parent != NULL && strlen(parent) > size)
            || (challenge != NULL && strlen(challenge) > size))
        abort();
    if (arm_hold_remaining((struct str){ text, size }) < -1)
        abort();
    try_fault((struct str){ text, size });
    err_ignore(jsonx_load((struct str){ text, size }, "fuzz", &body), "most are none");
    try_operation((struct str){ text, size }, body);
    if (body != NULL)
        try_token(body);
    return 0;
}
