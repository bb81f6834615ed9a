/*
 * hooks_app.c - Container Apps: domains and addresses of environments, secrets that must come with
 * their values, sizes that the platform has.
 */
#include <math.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "sandbox/address.h"
#include "sandbox/hooks.h"
#include "sandbox/view.h"

#define SUBNET_BITS_MAX 27

static bool has_delegation(const struct resource *subnet, const char *service)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (jsonx_at(subnet->doc, "properties.delegations"), i, one) {
        const char *name = json_string_value(jsonx_at(one, "properties.serviceName"));

        if (name != NULL && strcasecmp(name, service) == 0)
            return true;
    }
    return false;
}

static struct err *check_environment_subnet(const struct call *c, const json_t *properties)
{
    const char *id =
            json_string_value(jsonx_at(properties, "vnetConfiguration.infrastructureSubnetId"));
    const struct resource *subnet = hook_find(c->s, id);
    const bool has_profiles = json_array_size(json_object_get(properties, "workloadProfiles")) > 0;
    struct address_range range;

    if (subnet == NULL)
        return NULL;
    if (has_profiles && !has_delegation(subnet, "Microsoft.App/environments"))
        return refuse(400, "ManagedEnvironmentSubnetDelegationError",
                "The subnet of the environment must be delegated to the service "
                "'Microsoft.App/environments'.");
    if (has_profiles && address_of_subnet(subnet, &range) && range.bits > SUBNET_BITS_MAX)
        return refuse(400, "ManagedEnvironmentInvalidNetworkConfiguration",
                "The environment network configuration is invalid: Provided subnet must have a "
                "size of at least /%d.",
                SUBNET_BITS_MAX);
    return NULL;
}

static struct err *check_environment(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    json_t *properties = json_object_get(doc, "properties");
    const json_t *logs = json_object_get(properties, "appLogsConfiguration");
    const json_t *analytics = json_object_get(logs, "logAnalyticsConfiguration");
    const char *destination = jsonx_text(logs, "destination");

    (void)body;
    if (text_eq(destination, "log-analytics")
            && (jsonx_text(analytics, "customerId") == NULL
                    || jsonx_text(analytics, "sharedKey") == NULL))
        return refuse(400, "LogAnalyticsConfigurationInvalid",
                "The Log Analytics configuration needs customerId and sharedKey.");
    if (json_is_true(jsonx_at(properties, "vnetConfiguration.internal"))
            && jsonx_at(properties, "vnetConfiguration.infrastructureSubnetId") == NULL)
        return refuse(400, "ManagedEnvironmentInvalidNetworkConfiguration",
                "An internal environment needs infrastructureSubnetId.");
    return old == NULL ? check_environment_subnet(c, properties) : NULL;
}

/* An internal environment answers at an address of its subnet, others at a public one. */
static void make_environment(struct sandbox *s, struct resource *r, bool is_new)
{
    const bool is_internal =
            json_is_true(jsonx_at(r->doc, "properties.vnetConfiguration.internal"));

    if (!is_new)
        return;
    AUTO(free)
    char *inner =
            !is_internal
                    ? NULL
                    : address_take(s, r, "staticIp",
                            hook_text(r, "properties.vnetConfiguration.infrastructureSubnetId"));
    unsigned char random[3];

    digest_random(random, sizeof(random));
    hook_make(r, "properties.staticIp",
            inner != NULL ? jsonx_textf("%s", inner)
                          : jsonx_textf("20.%d.%d.%d", random[0], random[1], 1 + random[2] % 254));
    if (hook_text(r, "properties.infrastructureResourceGroup") == NULL
            && json_array_size(jsonx_at(r->doc, "properties.workloadProfiles")) > 0) {
        json_auto_t *context = view_context(s, r);

        hook_make(r, "properties.infrastructureResourceGroup",
                jsonx_textf("ME_%s_%s_%s", r->name, jsonx_text(context, "group"),
                        jsonx_text(context, "region")));
    }
    if (hook_text(r, "properties.publicNetworkAccess") == NULL)
        hook_make(r, "properties.publicNetworkAccess",
                json_string(is_internal ? "Disabled" : "Enabled"));
}

static struct err *check_env_storage(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const json_t *properties = json_object_get(doc, "properties");
    const json_t *azure_file = json_object_get(properties, "azureFile");
    const json_t *nfs = json_object_get(properties, "nfsAzureFile");

    (void)body;
    (void)old;
    if ((azure_file == NULL) == (nfs == NULL))
        return refuse(400, "InvalidRequestContent",
                "Exactly one of azureFile and nfsAzureFile must be given for storage '%s'.",
                c->rid->name);
    if (azure_file != NULL && jsonx_text(azure_file, "accountKey") == NULL
            && json_object_get(azure_file, "accountKeyVaultProperties") == NULL)
        return refuse(400, "InvalidRequestContent", "azureFile needs accountKey.");
    return NULL;
}

static bool has_secret(const json_t *secrets, const char *name)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)secrets, i, one) {
        if (text_eq(jsonx_text(one, "name"), name))
            return true;
    }
    return false;
}

static struct err *check_secret_values(const json_t *secrets)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)secrets, i, one) {
        const char *name = jsonx_text(one, "name");
        const char *value = jsonx_text(one, "value");
        const bool is_ref =
                jsonx_text(one, "keyVaultUrl") != NULL && jsonx_text(one, "identity") != NULL;

        if ((value == NULL || value[0] == '\0') && !is_ref)
            return refuse(400, "ContainerAppSecretInvalid",
                    "Invalid Request: Container app secret(s) with name(s) '%s' are invalid: value "
                    "or keyVaultUrl and identity should be provided.",
                    name == NULL ? "" : name);
    }
    return NULL;
}

static struct err *check_secret_ref(const json_t *secrets, const char *name, const char *where)
{
    if (name == NULL || name[0] == '\0' || has_secret(secrets, name))
        return NULL;
    return refuse(400, "ContainerAppSecretRefNotFound", "SecretRef '%s' defined for %s not found.",
            name, where);
}

static struct err *check_containers(const json_t *secrets, const json_t *containers)
{
    size_t i = 0;
    size_t k = 0;
    json_t *container = NULL;
    json_t *env = NULL;

    json_array_foreach ((json_t *)(uintptr_t)containers, i, container) {
        json_array_foreach (json_object_get(container, "env"), k, env) {
            AUTO(free) char *where = xasprintf("container '%s'", jsonx_text(container, "name"));

            TRY(check_secret_ref(secrets, jsonx_text(env, "secretRef"), where));
        }
    }
    return NULL;
}

static struct err *check_app_secrets(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const json_t *sent = jsonx_at_ci(body, "properties.configuration.secrets");
    const json_t *secrets = jsonx_at(doc, "properties.configuration.secrets");
    const json_t *template = jsonx_at(doc, "properties.template");
    size_t i = 0;
    json_t *registry = NULL;

    (void)c;
    (void)old;
    TRY(check_secret_values(sent));
    TRY(check_containers(secrets, json_object_get(template, "containers")));
    TRY(check_containers(secrets, json_object_get(template, "initContainers")));
    json_array_foreach (jsonx_at(doc, "properties.configuration.registries"), i, registry)
        TRY(check_secret_ref(secrets, jsonx_text(registry, "passwordSecretRef"), "registry"));
    return NULL;
}

/* cpu and memory of a consumption replica come in pairs: 0.25 and 0.5Gi, up to 4 and 8Gi. */
static struct err *check_size(const json_t *template)
{
    double cpu = 0;
    double memory = 0;
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (json_object_get(template, "containers"), i, one) {
        const char *text = json_string_value(jsonx_at(one, "resources.memory"));

        cpu += json_number_value(jsonx_at(one, "resources.cpu"));
        memory += text == NULL ? 0 : strtod(text, NULL);
        if (text == NULL || !str_ends(str_of(text), STR("Gi")))
            return NULL;
    }
    const double quarters = cpu / 0.25;

    if (i == 0
            || (fabs(quarters - round(quarters)) < 1e-6 && cpu >= 0.25 && cpu <= 4
                    && fabs(memory - 2 * cpu) < 1e-6))
        return NULL;
    return refuse(400, "ContainerAppInvalidResourceTotal",
            "The total requested CPU and memory resources for this application (CPU: %g, memory: "
            "%g) is invalid. Total CPU and memory for all containers defined in a Container App "
            "must add up to one of the following CPU - Memory combinations: [cpu: 0.25, memory: "
            "0.5Gi]; [cpu: 0.5, memory: 1.0Gi]; ... [cpu: 4.0, memory: 8.0Gi].",
            cpu, memory);
}

static struct err *check_profile(
        const struct resource *environment, const char *profile, const json_t *template)
{
    const json_t *profiles = jsonx_at(environment->doc, "properties.workloadProfiles");
    const char *type = "Consumption";
    size_t i = 0;
    json_t *one = NULL;
    bool is_found = profile == NULL || json_array_size(profiles) == 0;

    json_array_foreach ((json_t *)(uintptr_t)profiles, i, one) {
        if (profile != NULL && strcasecmp(jsonx_text(one, "name"), profile) == 0) {
            is_found = true;
            type = jsonx_text(one, "workloadProfileType");
        }
    }
    if (!is_found)
        return refuse(400, "InvalidWorkloadProfileName",
                "Workload profile name '%s' was not found in environment '%s'.", profile,
                environment->name);
    return strcasecmp(type, "Consumption") == 0 ? check_size(template) : NULL;
}

static struct err *check_volumes(
        const struct call *c, const struct resource *environment, const json_t *template)
{
    size_t i = 0;
    json_t *volume = NULL;

    json_array_foreach (json_object_get(template, "volumes"), i, volume) {
        const char *name = jsonx_text(volume, "storageName");
        AUTO(free) char *id = xasprintf("%s/storages/%s", environment->id, name);

        if (name != NULL && hook_find(c->s, id) == NULL)
            return refuse(400, "ManagedEnvironmentStorageNotFound",
                    "The storage '%s' of volume '%s' was not found in environment '%s'.", name,
                    jsonx_text(volume, "name"), environment->name);
    }
    return NULL;
}

static struct err *check_mounts(const json_t *template)
{
    size_t i = 0;
    size_t k = 0;
    json_t *container = NULL;
    json_t *mount = NULL;

    json_array_foreach (json_object_get(template, "containers"), i, container) {
        json_array_foreach (json_object_get(container, "volumeMounts"), k, mount) {
            const char *name = jsonx_text(mount, "volumeName");

            if (!has_secret(json_object_get(template, "volumes"), name))
                return refuse(400, "InvalidVolumeMount",
                        "The volume '%s' mounted by container '%s' is not defined.", name,
                        jsonx_text(container, "name"));
        }
    }
    return NULL;
}

static struct err *check_app_place(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    json_t *properties = json_object_get(doc, "properties");
    const char *id = jsonx_text(properties, "environmentId");
    const json_t *template = json_object_get(properties, "template");

    (void)body;
    (void)old;
    if (id == NULL)
        id = jsonx_text(properties, "managedEnvironmentId");
    if (id == NULL)
        return refuse(400, "InvalidManagedEnvironment", "environmentId is missing for '%s'.",
                c->rid->name);
    const struct resource *environment = hook_find(c->s, id);

    if (jsonx_text(properties, "environmentId") == NULL)
        json_object_set_new(properties, "environmentId", jsonx_textf("%s", id));

    if (environment == NULL)
        return NULL;
    TRY(check_profile(environment, jsonx_text(properties, "workloadProfileName"), template));
    TRY(check_volumes(c, environment, template));
    return check_mounts(template);
}

static void make_ingress(struct resource *r, const struct resource *environment)
{
    const json_t *ingress = jsonx_at(r->doc, "properties.configuration.ingress");
    const char *domain =
            environment == NULL ? NULL : hook_text(environment, "properties.defaultDomain");
    const bool is_tcp = text_eq(jsonx_text(ingress, "transport"), "tcp");
    json_t *made = json_object_get(json_object_get(r->made, "properties"), "configuration");

    json_object_del(made, "ingress");
    if (!json_is_object(ingress) || domain == NULL)
        return;
    hook_make(r, "properties.configuration.ingress.fqdn",
            jsonx_textf("%s%s.%s", r->name,
                    json_is_true(json_object_get(ingress, "external")) ? "" : ".internal", domain));
    if (json_object_get(ingress, "exposedPort") == NULL)
        hook_make(r, "properties.configuration.ingress.exposedPort",
                json_integer(is_tcp ? jsonx_int(ingress, "targetPort", 0) : 0));
    if (json_object_get(ingress, "traffic") == NULL)
        hook_make(r, "properties.configuration.ingress.traffic",
                jsonx_must(json_pack("[{s:i, s:b}]", "weight", 100, "latestRevision", 1)));
}

/* A changed template is a new revision; the data plane has the last word when it is there. */
static void make_revision(struct resource *r)
{
    const json_t *template = jsonx_at(r->doc, "properties.template");
    const char *suffix = jsonx_text(template, "revisionSuffix");
    AUTO(free) char *text = jsonx_dump(template);
    char digest[DIGEST_HEX_SIZE];

    digest_sha256_hex(str_of(text), digest);
    const bool is_same = text_eq(jsonx_text(r->hidden, "template"), digest);

    if (is_same)
        return;
    AUTO(free) char *random = digest_random_text("0123456789abcdefghijklmnopqrstuvwxyz", 7);
    const bool has_suffix = suffix != NULL && suffix[0] != '\0';

    json_object_set_new(r->hidden, "template", json_string(digest));
    hook_make(r, "properties.latestRevisionName",
            jsonx_textf("%s--%s", r->name, has_suffix ? suffix : random));
    hook_make(r, "properties.latestReadyRevisionName",
            jsonx_textf("%s--%s", r->name, has_suffix ? suffix : random));
    hook_make(r, "properties.runningStatus", json_string("Running"));
}

static void make_container_app(struct sandbox *s, struct resource *r, bool is_new)
{
    const char *id = hook_text(r, "properties.environmentId");
    const struct resource *environment = hook_find(s, id);

    (void)is_new;
    if (id != NULL)
        hook_make(r, "properties.managedEnvironmentId", jsonx_textf("%s", id));
    make_ingress(r, environment);
    make_revision(r);
    const char *domain =
            environment == NULL ? NULL : hook_text(environment, "properties.defaultDomain");

    if (domain != NULL && jsonx_at(r->doc, "properties.configuration.ingress") != NULL)
        hook_make(r, "properties.latestRevisionFqdn",
                jsonx_textf("%s.%s", hook_text(r, "properties.latestRevisionName"), domain));
}

const struct hook hooks_app[] = {
    { .word = "environment", .check = check_environment, .made = make_environment },
    { .word = "env_storage", .check = check_env_storage },
    { .word = "app_secrets", .check = check_app_secrets },
    { .word = "app_place", .check = check_app_place },
    { .word = "container_app", .made = make_container_app },
    { .word = NULL },
};
