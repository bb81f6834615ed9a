#include "sandbox/subscriptions.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "sandbox/access.h"
#include "sandbox/answer.h"
#include "sandbox/auth.h"
#include "sandbox/checks.h"
#include "sandbox/faults.h"
#include "sandbox/listing.h"
#include "sandbox/offers.h"
#include "sandbox/tags.h"
#include "sandbox/rid.h"
#include "sandbox/validate.h"

/* Of the subscription, for what is not one resource. */
static struct err *may(const struct call *c, const char *ns, const char *words, const char *verb)
{
    return access_check(c, arena_printf(c->q->arena, "%s/%s/%s", ns, words, verb),
            arena_printf(c->q->arena, "/subscriptions/%s", c->q->segments[1]));
}

static json_t *subscription_json(const struct sandbox *s)
{
    const char *id = auth_subscription(s->auth);

    return jsonx_must(json_pack("{s:o, s:s, s:s, s:s, s:s, s:[], s:s, s:{s:s, s:s, s:s}}", "id",
            jsonx_textf("/subscriptions/%s", id), "subscriptionId", id, "tenantId",
            auth_tenant(s->auth), "displayName", "sandbox", "state", "Enabled", "managedByTenants",
            "authorizationSource", "RoleBased", "subscriptionPolicies", "locationPlacementId",
            "Public_2014-09-01", "quotaId", "PayAsYouGo_2014-09-01", "spendingLimit", "Off"));
}

static void list_one(struct call *c, json_t *item)
{
    reply_json(c->r, 200,
            jsonx_must(json_pack(
                    "{s:[o], s:{s:s, s:i}}", "value", item, "count", "type", "Total", "value", 1)));
}

static void list_locations(struct call *c)
{
    json_t *list = jsonx_must(json_array());
    size_t i = 0;
    json_t *region = NULL;

    json_array_foreach (json_object_get(kinds_general(c->s->kinds), "regions"), i, region) {
        const char *name = jsonx_text(region, "name");

        json_array_append_new(list, jsonx_must(json_pack("{s:o, s:s, s:O, s:O, s:s}", "id",
                                            jsonx_textf("/subscriptions/%s/locations/%s",
                                                    auth_subscription(c->s->auth), name),
                                            "name", name, "displayName",
                                            json_object_get(region, "title"), "regionalDisplayName",
                                            json_object_get(region, "title"), "type", "Region")));
    }
    reply_json(c->r, 200, jsonx_must(json_pack("{s:o}", "value", list)));
}

static json_t *region_titles(const struct sandbox *s)
{
    json_t *list = jsonx_must(json_array());
    size_t i = 0;
    json_t *region = NULL;

    json_array_foreach (json_object_get(kinds_general(s->kinds), "regions"), i, region)
        json_array_append(list, json_object_get(region, "title"));
    return list;
}

static json_t *type_json(const struct sandbox *s, const struct kind *kind)
{
    size_t count = 0;
    const char *const *versions = kind_versions(kind, &count);
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(versions[i]));
    json_t *locations = region_titles(s);

    if (kind->fixed_location != NULL) {
        json_array_clear(locations);
        json_array_append_new(locations, json_string(kind->fixed_location));
    }
    return jsonx_must(json_pack("{s:s, s:o, s:o, s:s}", "resourceType", strchr(kind->type, '/') + 1,
            "locations", locations, "apiVersions", list, "capabilities",
            kind->has_tags ? "SupportsTags, SupportsLocation" : "None"));
}

static json_t *provider_json(const struct sandbox *s, const struct kind_namespace *ns)
{
    json_t *types = jsonx_must(json_array());
    const char *state = json_string_value(jsonx_get_ci(s->registrations, ns->name));

    for (size_t i = 0; i < kinds_count(s->kinds); i++) {
        if (kinds_at(s->kinds, i)->ns == ns)
            json_array_append_new(types, type_json(s, kinds_at(s->kinds, i)));
    }
    return jsonx_must(json_pack("{s:o, s:s, s:o, s:s, s:s}", "id",
            jsonx_textf("/subscriptions/%s/providers/%s", auth_subscription(s->auth), ns->name),
            "namespace", ns->name, "resourceTypes", types, "registrationState",
            state == NULL ? "Registered" : state, "registrationPolicy", "RegistrationRequired"));
}

static void list_providers(struct call *c)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < kinds_namespace_count(c->s->kinds); i++)
        json_array_append_new(list, provider_json(c->s, kinds_namespace_at(c->s->kinds, i)));
    reply_json(c->r, 200, jsonx_must(json_pack("{s:o}", "value", list)));
}

/* /subscriptions/S/providers/NS[/register|unregister] */
static struct err *handle_provider(struct call *c)
{
    const struct kind_namespace *ns = kinds_namespace(c->s->kinds, c->q->segments[3]);
    const bool is_post = request_is(c->q, "POST");

    if (ns == NULL)
        return refuse(404, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.",
                c->q->segments[3]);
    TRY(c->q->count == 5 ? may(c, ns->name, c->q->segments[4], "action")
                         : may(c, "Microsoft.Resources", "subscriptions/providers", "read"));
    if (c->q->count == 5 && is_post) {
        const bool is_register = request_segment_is(c->q, 4, "register");
        AUTO(free) char *key = xstrdup(rid_key(c->q->arena, ns->name));

        if (is_register)
            json_object_del(c->s->registrations, key);
        else
            json_object_set_new(c->s->registrations, key, json_string("NotRegistered"));
        c->s->store.is_dirty = true;
    }
    reply_json(c->r, 200, provider_json(c->s, ns));
    return NULL;
}

/* POST .../checkNameAvailability {"name", "type"} */
static struct err *check_name(struct call *c, const char *ns)
{
    TRY(may(c, ns, "checkNameAvailability", "read"));
    TRY(request_need_json(c->q));
    const char *name = jsonx_text(c->q->json, "name");
    const char *type = jsonx_text(c->q->json, "type");
    const struct kind *kind = type == NULL ? NULL : kinds_find(c->s->kinds, type);
    const char *reason = NULL;
    AUTO(err) struct err *e = NULL;

    if (name == NULL || type == NULL)
        return refuse(400, "InvalidParameter", "Required parameter 'name' or 'type' is missing.");
    if (kind != NULL) {
        e = validate_name(kind, name);
        reason = e == NULL ? NULL : "Invalid";
    }
    for (size_t i = 0; reason == NULL && kind != NULL && i < c->s->store.count; i++) {
        const struct resource *r = c->s->store.items[i];

        if (r->kind == kind && strcasecmp(r->name, name) == 0)
            reason = "AlreadyExists";
    }
    json_t *body = jsonx_must(json_pack("{s:b}", "nameAvailable", reason == NULL));

    if (reason != NULL) {
        json_object_set_new(body, "reason", json_string(reason));
        json_object_set_new(body, "message",
                e != NULL ? jsonx_textf("%s", err_text(e))
                          : jsonx_textf("The name '%s' is already taken.", name));
    }
    reply_json(c->r, 200, body);
    return NULL;
}

/* Most services tell of a deleted resource by an id of its own, some by the one it had. */
static json_t *deleted_id(const struct call *c, const json_t *one, const char *collection)
{
    const char *type = jsonx_text(one, "type");
    const struct kind *kind = kinds_find(c->s->kinds, type);
    const json_t *rule = kind == NULL ? NULL : json_object_get(kind->data, "soft_delete");

    if (jsonx_bool(rule, "keeps_id", false))
        return jsonx_copy(json_object_get(one, "id"));
    return jsonx_textf("/subscriptions/%s/providers/%s/locations/%s/%s/%s",
            auth_subscription(c->s->auth), kind == NULL ? "" : kind->ns->name,
            jsonx_text(one, "location"), collection, jsonx_text(one, "name"));
}

/* It stays listed, and its name taken, for as long as the setting says. */
static void begin_purge(struct call *c, json_t *one)
{
    const json_t *lag = faults_setting(c->s->faults, "purge_ms");
    const int64_t lag_ms = json_is_integer(lag) ? json_integer_value(lag) : 0;

    if (json_object_get(one, "purged_ms") == NULL)
        json_object_set_new(one, "purged_ms", json_integer((json_int_t)(clock_wall_ms() + lag_ms)));
    c->s->store.is_dirty = true;
    store_end_purges(&c->s->store, clock_wall_ms());
}

static struct err *handle_deleted(struct call *c, const char *ns, size_t at)
{
    const bool is_purge = c->q->count == at + 3 && request_segment_is(c->q, at + 2, "purge");
    const char *collection = c->q->segments[at];

    TRY(may(c, ns,
            is_purge ? arena_printf(c->q->arena, "locations/%s/purge", collection) : collection,
            is_purge ? "action" : "read"));
    json_t *list = jsonx_must(json_array());
    const char *wanted = c->q->count > at + 1 ? c->q->segments[at + 1] : NULL;
    size_t i = 0;
    json_t *one = NULL;
    bool is_found = false;

    json_array_foreach (c->s->store.deleted, i, one) {
        const char *type = jsonx_text(one, "type");

        if (strncasecmp(type, ns, strlen(ns)) != 0
                || (wanted != NULL && strcasecmp(jsonx_text(one, "name"), wanted) != 0))
            continue;
        is_found = true;
        json_array_append_new(list,
                jsonx_must(json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:O}}", "id",
                        deleted_id(c, one, c->q->segments[at]), "name", jsonx_text(one, "name"),
                        "type", type, "properties", "vaultId", jsonx_text(one, "id"), "location",
                        jsonx_text(one, "location"), "deletedResource",
                        json_object_get(one, "resource") == NULL ? json_null()
                                                                 : json_object_get(one, "id"))));
        if (is_purge) {
            begin_purge(c, one);
            break;
        }
    }
    if (wanted == NULL || (is_found && !is_purge)) {
        reply_json(c->r, 200,
                wanted == NULL ? jsonx_must(json_pack("{s:O}", "value", list))
                               : json_incref(json_array_get(list, 0)));
        json_decref(list);
        return NULL;
    }
    json_decref(list);
    if (is_found) {
        reply_json(c->r, 202, NULL);
        return NULL;
    }
    return refuse(
            404, "DeletedResourceNotFound", "The deleted resource '%s' was not found.", wanted);
}

/* /subscriptions/S/providers/NS/locations/L/... */
static struct err *handle_location(struct call *c, bool *ret_is_handled)
{
    const struct request *q = c->q;
    const char *word = q->count > 6 ? q->segments[6] : "";

    *ret_is_handled = true;
    if (q->count == 8 && strcasecmp(word, "operationStatuses") == 0)
        return answer_operation(c, q->segments[7], false);
    if (q->count == 8 && strcasecmp(word, "operationResults") == 0)
        return answer_operation(c, q->segments[7], true);
    if (strcasecmp(word, "checkNameAvailability") == 0)
        return check_name(c, q->segments[3]);
    if (strncasecmp(word, "deleted", 7) == 0)
        return handle_deleted(c, q->segments[3], 6);
    TRY(may(c, q->segments[3], arena_printf(q->arena, "locations/%s", word), "read"));
    return offers_answer(c, "location", 6);
}

/* .../providers/Microsoft.Authorization/permissions, at any scope. */
static struct err *handle_permissions(struct call *c)
{
    AUTO(buf) struct buf scope = BUF_INIT(REQUEST_URI_MAX);

    for (size_t i = 0; i + 3 < c->q->count; i++)
        buf_addf(&scope, "/%s", c->q->segments[i]);
    reply_json(c->r, 200,
            jsonx_must(json_pack("{s:o}", "value", access_permissions(c, buf_text(&scope)))));
    return NULL;
}

static struct err *check_subscription(const struct call *c)
{
    if (strcasecmp(c->q->segments[1], auth_subscription(c->s->auth)) == 0)
        return NULL;
    return refuse(404, "SubscriptionNotFound", "The subscription '%s' could not be found.",
            c->q->segments[1]);
}

static struct err *list_group_resources(struct call *c, bool *ret_is_handled)
{
    const char *key =
            rid_key(c->q->arena, arena_printf(c->q->arena, "/subscriptions/%s/resourceGroups/%s",
                                         c->q->segments[1], c->q->segments[3]));

    *ret_is_handled = true;
    if (store_find(&c->s->store, key) == NULL)
        return refuse(404, "ResourceGroupNotFound", "Resource group '%s' could not be found.",
                c->q->segments[3]);
    return listing_resources(c, key);
}

static struct err *handle_subscription(struct call *c, bool *ret_is_handled)
{
    const struct request *q = c->q;
    const char *word = q->count > 2 ? q->segments[2] : "";

    TRY(check_subscription(c));
    *ret_is_handled = true;
    if (q->count == 2) {
        reply_json(c->r, 200, subscription_json(c->s));
        return NULL;
    }
    if (q->count == 3 && strcasecmp(word, "locations") == 0) {
        list_locations(c);
        return NULL;
    }
    if (q->count == 3 && strcasecmp(word, "resources") == 0)
        return listing_resources(c, NULL);
    if (q->count == 3 && strcasecmp(word, "tagNames") == 0)
        return tags_names(c);
    if (q->count == 3 && strcasecmp(word, "providers") == 0) {
        list_providers(c);
        return NULL;
    }
    if (q->count == 3 && strcasecmp(word, "resourceGroups") == 0) {
        c->kind = kinds_find(c->s->kinds, "Microsoft.Resources/resourceGroups");
        return listing_groups(c);
    }
    if (q->count == 5 && strcasecmp(word, "resourceGroups") == 0
            && request_segment_is(q, 4, "resources"))
        return list_group_resources(c, ret_is_handled);
    if (strcasecmp(word, "providers") == 0) {
        const bool is_register =
                request_segment_is(q, 4, "register") || request_segment_is(q, 4, "unregister");

        if (q->count == 4 || (q->count == 5 && is_register))
            return handle_provider(c);
        if (q->count == 5 && request_segment_is(q, 4, "checkNameAvailability"))
            return check_name(c, q->segments[3]);
        if (q->count >= 5 && strncasecmp(q->segments[4], "deleted", 7) == 0)
            return handle_deleted(c, q->segments[3], 4);
        if (q->count == 5 && request_segment_is(q, 4, "skus")) {
            TRY(may(c, q->segments[3], "skus", "read"));
            return offers_answer(c, "subscription", 4);
        }
        if (q->count >= 7 && request_segment_is(q, 4, "locations"))
            return handle_location(c, ret_is_handled);
    }
    *ret_is_handled = false;
    return NULL;
}

struct err *subscriptions_handle(struct call *c, bool *ret_is_handled)
{
    const struct request *q = c->q;
    const size_t n = q->count;

    TRY(tags_handle(c, ret_is_handled));
    if (*ret_is_handled)
        return NULL;
    *ret_is_handled = true;
    if (n >= 3 && request_segment_is(q, n - 1, "permissions")
            && request_segment_is(q, n - 2, "Microsoft.Authorization"))
        return handle_permissions(c);
    if (n == 1 && request_segment_is(q, 0, "subscriptions")) {
        list_one(c, subscription_json(c->s));
        return NULL;
    }
    if (n == 1 && request_segment_is(q, 0, "tenants")) {
        list_one(c, jsonx_must(json_pack("{s:o, s:s, s:s, s:s}", "id",
                            jsonx_textf("/tenants/%s", auth_tenant(c->s->auth)), "tenantId",
                            auth_tenant(c->s->auth), "displayName", "sandbox", "tenantCategory",
                            "Home")));
        return NULL;
    }
    if (n >= 2 && request_segment_is(q, 0, "subscriptions"))
        return handle_subscription(c, ret_is_handled);
    *ret_is_handled = false;
    return NULL;
}
