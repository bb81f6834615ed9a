#include "sandbox/offers.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "sandbox/answer.h"
#include "sandbox/auth.h"
#include "sandbox/faults.h"
#include "sandbox/rid.h"
#include "sandbox/store.h"
#include "sandbox/template.h"

static json_t *region_names(const struct sandbox *s)
{
    json_t *list = jsonx_must(json_array());
    size_t i = 0;
    json_t *region = NULL;

    json_array_foreach (json_object_get(kinds_general(s->kinds), "regions"), i, region)
        json_array_append(list, json_object_get(region, "name"));
    return list;
}

/* ---- what is in use ---- */

static int64_t count_of(const struct sandbox *s, const char *type, const char *location)
{
    int64_t count = 0;

    for (size_t i = 0; i < s->store.count; i++) {
        const struct resource *r = s->store.items[i];
        const bool is_here = r->location == NULL || strcasecmp(r->location, location) == 0;

        count += strcasecmp(r->kind->type, type) == 0 && is_here;
    }
    return count;
}

static const char *used_key(const json_t *usage)
{
    return json_object_get(usage, "usage") != NULL ? "usage" : "currentValue";
}

static void adjust_usage(const struct sandbox *s, const char *location, json_t *usage)
{
    const char *name = json_string_value(jsonx_at(usage, "name.value"));
    const char *type = jsonx_text(usage, "count");
    const json_t *own =
            name == NULL ? NULL : jsonx_get_ci(faults_setting(s->faults, "quotas"), name);
    const json_t *left = json_object_get(own, "left");
    int64_t used = jsonx_int(usage, used_key(usage), 0);

    if (type != NULL)
        used += count_of(s, type, location);
    used = jsonx_int(own, "used", used);
    json_object_del(usage, "count");
    json_object_set_new(usage, used_key(usage), json_integer(used));
    if (json_is_integer(left))
        json_object_set_new(usage, "limit", json_integer(used + json_integer_value(left)));
    if (json_is_integer(json_object_get(own, "limit")))
        json_object_set(usage, "limit", json_object_get(own, "limit"));
}

/* ---- what is offered ---- */

static bool is_among(const json_t *names, const char *name)
{
    size_t i = 0;
    const json_t *one = NULL;

    json_array_foreach (names, i, one) {
        if (json_is_string(one) && strcasecmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

/* SKUs tell a restriction in one of two forms. */
static void restrict_sku(json_t *sku, const char *reason)
{
    json_t *list = json_object_get(sku, "restrictions");

    if (json_is_array(list)) {
        json_array_append_new(
                list, jsonx_must(json_pack("{s:s, s:O, s:s}", "type", "Location", "values",
                              json_object_get(sku, "locations"), "reasonCode", reason)));
        return;
    }
    json_object_set_new(sku, "status", json_string("Disabled"));
    json_object_set_new(sku, "reason", jsonx_must(json_string(reason)));
}

/* Whether it stays in its list. */
static bool adjust_member(const struct sandbox *s, const char *location, json_t *member)
{
    const char *name = jsonx_text(member, "name");
    const json_t *restricted = faults_setting(s->faults, "restricted");

    if (json_object_get(member, "limit") != NULL && json_is_object(json_object_get(member, "name")))
        adjust_usage(s, location, member);
    if (name == NULL)
        return true;
    if (is_among(faults_setting(s->faults, "not_offered"), name))
        return false;
    const json_t *reason = jsonx_get_ci(restricted, name);

    if (json_is_string(reason))
        restrict_sku(member, json_string_value(reason));
    return true;
}

void offers_adjust(const struct sandbox *s, const char *location, json_t *answer)
{
    const char *key = NULL;
    json_t *value = NULL;

    for (size_t i = json_array_size(answer); i > 0; i--) {
        json_t *member = json_array_get(answer, i - 1);

        if (json_is_object(member) && !adjust_member(s, location, member))
            json_array_remove(answer, i - 1);
        else
            offers_adjust(s, location, member);
    }
    json_object_foreach (answer, key, value)
        offers_adjust(s, location, value);
}

/* ---- answering ---- */

static const char *key_of(const struct call *c, size_t at)
{
    AUTO(buf) struct buf key = BUF_INIT(REQUEST_URI_MAX);

    buf_add_text(&key, c->q->segments[3]);
    for (size_t i = at; i < c->q->count; i++)
        buf_addf(&key, "/%s", c->q->segments[i]);
    return rid_key(c->q->arena, buf_text(&key));
}

struct err *offers_answer(struct call *c, const char *which, size_t at)
{
    const char *ns = c->q->segments[3];
    const char *location = text_eq(which, "location") ? c->q->segments[5] : "";
    const char *reason =
            json_string_value(jsonx_get_ci(faults_setting(c->s->faults, "restricted"), ns));
    const char *key = key_of(c, at);
    const json_t *offers = kinds_offers(c->s->kinds);
    const json_t *answer = json_object_get(json_object_get(offers, which), key);
    const json_t *closed = json_object_get(json_object_get(offers, "closed"), key);

    if (answer == NULL)
        return refuse(404, "NotFound", "Nothing is known at '%s'.", c->q->path);
    json_auto_t *context = jsonx_must(json_pack("{s:s, s:s, s:o, s:O, s:s}", "location", location,
            "subscription", auth_subscription(c->s->auth), "regions", region_names(c->s), "parts",
            json_object_get(offers, "parts"), "reason", reason == NULL ? "" : reason));
    json_t *body = template_expand(reason != NULL && closed != NULL ? closed : answer, context);

    offers_adjust(c->s, location, body);
    reply_json(c->r, 200, body);
    return NULL;
}
