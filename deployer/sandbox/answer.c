#include "sandbox/answer.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/auth.h"
#include "sandbox/backend.h"
#include "sandbox/faults.h"
#include "sandbox/resources.h"
#include "sandbox/view.h"

int64_t answer_duration_ms(const struct sandbox *s, const struct kind *kind, enum kind_verb verb)
{
    return (int64_t)(kind->minutes[verb] * 60000.0 * s->o.latency);
}

static void set_state(struct resource *r, const char *word)
{
    free(r->state);
    r->state = xstrdup(word);
}

static enum kind_shape shape_of(const struct kind *kind, enum kind_verb verb, bool is_patch)
{
    if (verb == KIND_DELETE)
        return kind->delete_shape;
    return is_patch ? kind->patch_shape : kind->put_shape;
}

static bool is_pending(struct sandbox *s, const struct resource *r)
{
    const json_t *error = NULL;

    return backend_status(s->backend, r->id, &error) == BACKEND_PENDING;
}

struct operation *answer_start(struct call *c, struct resource *r, enum kind_verb verb)
{
    struct sandbox *s = c->s;
    const bool is_patch = request_is(c->q, "PATCH");
    const bool is_sync = shape_of(r->kind, verb, is_patch) == KIND_SYNC;
    const struct fault *fault = c->fault;
    int64_t duration_ms = is_sync ? 0 : answer_duration_ms(s, r->kind, verb);

    if (fault != NULL && fault->lro_ms >= 0 && !is_sync)
        duration_ms = fault->lro_ms;
    const bool will_fail = fault != NULL && fault->lro_error != NULL && !is_sync;

    if (is_sync || (duration_ms <= 0 && !will_fail && !is_pending(s, r)))
        return NULL;
    struct operation *op = operations_add(&s->ops, r->id, r->kind->ns->name, verb, duration_ms);

    if (will_fail)
        op->will_fail = json_incref(fault->lro_error);
    if (r->location != NULL) {
        free(op->location);
        op->location = view_region(r->location);
    }
    free(r->op_id);
    r->op_id = xstrdup(op->id);
    set_state(r, r->kind->state_words[verb]);
    s->store.is_dirty = true;
    return op;
}

static const char *operation_path(struct call *c, const struct operation *op, const char *word)
{
    const char *subscription =
            c->rid->subscription != NULL ? c->rid->subscription : auth_subscription(c->s->auth);

    return arena_printf(c->q->arena, "/subscriptions/%s/providers/%s/locations/%s/%s/%s",
            subscription, op->ns, op->location, word, op->id);
}

void answer_headers(struct call *c, const struct operation *op, enum kind_shape shape)
{
    if (shape == KIND_ASYNC || shape == KIND_BOTH)
        reply_header(c->r, "Azure-AsyncOperation", "https://%s%s?api-version=%s", c->q->host,
                operation_path(c, op, "operationStatuses"), c->api_version);
    if (shape == KIND_LOCATION || shape == KIND_BOTH)
        reply_header(c->r, "Location", "https://%s%s?api-version=%s", c->q->host,
                operation_path(c, op, "operationResults"), c->api_version);
    faults_retry_after(c->s->faults, c->r, operation_retry_after_s(op), operation_left_ms(op));
}

void answer_write(struct call *c, struct resource *r, enum kind_verb verb, struct operation *op,
        bool is_patch)
{
    const struct kind *kind = r->kind;
    int status = is_patch ? 200 : verb == KIND_CREATE ? kind->create_status : kind->update_status;

    if (op == NULL) {
        if (shape_of(kind, verb, is_patch) != KIND_SYNC && status == 202)
            status = verb == KIND_CREATE ? 201 : 200;
        reply_json(c->r, status, view_resource(c->s, r));
        return;
    }
    const int busy =
            (int)jsonx_int(json_object_get(kind->data, "codes"), "busy", is_patch ? 202 : status);

    reply_json(c->r, is_patch ? kind->patch_status : busy,
            kind->has_no_body_while_busy ? NULL : view_resource(c->s, r));
    answer_headers(c, op, shape_of(kind, verb, is_patch));
}

void answer_delete(struct call *c, const struct operation *op)
{
    if (op == NULL) {
        reply_json(c->r, 200, NULL);
        return;
    }
    reply_json(c->r, c->kind->delete_status, NULL);
    answer_headers(c, op, c->kind->delete_shape);
}

static struct err *answer_result(struct call *c, const struct operation *op)
{
    struct resource *r = store_find(&c->s->store, op->key);

    if (op->state == OPERATION_RUNNING) {
        reply_json(c->r, 202, NULL);
        reply_header(c->r, "Location", "https://%s%s?api-version=%s", c->q->host,
                operation_path(c, op, "operationResults"), c->api_version);
        faults_retry_after(c->s->faults, c->r, operation_retry_after_s(op), operation_left_ms(op));
        return NULL;
    }
    if (op->state != OPERATION_SUCCEEDED) {
        reply_json(c->r, 409, jsonx_must(json_pack("{s:O}", "error", op->error)));
        return NULL;
    }
    if (op->is_action)
        reply_json(c->r, op->result == NULL ? 204 : 200, json_incref(op->result));
    else if (op->verb == KIND_DELETE || r == NULL)
        reply_json(c->r, op->verb == KIND_DELETE ? 204 : 200, NULL);
    else
        reply_json(c->r, 200, view_resource(c->s, r));
    return NULL;
}

struct err *answer_operation(struct call *c, const char *id, bool is_result)
{
    const struct operation *op = operations_find(&c->s->ops, id);

    if (op == NULL)
        return refuse(404, "OperationNotFound", "The operation '%s' was not found.", id);
    if (is_result)
        return answer_result(c, op);
    reply_json(c->r, 200, operation_json(op, c->q->path));
    if (op->state == OPERATION_RUNNING)
        faults_retry_after(c->s->faults, c->r, operation_retry_after_s(op), operation_left_ms(op));
    return NULL;
}
