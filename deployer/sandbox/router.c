#include "sandbox/router.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "sandbox/access.h"
#include "sandbox/auth.h"
#include "sandbox/backend.h"
#include "sandbox/checks.h"
#include "sandbox/faults.h"
#include "sandbox/listing.h"
#include "sandbox/preflight.h"
#include "sandbox/resources.h"
#include "sandbox/rid.h"
#include "sandbox/subscriptions.h"
#include "sandbox/vault_plane.h"

#define PUBLIC_AUDIENCE "https://management.azure.com/"

static bool ends_with(const struct request *q, const char *last, const char *before)
{
    return q->count >= 2 && request_segment_is(q, q->count - 1, last)
           && (before == NULL || request_segment_is(q, q->count - 2, before));
}

/* The tenant named in the path, or "adfs". */
static bool is_authority(const struct call *c, const char *word)
{
    static const char *const words[] = { "adfs", "common", "organizations" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(word, words[i]) == 0)
            return true;
    }
    return strcasecmp(word, auth_tenant(c->s->auth)) == 0;
}

static void send_openid(struct call *c)
{
    const char *host = c->q->host;
    const char *tenant = auth_tenant(c->s->auth);
    const bool is_adfs = request_segment_is(c->q, 0, "adfs");
    json_t *j = jsonx_must(json_object());

    if (is_adfs) {
        json_object_set_new(j, "issuer", jsonx_textf("https://%s/adfs", host));
        json_object_set_new(
                j, "authorization_endpoint", jsonx_textf("https://%s/adfs/oauth2/authorize", host));
        json_object_set_new(j, "token_endpoint", jsonx_textf("https://%s/adfs/oauth2/token", host));
        json_object_set_new(j, "jwks_uri", jsonx_textf("https://%s/adfs/discovery/keys", host));
    } else {
        json_object_set_new(j, "issuer", jsonx_textf("https://%s/%s/v2.0", host, tenant));
        json_object_set_new(j, "authorization_endpoint",
                jsonx_textf("https://%s/%s/oauth2/v2.0/authorize", host, tenant));
        json_object_set_new(
                j, "token_endpoint", jsonx_textf("https://%s/%s/oauth2/v2.0/token", host, tenant));
        json_object_set_new(
                j, "jwks_uri", jsonx_textf("https://%s/%s/discovery/v2.0/keys", host, tenant));
    }
    json_object_set_new(j, "token_endpoint_auth_methods_supported",
            jsonx_must(json_pack("[s, s]", "client_secret_post", "private_key_jwt")));
    json_object_set_new(j, "response_types_supported", jsonx_must(json_pack("[s]", "token")));
    reply_json(c->r, 200, j);
}

static struct err *send_token(struct call *c)
{
    const char *first = c->q->segments[0];

    if (!request_is(c->q, "POST"))
        return refuse(405, "MethodNotAllowed", "Only POST is allowed here.");
    if (!is_authority(c, first)) {
        reply_json(c->r, 400,
                jsonx_must(json_pack("{s:s, s:o, s:[i]}", "error", "invalid_request",
                        "error_description",
                        jsonx_textf("AADSTS90002: Tenant '%s' not found.", first), "error_codes",
                        90002)));
        return NULL;
    }
    auth_token(c->s->auth, &c->s->store, c->q,
            arena_printf(c->q->arena, "https://%s/%s", c->q->host, first), c->r);
    return NULL;
}

static json_t *cloud_json(struct call *c)
{
    const char *host = c->q->host;
    AUTO(free) char *vault = vault_plane_suffix(host);

    return jsonx_must(json_pack(
            "{s:s, s:o, s:o, s:o, s:{s:o, s:[s, s], s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s}, s:o}",
            "name", "AzureSandbox", "resourceManager", jsonx_textf("https://%s/", host), "portal",
            jsonx_textf("https://%s/portal", host), "graph", jsonx_textf("https://%s/", host),
            "authentication", "loginEndpoint", jsonx_textf("https://%s/", host), "audiences",
            PUBLIC_AUDIENCE, "https://management.core.windows.net/", "tenant", "common",
            "identityProvider", "AAD", "suffixes", "storage", "core.windows.net", "keyVaultDns",
            vault, "sqlServerHostname", "database.windows.net", "acrLoginServer", "azurecr.io",
            "postgresqlServerEndpoint", "postgres.database.azure.com", "microsoftGraphResourceId",
            jsonx_textf("https://%s/", host)));
}

static void send_metadata(struct call *c)
{
    const char *version = request_query(c->q, "api-version");
    const char *host = c->q->host;

    if (version != NULL && strcmp(version, "2019-05-01") < 0)
        reply_json(c->r, 200,
                jsonx_must(json_pack("{s:o, s:o, s:o, s:{s:o, s:[s]}}", "galleryEndpoint",
                        jsonx_textf("https://%s/", host), "graphEndpoint",
                        jsonx_textf("https://%s/", host), "portalEndpoint",
                        jsonx_textf("https://%s/", host), "authentication", "loginEndpoint",
                        jsonx_textf("https://%s/adfs", host), "audiences", PUBLIC_AUDIENCE)));
    else if (version != NULL && strcmp(version, "2022-09-01") < 0)
        reply_json(c->r, 200, jsonx_must(json_pack("[o]", cloud_json(c))));
    else
        reply_json(c->r, 200, cloud_json(c));
}

/* What needs no token. */
static struct err *dispatch_open(struct call *c, bool *ret_is_handled)
{
    const struct request *q = c->q;

    *ret_is_handled = true;
    if (ends_with(q, "openid-configuration", ".well-known")) {
        if (!is_authority(c, q->segments[0]))
            return refuse(
                    400, "invalid_tenant", "AADSTS90002: Tenant '%s' not found.", q->segments[0]);
        send_openid(c);
        return NULL;
    }
    if (q->count >= 3 && request_segment_is(q, 1, "oauth2") && ends_with(q, "token", NULL))
        return send_token(c);
    if (ends_with(q, "endpoints", "metadata") && q->count == 2) {
        send_metadata(c);
        return NULL;
    }
    if (ends_with(q, "keys", NULL) && request_segment_is(q, 1, "discovery")) {
        reply_json(c->r, 200, jsonx_must(json_pack("{s:[]}", "keys")));
        return NULL;
    }
    *ret_is_handled = false;
    return NULL;
}

static struct err *check_version(struct call *c)
{
    c->api_version = request_query(c->q, "api-version");
    if (c->api_version == NULL || c->api_version[0] == '\0')
        return refuse(400, "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.");
    return NULL;
}

static struct err *check_kind_version(const struct call *c)
{
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);
    size_t count = 0;
    const char *const *versions = kind_versions(c->kind, &count);

    if (kind_has_version(c->kind, c->api_version))
        return NULL;
    for (size_t i = 0; i < count; i++)
        buf_addf(&list, "%s%s", i > 0 ? ", " : "", versions[i]);
    return refuse(400, "NoRegisteredProviderFound",
            "No registered resource provider found for API version '%s' for type '%s'. The "
            "supported api-versions are '%s'.",
            c->api_version, strchr(c->kind->type, '/') + 1, buf_text(&list));
}

static struct err *unknown_type(const struct call *c)
{
    const char *ns = c->rid->ns == NULL ? "Microsoft.Resources" : c->rid->ns;
    const char *type = c->rid->type == NULL ? NULL : strchr(c->rid->type, '/');

    if (kinds_namespace(c->s->kinds, ns) == NULL)
        return refuse(
                404, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", ns);
    return refuse(404, "InvalidResourceType",
            "The resource type '%s' could not be found in the namespace '%s' for api version '%s'.",
            type == NULL ? "" : type + 1, ns, c->api_version);
}

static struct err *dispatch_resource(struct call *c)
{
    const struct request *q = c->q;

    if (request_is(q, "PUT") || request_is(q, "PATCH")) {
        TRY(request_need_json(c->q));
        TRY(access_check_linked(c, c->q->json));
        return request_is(q, "PUT") ? resource_put(c) : resource_patch(c);
    }
    if (request_is(q, "GET") || request_is(q, "HEAD"))
        return resource_get(c);
    if (request_is(q, "DELETE"))
        return resource_delete(c);
    return refuse(405, "MethodNotAllowed", "The method %s is not allowed here.", q->method);
}

/*
 * The longest front part that is a resource of a known type with something left behind it: an
 * action ("listKeys") or what only the data plane knows ("revisions/x/restart").
 */
static bool find_owner(struct call *c, const char **ret_sub)
{
    AUTO(buf) struct buf sub = BUF_INIT(REQUEST_URI_MAX);
    struct rid *rid = arena_alloc(c->q->arena, sizeof(*rid));

    for (size_t n = c->q->count - 1; n >= 4; n--) {
        if (!rid_parse(c->q->arena, c->q->segments, n, rid) || rid->is_collection)
            continue;
        const struct kind *kind = kinds_find(c->s->kinds, rid->type);

        if (kind == NULL || request_segment_is(c->q, n, "providers"))
            continue;
        for (size_t i = n; i < c->q->count; i++)
            buf_addf(&sub, "%s%s", i > n ? "/" : "", c->q->segments[i]);
        c->rid = rid;
        c->kind = kind;
        *ret_sub = arena_text(c->q->arena, buf_text(&sub));
        return true;
    }
    return false;
}

/* A collection that is the union of several types ("ALL" of a zone). */
static const json_t *union_of(const struct call *c)
{
    const char *last = c->q->segments[c->q->count - 1];
    struct rid rid = { 0 };

    if (!rid_parse(c->q->arena, c->q->segments, c->q->count - 1, &rid) || rid.is_collection)
        return NULL;
    const struct kind *kind = kinds_find(c->s->kinds, rid.type);

    return kind == NULL ? NULL : jsonx_get_ci(json_object_get(kind->data, "unions"), last);
}

static struct err *dispatch_arm(struct call *c)
{
    if (c->q->count == 0)
        return unknown_type(c);
    const bool is_id = rid_parse(c->q->arena, c->q->segments, c->q->count, c->rid);
    const char *sub = NULL;

    c->kind = is_id ? kinds_find(c->s->kinds, c->rid->type) : NULL;
    if (c->kind != NULL && !(c->rid->is_collection && request_is(c->q, "POST"))) {
        TRY(access_check_resource(c, NULL));
        TRY(check_kind_version(c));
        if (access_handle_role(c))
            return NULL;
        if (!c->rid->is_collection)
            return dispatch_resource(c);
        return request_is(c->q, "GET")
                       ? listing_type(c)
                       : refuse(405, "MethodNotAllowed", "Only GET is allowed on a collection.");
    }
    const json_t *types = union_of(c);

    if (types != NULL && request_is(c->q, "GET")) {
        TRY(access_check(c,
                arena_printf(c->q->arena, "%s/read", json_string_value(json_array_get(types, 0))),
                c->rid->parent_key));
        return listing_types(c, types);
    }
    if (!find_owner(c, &sub))
        return unknown_type(c);
    TRY(access_check_resource(c, sub));
    TRY(check_kind_version(c));
    return resource_action(c, sub);
}

struct err *router_dispatch(struct call *c)
{
    bool is_handled = false;

    store_end_purges(&c->s->store, clock_wall_ms());
    if (vault_plane_is_for(c->q)) {
        vault_plane_handle(c);
        return NULL;
    }
    TRY(dispatch_open(c, &is_handled));
    if (is_handled)
        return NULL;
    struct auth_caller caller = { 0 };

    TRY(auth_check(c->s->auth, c->q, c->r, &caller));
    c->client_id = caller.client_id;
    c->object_id = caller.object_id;
    TRY(check_version(c));
    if (c->q->count == 3 && request_segment_is(c->q, 2, "validateResources"))
        return preflight_validate(c);
    TRY(faults_throttle(c->s->faults, c->q, c->r));
    TRY(subscriptions_handle(c, &is_handled));
    return is_handled ? NULL : dispatch_arm(c);
}
