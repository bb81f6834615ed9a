/*
 * hooks_data.c - PostgreSQL, Redis and storage accounts: rules between properties and values that
 * follow from others.
 */
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/hooks.h"

#define SIZE_DEFAULT_GB 128

static struct err *check_login(const json_t *properties)
{
    static const char *const reserved[] = { "azure_superuser", "azure_pg_admin", "admin",
        "administrator", "root", "guest", "public" };
    const char *login = jsonx_text(properties, "administratorLogin");

    if (login == NULL || jsonx_text(properties, "administratorLoginPassword") == NULL)
        return refuse(400, "InvalidParameterValue",
                "Missing value for administratorLogin or administratorLoginPassword.");
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcasecmp(login, reserved[i]) == 0 || strncasecmp(login, "pg_", 3) == 0)
            return refuse(400, "InvalidParameterValue",
                    "The administrator login name '%s' is reserved.", login);
    }
    return NULL;
}

static struct err *check_growth(const json_t *properties, const json_t *before)
{
    const int64_t size = jsonx_int(json_object_get(properties, "storage"), "storageSizeGB", 0);
    const int64_t was = jsonx_int(json_object_get(before, "storage"), "storageSizeGB", 0);
    const char *version = jsonx_text(properties, "version");
    const char *old_version = jsonx_text(before, "version");

    if (size > 0 && size < was)
        return refuse(400, "StorageSizeDecreaseNotAllowed",
                "The storage size can't be reduced from %lld GB to %lld GB.", (long long)was,
                (long long)size);
    if (version != NULL && old_version != NULL
            && strtol(version, NULL, 10) < strtol(old_version, NULL, 10))
        return refuse(400, "InvalidParameterValue", "The version can't be lowered from %s to %s.",
                old_version, version);
    return NULL;
}

static struct err *check_postgres_network(const struct call *c, const json_t *properties)
{
    const json_t *network = json_object_get(properties, "network");
    const char *id = jsonx_text(network, "delegatedSubnetResourceId");
    const struct resource *subnet = hook_find(c->s, id);

    if (id == NULL)
        return NULL;
    if (jsonx_text(network, "privateDnsZoneArmResourceId") == NULL)
        return refuse(400, "EmptyPrivateDnsZoneArmResourceId",
                "The private dns zone id should not be empty for virtual network integration.");
    if (subnet != NULL
            && !text_eq(json_string_value(jsonx_at(
                                subnet->doc, "properties.delegations[0].properties.serviceName")),
                    "Microsoft.DBforPostgreSQL/flexibleServers"))
        return refuse(400, "SubnetDelegationMissing",
                "The subnet %s must be delegated to Microsoft.DBforPostgreSQL/flexibleServers.",
                id);
    return NULL;
}

static struct err *check_postgres(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    json_t *properties = json_object_get(doc, "properties");
    const char *mode = json_string_value(jsonx_at_ci(body, "properties.createMode"));
    const bool is_fresh =
            mode == NULL || strcasecmp(mode, "Default") == 0 || strcasecmp(mode, "Create") == 0;
    const bool has_passwords = !text_eq(
            json_string_value(jsonx_at(properties, "authConfig.passwordAuth")), "Disabled");

    if (properties == NULL) {
        properties = jsonx_must(json_object());
        json_object_set_new(doc, "properties", properties);
    }
    if (old != NULL)
        return check_growth(properties, json_object_get(old->doc, "properties"));
    if (is_fresh && has_passwords)
        TRY(check_login(properties));
    return check_postgres_network(c, properties);
}

static void make_default(struct resource *r, const char *path, json_t *value)
{
    if (jsonx_at(r->doc, path) != NULL)
        json_decref(value);
    else
        hook_make(r, path, value);
}

static const char *tier_of(int64_t size_gb)
{
    static const struct {
        int64_t up_to;
        const char *tier;
    } tiers[] = { { 32, "P4" }, { 64, "P6" }, { 128, "P10" }, { 256, "P15" }, { 512, "P20" },
        { 1024, "P30" }, { 2048, "P40" }, { 4096, "P50" } };

    for (size_t i = 0; i < ARRAY_LEN(tiers); i++) {
        if (size_gb <= tiers[i].up_to)
            return tiers[i].tier;
    }
    return "P60";
}

/* Every parameter that the server has exists with its default. */
static void add_settings(struct sandbox *s, const struct resource *r)
{
    const char *type = jsonx_text(r->kind->data, "implicit_settings");
    const struct kind *kind = type == NULL ? NULL : kinds_find(s->kinds, type);
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)kinds_settings(s->kinds), i, one) {
        const char *name = json_string_value(json_array_get(one, 0));
        AUTO(free) char *id = xasprintf("%s/configurations/%s", r->id, name);

        if (kind == NULL || hook_find(s, id) != NULL)
            continue;
        struct resource *setting = store_add(&s->store, id, kind);
        json_t *value = json_array_get(one, 1);
        const char *data_type = json_string_value(json_array_get(one, 2));

        json_object_set_new(
                setting->doc, "properties", jsonx_must(json_pack("{s:O}", "value", value)));
        json_object_set_new(setting->made, "properties",
                jsonx_must(json_pack("{s:s, s:O, s:s, s:O, s:O, s:b, s:b, s:s}", "description",
                        name, "defaultValue", value, "dataType", data_type, "allowedValues",
                        json_array_get(one, 3), "isDynamicConfig", json_array_get(one, 4),
                        "isReadOnly", 0, "isConfigPendingRestart", 0, "source", "system-default")));
    }
}

static void make_postgres(struct sandbox *s, struct resource *r, bool is_new)
{
    const json_t *given = jsonx_at(r->doc, "properties.storage.storageSizeGB");
    const int64_t size_gb = given == NULL ? SIZE_DEFAULT_GB : json_integer_value(given);
    const bool is_inside = hook_text(r, "properties.network.delegatedSubnetResourceId") != NULL;
    const char *mode = hook_text(r, "properties.highAvailability.mode");
    const bool has_standby = mode != NULL && strcasecmp(mode, "Disabled") != 0;

    make_default(r, "properties.version", json_string("16"));
    hook_make(r, "properties.minorVersion", json_string("8"));
    make_default(r, "properties.storage.storageSizeGB", json_integer(size_gb));
    make_default(r, "properties.storage.tier", json_string(tier_of(size_gb)));
    make_default(r, "properties.storage.iops", json_integer(size_gb <= 32 ? 120 : 500));
    make_default(r, "properties.network.publicNetworkAccess",
            json_string(is_inside ? "Disabled" : "Enabled"));
    make_default(r, "properties.availabilityZone", json_string("1"));
    hook_make(r, "properties.highAvailability.state",
            json_string(has_standby ? "Healthy" : "NotEnabled"));
    if (is_new)
        add_settings(s, r);
}

static struct err *check_setting(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const char *allowed = old == NULL ? NULL : hook_text(old, "properties.allowedValues");
    const char *type = old == NULL ? NULL : hook_text(old, "properties.dataType");
    const char *value = json_string_value(jsonx_at(doc, "properties.value"));

    (void)body;
    if (old == NULL)
        return refuse(404, "ConfigurationNotFound",
                "The configuration '%s' does not exist for the server.", c->rid->name);
    if (value == NULL)
        return refuse(400, "InvalidParameterValue", "Missing value for the configuration '%s'.",
                c->rid->name);
    if (!text_eq(type, "Boolean") && !text_eq(type, "Enumeration") && !text_eq(type, "Set"))
        return NULL;
    struct str rest = str_of(value);

    while (rest.p != NULL && rest.len > 0) {
        const struct str word = str_trim(str_cut(&rest, ','));
        struct str words = str_of(allowed);
        bool is_known = word.len == 0;

        while (words.p != NULL && !is_known)
            is_known = str_eq_ci(str_cut(&words, ','), word);
        if (!is_known)
            return refuse(400, "InvalidParameterValue",
                    "The value '%s' for configuration '%s' is not valid. The allowed values are "
                    "'%s'.",
                    value, c->rid->name, allowed);
    }
    return NULL;
}

static void make_setting(struct sandbox *s, struct resource *r, bool is_new)
{
    const char *value = hook_text(r, "properties.value");
    const char *standard = json_string_value(jsonx_at(r->made, "properties.defaultValue"));
    const bool is_default = value != NULL && standard != NULL && strcasecmp(value, standard) == 0;
    const bool is_dynamic = json_is_true(jsonx_at(r->made, "properties.isDynamicConfig"));

    (void)s;
    (void)is_new;
    hook_make(r, "properties.source", json_string(is_default ? "system-default" : "user-override"));
    hook_make(r, "properties.isConfigPendingRestart", json_boolean(!is_dynamic));
}

static struct err *check_firewall(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const struct resource *server = store_find(&c->s->store, c->rid->parent_key);

    (void)body;
    (void)doc;
    (void)old;
    if (server == NULL || hook_text(server, "properties.network.delegatedSubnetResourceId") == NULL)
        return NULL;
    return refuse(400, "FirewallRuleNotAllowedForVnetServer",
            "Firewall rules are not allowed on a server with private access.");
}

static struct err *check_redis(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const bool is_recent = strcmp(c->api_version, "2025-07-01") >= 0;

    (void)body;
    (void)old;
    if (is_recent && jsonx_at(doc, "properties.publicNetworkAccess") == NULL)
        return refuse(400, "BadRequest",
                "The property publicNetworkAccess is required from api-version 2025-07-01 on.");
    return NULL;
}

static void make_redis(struct sandbox *s, struct resource *r, bool is_new)
{
    const char *ha = hook_text(r, "properties.highAvailability");

    (void)s;
    (void)is_new;
    make_default(r, "properties.publicNetworkAccess", json_string("Enabled"));
    hook_make(r, "properties.redundancyMode",
            json_string(text_eq(ha, "Disabled")                                 ? "None"
                        : json_array_size(json_object_get(r->doc, "zones")) > 0 ? "ZR"
                                                                                : "LR"));
}

static struct err *check_database(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const char *policy = json_string_value(jsonx_at(doc, "properties.clusteringPolicy"));
    const char *before = old == NULL ? NULL : hook_text(old, "properties.clusteringPolicy");

    (void)body;
    if (text_eq(policy, "NoCluster") && strcmp(c->api_version, "2025-05-01-preview") < 0)
        return refuse(400, "BadRequest",
                "The clusteringPolicy 'NoCluster' is not known to api-version %s.", c->api_version);
    if (before != NULL && policy != NULL && strcasecmp(before, policy) != 0
            && strcasecmp(before, "NoCluster") != 0)
        return refuse(400, "PropertyChangeNotAllowed",
                "Changing property 'properties.clusteringPolicy' is not allowed.");
    return NULL;
}

static struct err *check_storage(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const char *kind = jsonx_text(doc, "kind");
    const char *sku = json_string_value(jsonx_at(doc, "sku.name"));
    const bool is_premium = sku != NULL && strncasecmp(sku, "Premium", 7) == 0;

    (void)c;
    (void)body;
    (void)old;
    if (json_object_get(doc, "properties") == NULL)
        json_object_set_new(doc, "properties",
                jsonx_must(json_pack("{s:b, s:s}", "supportsHttpsTrafficOnly", 1,
                        "minimumTlsVersion", "TLS1_2")));
    if (kind != NULL && !is_premium && sku != NULL && strncasecmp(sku, "StandardV2", 10) != 0
            && (strcasecmp(kind, "FileStorage") == 0 || strcasecmp(kind, "BlockBlobStorage") == 0))
        return refuse(400, "InvalidValuesForRequestParameters",
                "Values for request parameters are invalid: kind. For more information, see - "
                "https://aka.ms/storageaccounttypes (%s with %s).",
                kind, sku);
    return NULL;
}

static void make_storage(struct sandbox *s, struct resource *r, bool is_new)
{
    const char *sku = hook_text(r, "sku.name");
    const char *kind = hook_text(r, "kind");

    (void)s;
    hook_make(r, "sku.tier",
            json_string(
                    sku != NULL && strncasecmp(sku, "Premium", 7) == 0 ? "Premium" : "Standard"));
    if (kind != NULL && strcasecmp(kind, "FileStorage") != 0)
        make_default(r, "properties.accessTier", json_string("Hot"));
    if (jsonx_at(r->doc, "properties.networkAcls") == NULL)
        hook_make(r, "properties.networkAcls",
                jsonx_must(json_pack("{s:s, s:[], s:[], s:[], s:s}", "bypass", "AzureServices",
                        "virtualNetworkRules", "ipRules", "ipv6Rules", "defaultAction", "Allow")));
    else
        json_object_del(json_object_get(r->made, "properties"), "networkAcls");
    const char *time = json_string_value(jsonx_at(r->made, "properties.creationTime"));

    make_default(r, "properties.encryption.keySource", json_string("Microsoft.Storage"));
    for (int i = 0; is_new && i < 2; i++) {
        AUTO(free)
        char *path = xasprintf("properties.encryption.services.%s", i == 0 ? "blob" : "file");

        hook_make(r, path,
                jsonx_must(json_pack("{s:b, s:s, s:s}", "enabled", 1, "keyType", "Account",
                        "lastEnabledTime", time == NULL ? "" : time)));
    }
}

static struct err *check_share(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const char *protocol = json_string_value(jsonx_at(doc, "properties.enabledProtocols"));
    const char *end = strstr(c->rid->key, "/fileservices/");
    AUTO(free)
    char *account_id = xmemdup0(c->rid->key, end == NULL ? 0 : (size_t)(end - c->rid->key));
    const struct resource *account = hook_find(c->s, account_id);
    const char *kind = account == NULL ? NULL : hook_text(account, "kind");

    (void)body;
    (void)old;
    if (protocol == NULL || strcasecmp(protocol, "NFS") != 0 || kind == NULL
            || strcasecmp(kind, "FileStorage") == 0)
        return NULL;
    return refuse(400, "InvalidRequestPropertyValue",
            "The value 'NFS' is not allowed for property enabledProtocols: the account's kind must "
            "be FileStorage, not %s.",
            kind);
}

const struct hook hooks_data[] = {
    { .word = "postgres", .check = check_postgres, .made = make_postgres },
    { .word = "postgres_setting", .check = check_setting, .made = make_setting },
    { .word = "postgres_firewall", .check = check_firewall },
    { .word = "redis_cluster", .check = check_redis, .made = make_redis },
    { .word = "redis_database", .check = check_database },
    { .word = "storage", .check = check_storage, .made = make_storage },
    { .word = "share", .check = check_share },
    { .word = NULL },
};
