#include "sandbox/vault_plane.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "sandbox/access.h"
#include "sandbox/auth.h"
#include "sandbox/resources.h"

#define SUFFIX "vault.localhost"
#define VAULT_TYPE "Microsoft.KeyVault/vaults"
#define SECRET_TYPE "Microsoft.KeyVault/vaults/secrets"
#define VALUE_MAX 25600u /* characters, the service's own limit */
#define NAME_MAX_LETTERS 127u

struct place {
    struct call *call;
    struct resource *vault;
    const char *name;        /* of the secret, or NULL: the collection */
    const char *rest;        /* behind it: a version, "versions", "recover"; or NULL */
    struct resource *secret; /* NULL: not there */
};

/* ---- whose request it is ---- */

char *vault_plane_suffix(const char *host)
{
    const char *port = strrchr(host, ':');

    return xasprintf("%s%s", SUFFIX, port == NULL || strchr(port, ']') != NULL ? "" : port);
}

/* The vault's name in the host, or an empty text. */
static struct str vault_name(const struct request *q)
{
    struct str host = str_of(q->host);
    const struct str all = str_cut(&host, ':');
    const struct str tail = STR("." SUFFIX);

    return str_ends_ci(all, tail) ? str_slice(all, 0, all.len - tail.len) : STR("");
}

bool vault_plane_is_for(const struct request *q)
{
    return vault_name(q).len > 0;
}

/* ---- answers ---- */

static void fail(struct call *c, int status, const char *code, const char *inner, const char *fmt,
        ...) PRINTF_LIKE(5, 6);

static void fail(
        struct call *c, int status, const char *code, const char *inner, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_t *error = jsonx_must(json_pack("{s:s, s:s}", "code", code, "message", text));

    if (inner != NULL)
        json_object_set_new(error, "innererror", jsonx_must(json_pack("{s:s}", "code", inner)));
    reply_json(c->r, status, jsonx_must(json_pack("{s:o}", "error", error)));
}

static void not_found(const struct place *p)
{
    fail(p->call, 404, "SecretNotFound", NULL,
            "A secret with (name/id) %s%s%s was not found in this key vault. If you recently "
            "deleted "
            "this secret you may be able to recover it using the correct recovery command.",
            p->name, p->rest == NULL ? "" : "/", p->rest == NULL ? "" : p->rest);
}

static const json_t *properties(const struct resource *r)
{
    return json_object_get(r->doc, "properties");
}

static char *current_version(const struct resource *r)
{
    const char *uri = jsonx_text(json_object_get(r->made, "properties"), "secretUriWithVersion");
    const char *slash = uri == NULL ? NULL : strrchr(uri, '/');

    return xstrdup(slash == NULL ? "0" : slash + 1);
}

static json_t *id_of(const struct place *p, const char *what, const char *name, const char *version)
{
    return jsonx_textf("https://%s/%s/%s%s%s", p->call->q->host, what, name,
            version == NULL ? "" : "/", version == NULL ? "" : version);
}

static bool is_enabled(const struct resource *r)
{
    return jsonx_bool(json_object_get(properties(r), "attributes"), "enabled", true);
}

static json_t *attributes(const struct resource *r)
{
    return jsonx_must(json_pack("{s:b, s:I, s:I, s:s, s:i}", "enabled", (int)is_enabled(r),
            "created", (json_int_t)(r->created_ms / 1000), "updated",
            (json_int_t)(r->changed_ms / 1000), "recoveryLevel", "Recoverable+Purgeable",
            "recoverableDays", 90));
}

/* A secret as lists show it, or with its value. */
static json_t *bundle(
        const struct place *p, const struct resource *r, const char *version, const char *value)
{
    json_t *j = jsonx_must(json_object());
    const json_t *type = json_object_get(properties(r), "contentType");

    if (value != NULL)
        json_object_set_new(j, "value", jsonx_textf("%s", value));
    json_object_set_new(j, "id", id_of(p, "secrets", r->name, version));
    json_object_set_new(j, "attributes", attributes(r));
    if (type != NULL)
        json_object_set(j, "contentType", (json_t *)(uintptr_t)type);
    if (r->tags != NULL)
        json_object_set(j, "tags", r->tags);
    return j;
}

static void send_list(struct call *c, json_t *values)
{
    reply_json(c->r, 200, jsonx_must(json_pack("{s:o, s:n}", "value", values, "nextLink")));
}

/* ---- reading ---- */

static const json_t *versions_of(const struct resource *r)
{
    return json_object_get(r->hidden, "versions");
}

/* The value of a version; NULL if there is none such. Borrowed. */
static const char *value_of(const struct resource *r, const char *version)
{
    AUTO(free) char *current = current_version(r);
    size_t i = 0;
    json_t *one = NULL;

    if (version == NULL || text_eq(version, current))
        return jsonx_text(properties(r), "value");
    json_array_foreach ((json_t *)(uintptr_t)versions_of(r), i, one) {
        if (text_eq(jsonx_text(one, "version"), version))
            return jsonx_text(one, "value");
    }
    return NULL;
}

static void get_secret(const struct place *p)
{
    const char *value = p->secret == NULL ? NULL : value_of(p->secret, p->rest);

    if (value == NULL) {
        not_found(p);
        return;
    }
    if (!is_enabled(p->secret)) {
        fail(p->call, 403, "Forbidden", "SecretDisabled",
                "Operation get is not allowed on a disabled secret.");
        return;
    }
    AUTO(free) char *current = current_version(p->secret);

    reply_json(p->call->r, 200, bundle(p, p->secret, p->rest == NULL ? current : p->rest, value));
}

static void list_secrets(const struct place *p)
{
    const struct store *s = &p->call->s->store;
    json_t *values = jsonx_must(json_array());
    size_t from = 0;
    size_t to = 0;

    store_below(s, p->vault->key, &from, &to);
    for (size_t i = from; i < to; i++) {
        if (text_eq(s->items[i]->kind->type, SECRET_TYPE))
            json_array_append_new(values, bundle(p, s->items[i], NULL, NULL));
    }
    send_list(p->call, values);
}

static void list_versions(const struct place *p)
{
    json_t *values = jsonx_must(json_array());
    size_t i = 0;
    json_t *one = NULL;

    if (p->secret != NULL) {
        AUTO(free) char *current = current_version(p->secret);
        bool has_current = false;

        json_array_foreach ((json_t *)(uintptr_t)versions_of(p->secret), i, one) {
            const char *version = jsonx_text(one, "version");

            has_current = has_current || text_eq(version, current);
            json_array_append_new(values, bundle(p, p->secret, version, NULL));
        }
        if (!has_current)
            json_array_append_new(values, bundle(p, p->secret, current, NULL));
    }
    send_list(p->call, values);
}

/* ---- writing ---- */

/* The deleted secret of that name; *ret_at is where it lies. */
static json_t *find_deleted(const struct place *p, size_t *ret_at)
{
    AUTO(free) char *id = xasprintf("%s/secrets/%s", p->vault->id, p->name);
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (p->call->s->store.deleted, i, one) {
        if (strcasecmp(jsonx_text(one, "id"), id) == 0) {
            *ret_at = i;
            return one;
        }
    }
    return NULL;
}

static bool is_name(const char *name)
{
    const size_t len =
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

    return name[len] == '\0' && len > 0 && len <= NAME_MAX_LETTERS;
}

static bool is_writable(const struct place *p, const char *value)
{
    size_t at = 0;

    if (value == NULL || strlen(value) > VALUE_MAX)
        fail(p->call, 400, "BadParameter", NULL, "The property \"value\" is %s.",
                value == NULL ? "required" : "too long");
    else if (find_deleted(p, &at) != NULL)
        fail(p->call, 409, "Conflict", "ObjectIsDeletedButRecoverable",
                "Secret %s is currently in a deleted but recoverable state, and its name cannot be "
                "reused; in this state, the secret can only be recovered or purged.",
                p->name);
    else
        return true;
    return false;
}

static void put_secret(struct place *p)
{
    struct sandbox *s = p->call->s;
    AUTO(free) char *id = xasprintf("%s/secrets/%s", p->vault->id, p->name);
    AUTO(err) struct err *e = request_need_json(p->call->q);
    const json_t *body = p->call->q->json;
    const char *value = e == NULL ? jsonx_text(body, "value") : NULL;
    const bool is_new = p->secret == NULL;

    if (!is_writable(p, value))
        return;
    struct resource *r =
            is_new ? store_add(&s->store, id, kinds_find(s->kinds, SECRET_TYPE)) : p->secret;
    json_t *own = jsonx_must(json_pack("{s:s, s:O*, s:O*}", "value", value, "attributes",
            json_object_get(body, "attributes"), "contentType",
            json_object_get(body, "contentType")));

    json_object_set_new(r->doc, "properties", own);
    store_touch(&s->store, r);
    resource_make(s, r, is_new);
    AUTO(free) char *version = current_version(r);

    if (versions_of(r) == NULL)
        json_object_set_new(r->hidden, "versions", jsonx_must(json_array()));
    json_array_append_new(json_object_get(r->hidden, "versions"),
            jsonx_must(json_pack("{s:s, s:s}", "version", version, "value", value)));
    resource_announce(s, r);
    reply_json(p->call->r, 200, bundle(p, r, version, value));
}

static json_t *deleted_bundle(const struct place *p, const char *name)
{
    const int64_t now_s = clock_wall_ms() / 1000;

    return jsonx_must(
            json_pack("{s:o, s:o, s:I, s:I}", "recoveryId", id_of(p, "deletedsecrets", name, NULL),
                    "id", id_of(p, "secrets", name, NULL), "deletedDate", (json_int_t)now_s,
                    "scheduledPurgeDate", (json_int_t)(now_s + 90LL * 86400)));
}

static void delete_secret(struct place *p)
{
    struct store *s = &p->call->s->store;

    if (p->secret == NULL) {
        not_found(p);
        return;
    }
    store_bury(s, p->secret);
    store_remove(s, p->secret);
    reply_json(p->call->r, 200, deleted_bundle(p, p->name));
}

static void handle_deleted(struct place *p)
{
    struct call *c = p->call;
    struct store *s = &c->s->store;
    size_t at = 0;
    json_t *one = find_deleted(p, &at);

    if (one == NULL) {
        not_found(p);
    } else if (request_is(c->q, "GET")) {
        reply_json(c->r, 200, deleted_bundle(p, p->name));
    } else if (request_is(c->q, "DELETE")) {
        json_array_remove(s->deleted, at);
        s->is_dirty = true;
        reply_json(c->r, 204, NULL);
    } else if (request_is(c->q, "POST") && text_eq(p->rest, "recover")) {
        const struct resource *r = store_restore(s, c->s->kinds, json_object_get(one, "resource"));

        json_array_remove(s->deleted, at);
        reply_json(c->r, 200, bundle(p, r, NULL, NULL));
    } else {
        fail(c, 405, "MethodNotAllowed", NULL, "HTTP %s is not allowed here.", c->q->method);
    }
}

/* ---- the way in ---- */

static struct resource *find_vault(struct call *c)
{
    const struct str name = vault_name(c->q);

    for (size_t i = 0; i < c->s->store.count; i++) {
        struct resource *r = c->s->store.items[i];

        if (text_eq(r->kind->type, VAULT_TYPE) && str_eq_ci(str_of(r->name), name))
            return r;
    }
    return NULL;
}

static bool is_known(struct call *c)
{
    AUTO(free) char *suffix = vault_plane_suffix(c->q->host);
    struct auth_caller caller = { 0 };
    AUTO(err) struct err *e = auth_check(c->s->auth, c->q, c->r, &caller);
    const char *port = strrchr(c->q->host, ':');

    c->client_id = caller.client_id;
    c->object_id = caller.object_id;
    if (e == NULL)
        return true;
    reply_header(c->r, "WWW-Authenticate",
            "Bearer authorization=\"https://localhost%s/%s\", resource=\"https://%s\"",
            port == NULL ? "" : port, auth_tenant(c->s->auth), suffix);
    fail(c, 401, "Unauthorized", NULL, "AKV10000: Request is missing a Bearer or PoP token.");
    return false;
}

/* Requests come from outside of every network here. */
static bool is_let_in(struct call *c, const struct resource *vault)
{
    const json_t *own = properties(vault);
    const char *action = jsonx_text(json_object_get(own, "networkAcls"), "defaultAction");

    if (text_eq(jsonx_text(own, "publicNetworkAccess"), "Disabled"))
        fail(c, 403, "Forbidden", "ForbiddenByConnection",
                "Public network access is disabled and request is not from a trusted service nor "
                "via "
                "an approved private link.");
    else if (text_eq(action, "Deny"))
        fail(c, 403, "Forbidden", "ForbiddenByFirewall",
                "Client address is not authorized and caller is not a trusted service.");
    else
        return true;
    return false;
}

static const char *data_action(const struct place *p, bool is_deleted)
{
    const struct request *q = p->call->q;

    if (request_is(q, "PUT"))
        return "setSecret/action";
    if (request_is(q, "DELETE"))
        return is_deleted ? "purge/action" : "delete";
    if (request_is(q, "POST"))
        return "recover/action";
    return !is_deleted && p->name != NULL && !text_eq(p->rest, "versions") ? "getSecret/action"
                                                                           : "readMetadata/action";
}

/* Roles decide where the vault says so; access policies are not looked at. */
static bool is_allowed(struct place *p, bool is_deleted)
{
    struct call *c = p->call;
    const char *action = data_action(p, is_deleted);
    AUTO(free) char *full = xasprintf("Microsoft.KeyVault/vaults/secrets/%s", action);
    AUTO(free)
    char *scope = xasprintf("%s%s%s", p->vault->id, p->name == NULL ? "" : "/secrets/",
            p->name == NULL ? "" : p->name);

    if (!jsonx_bool(properties(p->vault), "enableRbacAuthorization", false)
            || access_allows_data(c, full, scope))
        return true;
    fail(c, 403, "Forbidden", "ForbiddenByRbac",
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny "
            "assignments or role definitions were changed recently, please observe propagation "
            "time.\r\nCaller: appid=%s;oid=%s\r\nAction: '%s'\r\nResource: '%s'\r\nAssignment: "
            "(not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null",
            c->client_id, c->object_id, full, scope);
    return false;
}

static void handle_secrets(struct place *p)
{
    const struct request *q = p->call->q;

    if (p->name == NULL && request_is(q, "GET"))
        list_secrets(p);
    else if (p->name != NULL && request_is(q, "GET") && text_eq(p->rest, "versions"))
        list_versions(p);
    else if (p->name != NULL && request_is(q, "GET"))
        get_secret(p);
    else if (p->name != NULL && p->rest == NULL && request_is(q, "PUT"))
        put_secret(p);
    else if (p->name != NULL && p->rest == NULL && request_is(q, "DELETE"))
        delete_secret(p);
    else
        fail(p->call, 405, "MethodNotAllowed", NULL, "HTTP %s is not allowed here.", q->method);
}

static void dispatch(struct place *p)
{
    const struct request *q = p->call->q;
    const bool is_deleted = q->count > 0 && request_segment_is(q, 0, "deletedsecrets");

    p->name = q->count > 1 ? q->segments[1] : NULL;
    p->rest = q->count > 2 ? q->segments[2] : NULL;
    if (q->count == 0 || (!is_deleted && !request_segment_is(q, 0, "secrets")) || q->count > 3
            || (is_deleted && p->name == NULL)) {
        fail(p->call, 404, "NotFound", NULL, "There is no such resource here.");
        return;
    }
    if (p->name != NULL && !is_name(p->name)) {
        fail(p->call, 400, "BadParameter", NULL, "The request URI contains an invalid name: %s",
                p->name);
        return;
    }
    if (!is_allowed(p, is_deleted))
        return;
    AUTO(free) char *id = xasprintf("%s/secrets/%s", p->vault->key, p->name == NULL ? "" : p->name);

    for (char *at = id; *at != '\0'; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    p->secret = store_find(&p->call->s->store, id);
    if (is_deleted)
        handle_deleted(p);
    else
        handle_secrets(p);
}

void vault_plane_handle(struct call *c)
{
    struct place p = { .call = c, .vault = find_vault(c) };

    if (p.vault == NULL)
        fail(c, 404, "VaultNotFound", NULL, "There is no vault of that name.");
    else if (!is_known(c) || !is_let_in(c, p.vault))
        return;
    else if (request_query(c->q, "api-version") == NULL)
        fail(c, 400, "BadParameter", NULL, "api-version must be specified");
    else
        dispatch(&p);
}
