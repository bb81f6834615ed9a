/*
 * hooks_other.c - role assignments, monitoring, vaults, registries.
 */
#include <strings.h>

#include "base/clock.h"
#include "base/jsonx.h"
#include "sandbox/faults.h"
#include "sandbox/hooks.h"

#define DIAGNOSTICS_MAX 5

static bool same_at(const json_t *a, const json_t *b, const char *path)
{
    const char *x = json_string_value(jsonx_at(a, path));
    const char *y = json_string_value(jsonx_at(b, path));

    return x != NULL && y != NULL && strcasecmp(x, y) == 0;
}

static bool same_scope(const char *key, const char *other)
{
    const char *a = strrchr(key, '/');
    const char *b = strrchr(other, '/');

    return a - key == b - other && strncmp(key, other, (size_t)(a - key)) == 0;
}

/* A principal that was made a moment ago may not be known yet, unless its type is told. */
static struct err *check_principal(const struct call *c, const json_t *body, const json_t *doc)
{
    const json_t *lag = faults_setting(c->s->faults, "principal_lag_ms");
    const char *principal = json_string_value(jsonx_at(doc, "properties.principalId"));

    if (!json_is_integer(lag) || jsonx_at_ci(body, "properties.principalType") != NULL)
        return NULL;
    for (size_t i = 0; i < c->s->store.count; i++) {
        const struct resource *r = c->s->store.items[i];
        const char *its = json_string_value(jsonx_at(r->made, "properties.principalId"));

        if (text_eq(its, principal) && clock_wall_ms() < r->created_ms + json_integer_value(lag))
            return refuse(400, "PrincipalNotFound",
                    "Principal %s does not exist in the directory. Check that you have the correct "
                    "principal ID. If you are creating this principal and then immediately "
                    "assigning a role, this error might be related to a replication delay.",
                    principal);
    }
    return NULL;
}

static struct err *check_role(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    (void)old;
    for (size_t i = 0; i < c->s->store.count; i++) {
        const struct resource *other = c->s->store.items[i];

        if (other->kind == c->kind && !text_eq(other->key, c->rid->key)
                && same_scope(other->key, c->rid->key)
                && same_at(other->doc, doc, "properties.principalId")
                && same_at(other->doc, doc, "properties.roleDefinitionId"))
            return refuse(409, "RoleAssignmentExists",
                    "The role assignment already exists. The ID of the existing role assignment is "
                    "%s.",
                    other->name);
    }
    return check_principal(c, body, doc);
}

static struct err *check_scopes(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    size_t i = 0;
    json_t *scope = NULL;

    (void)body;
    (void)old;
    json_array_foreach (jsonx_at(doc, "properties.scopes"), i, scope) {
        const char *id = json_string_value(scope);

        if (id != NULL && strcasestr(id, "/resourceGroups/") != NULL && hook_find(c->s, id) == NULL)
            return refuse(400, "BadRequest", "The scope '%s' of the alert rule was not found.", id);
    }
    return NULL;
}

static void make_receivers(struct sandbox *s, struct resource *r, bool is_new)
{
    static const char *const lists[] = { "emailReceivers", "smsReceivers" };

    (void)s;
    (void)is_new;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i = 0;
        json_t *one = NULL;

        json_array_foreach (
                json_object_get(json_object_get(r->doc, "properties"), lists[k]), i, one)
            json_object_set_new(one, "status", json_string("Enabled"));
    }
}

static struct err *check_diagnostics(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const json_t *p = json_object_get(doc, "properties");
    int count = 0;

    (void)body;
    if (jsonx_text(p, "workspaceId") == NULL && jsonx_text(p, "storageAccountId") == NULL
            && jsonx_text(p, "eventHubAuthorizationRuleId") == NULL
            && jsonx_text(p, "marketplacePartnerId") == NULL)
        return refuse(400, "BadRequest",
                "At least one data sink needs to be specified for the diagnostic setting.");
    for (size_t i = 0; i < c->s->store.count; i++) {
        const struct resource *other = c->s->store.items[i];

        count += other->kind == c->kind && same_scope(other->key, c->rid->key);
    }
    if (old == NULL && count >= DIAGNOSTICS_MAX)
        return refuse(409, "Conflict", "A resource can have at most %d diagnostic settings.",
                DIAGNOSTICS_MAX);
    return NULL;
}

static struct err *check_vault(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    json_t *p = json_object_get(doc, "properties");
    const bool was_kept =
            old != NULL && json_is_true(jsonx_at(old->doc, "properties.enablePurgeProtection"));

    (void)body;
    if (json_is_false(json_object_get(p, "enablePurgeProtection"))
            || (was_kept && !json_is_true(json_object_get(p, "enablePurgeProtection"))))
        return refuse(400, "BadRequest",
                "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge "
                "protection for a vault is an irreversible action.");
    if (json_object_get(p, "enableRbacAuthorization") == NULL && old == NULL)
        json_object_set_new(p, "enableRbacAuthorization",
                json_boolean(strcmp(c->api_version, "2026-02-01") >= 0));
    return NULL;
}

static void make_registry(struct sandbox *s, struct resource *r, bool is_new)
{
    const char *sku = hook_text(r, "sku.name");

    (void)s;
    if (sku != NULL)
        hook_make(r, "sku.tier", jsonx_textf("%s", sku));
    if (!is_new)
        return;
    hook_make(r, "properties.policies",
            jsonx_must(json_pack("{s:{s:s}, s:{s:s, s:s}, s:{s:i, s:s}, s:{s:s}}",
                    "quarantinePolicy", "status", "disabled", "trustPolicy", "type", "Notary",
                    "status", "disabled", "retentionPolicy", "days", 7, "status", "disabled",
                    "exportPolicy", "status", "enabled")));
    if (jsonx_at(r->doc, "properties.networkRuleSet") == NULL)
        hook_make(r, "properties.networkRuleSet",
                jsonx_must(json_pack("{s:s, s:[]}", "defaultAction", "Allow", "ipRules")));
}

const struct hook hooks_other[] = {
    { .word = "role_assignment", .check = check_role },
    { .word = "alert_scopes", .check = check_scopes },
    { .word = "receivers", .made = make_receivers },
    { .word = "diagnostics", .check = check_diagnostics },
    { .word = "vault", .check = check_vault },
    { .word = "registry", .made = make_registry },
    { .word = NULL },
};
