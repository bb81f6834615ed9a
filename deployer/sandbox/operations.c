#include "sandbox/operations.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/str.h"

#define LEFT_MIN_MS 50

static void operation_free(struct operation *op)
{
    free(op->id);
    free(op->resource_id);
    free(op->key);
    free(op->ns);
    free(op->location);
    json_decref(op->error);
    json_decref(op->will_fail);
    json_decref(op->result);
    free(op);
}

void operations_release(struct operations *ops)
{
    for (size_t i = 0; i < ops->count; i++)
        operation_free(ops->items[i]);
    free(ops->items);
    *ops = (struct operations){ 0 };
}

static void forget_oldest(struct operations *ops)
{
    for (size_t i = 0; ops->count >= OPERATIONS_KEPT_MAX && i < ops->count; i++) {
        if (ops->items[i]->state == OPERATION_RUNNING)
            continue;
        operation_free(ops->items[i]);
        memmove(ops->items + i, ops->items + i + 1,
                (ops->count - i - 1) * sizeof(struct operation *));
        ops->count--;
        return;
    }
}

static struct operation *append(struct operations *ops, const char *id, const char *resource_id)
{
    struct operation *op = xcalloc(1, sizeof(*op));

    forget_oldest(ops);
    GROW(ops->items, ops->count, ops->capacity);
    ops->items[ops->count++] = op;
    op->id = xstrdup(id);
    op->resource_id = xstrdup(resource_id);
    op->key = xstrdup(resource_id);
    for (char *c = op->key; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return op;
}

struct operation *operations_add(struct operations *ops, const char *resource_id, const char *ns,
        enum kind_verb verb, int64_t duration_ms)
{
    char id[DIGEST_UUID_SIZE];

    digest_uuid4(id);
    struct operation *op = append(ops, id, resource_id);

    op->ns = xstrdup(ns);
    op->location = xstrdup("global");
    op->verb = verb;
    op->started_ms = clock_wall_ms();
    op->end_ms = op->started_ms + duration_ms;
    return op;
}

struct operation *operations_find(const struct operations *ops, const char *id)
{
    for (size_t i = ops->count; i > 0; i--) {
        if (text_eq(ops->items[i - 1]->id, id))
            return ops->items[i - 1];
    }
    return NULL;
}

const char *operation_state_name(enum operation_state state)
{
    static const char *const names[] = { "InProgress", "Succeeded", "Failed", "Canceled" };

    return names[state];
}

json_t *operation_json(const struct operation *op, const char *url_id)
{
    char started[CLOCK_RFC3339_SIZE];
    char ended[CLOCK_RFC3339_SIZE];

    clock_rfc3339(op->started_ms, started);
    json_t *j = jsonx_must(json_pack("{s:s, s:s, s:s, s:s}", "id", url_id, "name", op->id, "status",
            operation_state_name(op->state), "startTime", started));

    if (op->state != OPERATION_RUNNING) {
        clock_rfc3339(op->end_ms, ended);
        json_object_set_new(j, "endTime", jsonx_textf("%s", ended));
    }
    if (op->error != NULL)
        json_object_set(j, "error", op->error);
    if (op->state == OPERATION_SUCCEEDED && op->is_action && op->result != NULL)
        json_object_set(j, "properties", op->result);
    return j;
}

int operation_retry_after_s(const struct operation *op)
{
    const int64_t tenth_s = (op->end_ms - op->started_ms) / 10000;

    return tenth_s < 1 ? 1 : tenth_s > 15 ? 15 : (int)tenth_s;
}

int64_t operation_left_ms(const struct operation *op)
{
    const int64_t left_ms = op->end_ms - clock_wall_ms();

    return left_ms < LEFT_MIN_MS ? LEFT_MIN_MS : left_ms;
}

json_t *operations_json(const struct operations *ops)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < ops->count; i++) {
        const struct operation *op = ops->items[i];

        json_array_append_new(
                list, jsonx_must(json_pack(
                              "{s:s, s:s, s:s, s:s, s:i, s:b, s:i, s:I, s:I, s:O?, s:O?, s:O?}",
                              "id", op->id, "resource_id", op->resource_id, "ns", op->ns,
                              "location", op->location, "verb", (int)op->verb, "is_action",
                              (int)op->is_action, "state", (int)op->state, "started_ms",
                              (json_int_t)op->started_ms, "end_ms", (json_int_t)op->end_ms, "error",
                              op->error, "will_fail", op->will_fail, "result", op->result)));
    }
    return list;
}

static json_t *object_at(const json_t *j, const char *key)
{
    json_t *value = json_object_get(j, key);

    return json_is_object(value) ? json_incref(value) : NULL;
}

void operations_load(struct operations *ops, const json_t *list)
{
    size_t i = 0;
    json_t *j = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, j) {
        const char *id = jsonx_text(j, "id");
        const char *resource_id = jsonx_text(j, "resource_id");

        if (id == NULL || resource_id == NULL)
            continue;
        struct operation *op = append(ops, id, resource_id);
        const char *ns = jsonx_text(j, "ns");
        const char *location = jsonx_text(j, "location");
        const int64_t verb = jsonx_int(j, "verb", KIND_UPDATE);
        const int64_t state = jsonx_int(j, "state", OPERATION_SUCCEEDED);

        op->ns = xstrdup(ns == NULL ? "Microsoft.Resources" : ns);
        op->location = xstrdup(location == NULL ? "global" : location);
        op->verb = verb >= KIND_CREATE && verb <= KIND_DELETE ? (enum kind_verb)verb : KIND_UPDATE;
        op->state = state >= OPERATION_RUNNING && state <= OPERATION_CANCELED
                            ? (enum operation_state)state
                            : OPERATION_FAILED;
        op->is_action = jsonx_bool(j, "is_action", false);
        op->started_ms = jsonx_int(j, "started_ms", 0);
        op->end_ms = jsonx_int(j, "end_ms", 0);
        op->error = object_at(j, "error");
        op->will_fail = object_at(j, "will_fail");
        op->result = object_at(j, "result");
    }
}
