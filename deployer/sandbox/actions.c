#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/answer.h"
#include "sandbox/backend.h"
#include "sandbox/checks.h"
#include "sandbox/faults.h"
#include "sandbox/offers.h"
#include "sandbox/resources.h"
#include "sandbox/template.h"
#include "sandbox/view.h"

/* A new value for one of the hidden ones: {"keyType": "Primary"} or {"keyName": "key1"}. */
static struct err *renew(struct call *c, struct resource *r, const json_t *rule)
{
    const char *by = jsonx_text(rule, "by");

    TRY(request_need_json(c->q));
    const char *which = json_string_value(jsonx_get_ci(c->q->json, by == NULL ? "" : by));
    const char *hidden =
            which == NULL ? NULL
                          : json_string_value(jsonx_get_ci(json_object_get(rule, "words"), which));

    if (hidden == NULL)
        return refuse(400, "InvalidParameterValue", "The value of '%s' is not valid.",
                by == NULL ? "" : by);
    json_auto_t *context = view_context(c->s, r);
    const json_t *template = json_object_get(json_object_get(r->kind->data, "hidden"), hidden);

    json_object_set_new(r->hidden, hidden, template_expand(template, context));
    store_touch(&c->s->store, r);
    resource_announce(c->s, r);
    return NULL;
}

static struct err *run_action(struct call *c, struct resource *r, const json_t *action)
{
    const json_t *renewed = json_object_get(action, "renew");
    const int status = (int)jsonx_int(action, "status", 200);

    if (renewed != NULL)
        TRY(renew(c, r, renewed));
    json_auto_t *context = view_context(c->s, r);
    const json_t *answer = json_object_get(action, "answer");
    json_auto_t *body = answer == NULL ? NULL : template_expand(answer, context);
    offers_adjust(c->s, "", body);
    const double minutes = json_number_value(json_object_get(action, "minutes"));
    const int64_t duration_ms = (int64_t)(minutes * 60000.0 * c->s->o.latency);

    if (duration_ms <= 0) {
        reply_json(c->r, status, json_incref(body));
        return NULL;
    }
    struct operation *op =
            operations_add(&c->s->ops, r->id, r->kind->ns->name, KIND_UPDATE, duration_ms);

    op->is_action = true;
    op->result = json_incref(body);
    reply_json(c->r, 202, NULL);
    answer_headers(c, op, KIND_BOTH);
    return NULL;
}

struct err *resource_action(struct call *c, const char *sub)
{
    TRY(checks_scope(c, "action"));
    struct resource *r = store_find(&c->s->store, c->rid->key);
    const json_t *action = jsonx_get_ci(json_object_get(c->kind->data, "actions"), sub);
    const char *method = jsonx_text(action, "method");
    json_t *body = NULL;
    int status = 0;

    if (r == NULL)
        return checks_not_found(c);
    if (action != NULL && request_is(c->q, method == NULL ? "POST" : method))
        return run_action(c, r, action);
    if (c->q->body.len > 0)
        TRY(request_need_json(c->q));
    if (!backend_handle(
                c->s->backend, r->id, c->kind->type, c->q->method, sub, c->q->json, &status, &body))
        return refuse(
                404, "InvalidResourceType", "'%s' is not known for type '%s'.", sub, c->kind->type);
    reply_json(c->r, status, body);
    return NULL;
}
